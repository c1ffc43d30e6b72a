"""Clients that race with what else happens, tried over and over: how often something goes wrong.

python -m recovery.races --tries 200
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from harness.javascript import Bridge, javascript
from harness.world import World
from recovery import returns
from recovery.deadlines import stale_commands
from recovery.losing_access import LOSSES
from recovery.tries import Attempt, Try, product
from recovery.visitors import KINDS

#: Tries at the same time, each with a universe and users of its own.
AT_ONCE = 20
OFFICIAL = KINDS[:4]
PAGES = KINDS[:2]
WITHOUT_PID = (*KINDS[1:4], KINDS[5])


@dataclass(frozen=True)
class Race:
    """What is tried, with which clients, and with how many gateways.

    What is ``disruptive`` concerns the whole product, so that only its own tries may run beside it.
    """

    attempt: Attempt
    kinds: tuple[str, ...]
    gateways: int = 2
    disruptive: bool = False

    @property
    def name(self) -> str:
        """What it is asked for by."""
        return self.attempt.__name__


RACES = (
    Race(returns.half_open, WITHOUT_PID),
    Race(returns.another_page, (*PAGES, *KINDS[2:4], KINDS[5])),
    Race(returns.killed_page, (*PAGES, *KINDS[2:4], KINDS[5])),
    Race(returns.removed_while_away, OFFICIAL),
    Race(returns.gone_while_pending, (KINDS[1], KINDS[5])),
    # On one gateway, what its owner hears of a room says what the client was sent before.
    *(Race(loss, OFFICIAL, gateways=1) for loss in LOSSES),
    Race(stale_commands, OFFICIAL, disruptive=True),
)


async def run(world: World, bridge: Bridge, race: Race, kind: str, tries: int) -> list[str]:
    """Run one race so often, with ``AT_ONCE`` or all of the tries at once: what went wrong."""
    at_once = min(AT_ONCE, tries)
    assert tries % at_once == 0, f"make {AT_ONCE} tries, or less, or a multiple"
    turns = asyncio.Semaphore(at_once)
    barrier = asyncio.Barrier(at_once)

    async def one(number: int) -> str | None:
        async with turns, AsyncExitStack() as stack:
            chance = random.Random(number)
            made = Try(world, bridge, kind, chance, barrier=barrier, stack=stack)
            return await race.attempt(made)

    found = await asyncio.gather(*(one(number) for number in range(tries)))
    return [fault for fault in found if fault is not None]


async def _campaign(tries: int, names: list[str], kinds: list[str]) -> None:
    chosen = [
        (race, kind)
        for race in RACES
        for kind in race.kinds
        if race.name in names and (not kinds or kind in kinds)
    ]
    with tempfile.TemporaryDirectory() as directory:
        for number, (race, kind) in enumerate(chosen):
            # Each with a product and a Node process of its own, which does not slow down others.
            async with (
                product(Path(directory) / f"stack-{number}", race.gateways) as stack,
                aiohttp.ClientSession() as http,
                javascript() as bridge,
            ):
                world = World(stack, http)
                faults = await run(world, bridge, race, kind, tries)
                await world.close()
            counted = {fault: faults.count(fault) for fault in sorted(set(faults))}
            row = {"race": race.name, "client": kind, "tries": tries}
            line = json.dumps({**row, "faults": len(faults), **counted})
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=AT_ONCE)
    parser.add_argument("--race", nargs="*", default=[race.name for race in RACES])
    parser.add_argument("--client", nargs="*", default=[])
    options = parser.parse_args()
    asyncio.run(_campaign(options.tries, options.race, options.client))
