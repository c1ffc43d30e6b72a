"""Returns that race with what else happens, tried over and over: how often one goes wrong.

python -m recovery.races --tries 200
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from harmonic_local.stack import Stack
from harness.client import Client, Silence
from harness.javascript import Bridge, javascript
from harness.world import World, started
from recovery.proxy import Loss
from recovery.visitors import KINDS, Visitor, visitor

#: The product's pings, in seconds: quick, but not so quick that a busy machine misses them.
PING_INTERVAL_S, PING_TIMEOUT_S = 3, 3
#: A half-open connection is known to be broken after a ping timeout and a second; and some more.
PATIENCE_S = PING_TIMEOUT_S + 4.0
#: How long a participant stays whose transport broke.
GRACE_S = 2.0
#: Tries at the same time, each with a universe and users of its own.
AT_ONCE = 20
CHANGES = 5
PAGES = KINDS[:2]
WITHOUT_PID = (*KINDS[1:4], KINDS[5])


def product(directory: Path) -> AbstractAsyncContextManager[Stack]:
    """The product of all races."""
    return started(
        directory,
        musics=0,
        HARMONIC_PING_INTERVAL_S=str(PING_INTERVAL_S),
        HARMONIC_PING_TIMEOUT_S=str(PING_TIMEOUT_S),
        HARMONIC_DEPARTURE_GRACE_S=str(GRACE_S),
        HARMONIC_ALLOWED_ORIGINS="*",
    )


class Try:
    """A user's clients of one kind, and somebody else who changes the room."""

    def __init__(
        self, world: World, bridge: Bridge, kind: str, chance: random.Random, stack: AsyncExitStack
    ) -> None:
        self.world = world
        self.chance = chance
        self.user = world.name("user")
        self.gravity = 0
        self._bridge = bridge
        self._kind = kind
        self._stack = stack

    async def client(self) -> Visitor:
        """A client of the user that has not come yet."""
        made = visitor(self.world, self._bridge, self._kind, self.user)
        return await self._stack.enter_async_context(made)

    async def enters(self, **settings: Any) -> tuple[Visitor, str, Client]:
        """A client in a room, the room, and the other one there."""
        universe = await self.world.universe(**settings)
        if settings:
            await self.lets_in(universe, self.user)
        other = await self.world.client("owner", gateway=1)
        self._stack.push_async_callback(other.close)
        await other.joins(universe)
        client = await self.client()
        await client.comes()
        await client.joins(universe)
        return client, universe, other

    async def lets_in(self, universe: str, user: str) -> None:
        """Make a user a member."""
        path = f"/universes/{universe}/members/{user}"
        await self.world.call("PUT", path, "owner", {"role": "edit"})

    async def changes(self, other: Client, universe: str) -> int:
        """Something happens in the room: the value that it is known by."""
        self.gravity += 1
        changed = {"gravity": self.gravity}
        answer = await other.asks("update_physics", universeId=universe, parameters=changed)
        assert answer["ok"], answer
        return self.gravity

    async def comes_true(self, client: Visitor, holds: Callable[[], bool]) -> bool:
        """Whether something holds of what a client has heard, in time, in whatever order.

        The synchronous client hands each event to a thread of its own.
        """
        news = client.listener._news
        try:
            async with asyncio.timeout(PATIENCE_S), news:
                await news.wait_for(holds)
        except TimeoutError:
            return False
        return True


def heard(client: Visitor, since: int, event: str, universe: str) -> bool:
    """Whether a client heard an event of a universe after the first ``since`` things it heard."""
    return any(
        name == event and data["universeId"] == universe
        for name, data in client.listener.heard[since:]
    )


def told_again(client: Visitor, since: int) -> list[float]:
    """The values of changes that a client was told after the first ``since`` things it heard."""
    return [
        data["parameters"]["gravity"]
        for name, data in client.listener.heard[since:]
        if name == "physics_updated" and "current" not in data
    ]


async def half_open(attempt: Try) -> str | None:
    """The network changes: the room has to follow, with what happened meanwhile."""
    client, universe, other = await attempt.enters()
    await client.loses(Loss.HALF_OPEN)
    await asyncio.sleep(attempt.chance.uniform(0, 0.05))
    value = await attempt.changes(other, universe)
    since = len(client.listener.heard)
    await client.listener.hears("connect_success")
    if not await attempt.comes_true(client, lambda: heard(client, since, "room_joined", universe)):
        return "the room was lost"
    if not await attempt.comes_true(
        client, lambda: heard(client, since, "state_recovered", universe)
    ):
        return "it was not recovered"
    if not await attempt.comes_true(client, lambda: value in told_again(client, since)):
        return "a change was missed"
    return None


async def another_page(attempt: Try) -> str | None:
    """A page is left, and one for another universe is opened: it must not get the first's room."""
    client, universe, other = await attempt.enters()
    second = await attempt.client()
    another = await attempt.world.universe()
    await client.ends()
    await asyncio.sleep(attempt.chance.choice([0, attempt.chance.uniform(0, 0.03)]))
    await second.comes()
    await second.joins(another)
    await attempt.changes(other, universe)
    if await attempt.comes_true(second, lambda: heard(second, 0, "room_joined", universe)):
        return "it was put into the first page's room"
    return "it heard the first page's room" if told_again(second, 0) else None


async def killed_page(attempt: Try) -> str | None:
    """A page is killed and opened anew: what its heartbeats acknowledged is not sent again."""
    client, universe, other = await attempt.enters()
    for _ in range(CHANGES):
        value = await attempt.changes(other, universe)
    if not await attempt.comes_true(client, lambda: value in told_again(client, 0)):
        return "a change was not heard"
    # Until a heartbeat that was sent after the last change is answered.
    await asyncio.sleep(2.2 * PING_INTERVAL_S)
    await client.dies()
    missed = await attempt.changes(other, universe)
    second = await attempt.client()
    await second.comes()
    if not await attempt.comes_true(second, lambda: heard(second, 0, "state_recovered", universe)):
        return "the room was lost"
    if not await attempt.comes_true(second, lambda: missed in told_again(second, 0)):
        return "a change was missed"
    again = told_again(second, 0)
    return None if again == [missed] else f"{len(again) - 1} were sent again"


async def removed_while_away(attempt: Try) -> str | None:
    """Removed while away, added again, back: nothing of the time between is sent."""
    client, universe, other = await attempt.enters(visibility="private")
    member = f"/universes/{universe}/members/{attempt.user}"
    await client.loses(Loss.CUT, for_good=True)
    await attempt.world.call("DELETE", member, "owner")
    secret = await attempt.changes(other, universe)
    await attempt.lets_in(universe, attempt.user)
    client.balancer.takes_in = True
    since = len(client.listener.heard)
    await client.listener.hears("connect_success")
    later = await attempt.changes(other, universe)
    if not await attempt.comes_true(client, lambda: heard(client, since, "room_joined", universe)):
        return None
    if not await attempt.comes_true(client, lambda: later in told_again(client, since)):
        return None
    again = told_again(client, since)
    return "a change that it was not allowed to see" if secret in again else None


async def gone_while_pending(attempt: Try) -> str | None:
    """The client that is to be given the rooms dies just then: nobody may stay in them."""
    client, universe, other = await attempt.enters()
    await client.loses(Loss.HALF_OPEN)
    await client.listener.hears("connect_success")
    await asyncio.sleep(PING_TIMEOUT_S + attempt.chance.uniform(-0.2, 0.2))
    await client.dies()
    try:
        async with asyncio.timeout(PATIENCE_S + 2 * GRACE_S):
            await other.hears("participant_left", universeId=universe, userId=attempt.user)
    except (TimeoutError, Silence):
        return "it never left"
    return None


RACES: Mapping[Callable[[Try], Awaitable[str | None]], tuple[str, ...]] = {
    half_open: WITHOUT_PID,
    another_page: (*PAGES, *KINDS[2:4], KINDS[5]),
    killed_page: (*PAGES, *KINDS[2:4], KINDS[5]),
    removed_while_away: KINDS[:4],
    gone_while_pending: (KINDS[1], KINDS[5]),
}


async def run(
    world: World,
    bridge: Bridge,
    race: Callable[[Try], Awaitable[str | None]],
    kind: str,
    tries: int,
) -> list[str]:
    """Run one race so often: the faults that were seen."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str | None:
        async with turns, AsyncExitStack() as stack:
            return await race(Try(world, bridge, kind, random.Random(number), stack))

    found = await asyncio.gather(*(one(number) for number in range(tries)))
    return [fault for fault in found if fault is not None]


async def _campaign(tries: int, names: list[str], kinds: list[str]) -> None:
    chosen = [
        (race, kind)
        for race, whose in RACES.items()
        for kind in whose
        if race.__name__ in names and (not kinds or kind in kinds)
    ]
    with tempfile.TemporaryDirectory() as directory:
        for number, (race, kind) in enumerate(chosen):
            # Each with a product and a Node process of its own, which does not slow down others.
            async with (
                product(Path(directory) / f"stack-{number}") as stack,
                aiohttp.ClientSession() as http,
                javascript() as bridge,
            ):
                world = World(stack, http)
                faults = await run(world, bridge, race, kind, tries)
                await world.close()
            counted = {fault: faults.count(fault) for fault in sorted(set(faults))}
            row = {"race": race.__name__, "client": kind, "tries": tries}
            line = json.dumps({**row, "faults": len(faults), **counted})
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--race", nargs="*", default=[race.__name__ for race in RACES])
    parser.add_argument("--client", nargs="*", default=[])
    options = parser.parse_args()
    asyncio.run(_campaign(options.tries, options.race, options.client))
