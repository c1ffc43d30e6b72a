"""Rounds of attack and rounds of peace in turn, with neighbours in the room all the time."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp

from fuzz.attack import Plan, Tally, attack, be_nice
from fuzz.neighbour import Neighbours
from fuzz.vitals import Vitals, complaints, growth, leaks, settled, vitals
from harness.world import World, started

USERS = 40
#: A round of peace is so much shorter than one of attack.
PEACE_SHARE = 2
#: So that neither allowances nor addresses stand in the way.
SETTINGS: dict[str, Any] = {
    "HARMONIC_CONNECTS_PER_S": "1000000",
    "HARMONIC_CONNECTS_BURST": "1000000",
}


@dataclass
class Report:
    """What a campaign saw. It went well if there are no ``faults``."""

    tally: Tally
    peace_p99_s: list[float]
    attack_p99_s: list[float]
    neighbours: Neighbours
    rounds: list[Vitals]
    after: Vitals
    faults: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How much longer neighbours wait while there is an attack: medians of rounds."""
        return median(self.attack_p99_s) / median(self.peace_p99_s)


async def campaign(
    folder: Path, inputs: int, *, seed: int, rounds: int, inputs_per_s: float, least_updates: int
) -> Report:
    """Attack a product of its own, which keeps its data and logs in ``folder``."""
    async with (
        started(folder, gateways=1, **SETTINGS) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        tokens = [world.token(f"user-{number}") for number in range(USERS)]
        neighbours = Neighbours(world)
        await neighbours.come()
        before = await vitals(stack, http)
        total, peace, war = Tally(), list[float](), list[float]()
        seen: list[Vitals] = []
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=be_nice
        ) as attacker:
            for number in range(rounds):
                plan = Plan(
                    port=stack.gateway_ports[0],
                    seed=seed + number,
                    inputs=inputs // rounds,
                    inputs_per_s=inputs_per_s,
                    tokens=tokens,
                )
                quiet = replace(plan, inputs=plan.inputs // PEACE_SHARE, peace=True)
                for round_plan, waits in ((quiet, peace), (plan, war)):
                    over = asyncio.Event()
                    attacking = loop.run_in_executor(attacker, attack, round_plan)
                    attacking.add_done_callback(partial(_tell, over))
                    waits.append(p99(await neighbours.talk(over, least_updates)))
                    total.add(await attacking)
                    neighbours.check()
                seen.append(await vitals(stack, http))
        after = await settled(stack, http, before)
        neighbours.check()
        await neighbours.go()
        report = Report(total, peace, war, neighbours, seen, after)
        report.faults += total.findings + neighbours.malformed
        report.faults += leaks(before, after) + growth(seen[0], after)
    report.faults += complaints(folder)
    return report


def _tell(over: asyncio.Event, _: object) -> None:
    over.set()


def p99(values: list[float]) -> float:
    """What 99 of 100 do not exceed."""
    return quantiles(values, n=100)[-1]
