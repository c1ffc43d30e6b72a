"""Products that are saved while others write, and what was granted to those meanwhile."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from harmonic_local.bus import CONFIG
from harmonic_local.stack import Stack, StackPlan, planned
from harness.client import Client
from harness.operator import harmonic
from harness.world import SECRET, World, started

#: By so much, numbers go on where what followed may have been seen and is lost.
SEQ_JUMP = 1_000_000
#: What changes from one update to the next, or with who is in.
MOVING = {"seq", "parameters", "participants", "updatedAt"}


def settled(described: Mapping[str, object]) -> dict[str, object]:
    """A universe as it is described, without what was changed while it was saved."""
    return {name: value for name, value in described.items() if name not in MOVING}


@asynccontextmanager
async def other_brokers(
    data: Path, *, brokers: int = 1, broker_config: Path = CONFIG
) -> AsyncIterator[Stack]:
    """A product of which only the brokers run."""
    settings = {f"HARMONIC_ALLOWED_{kind}": "1000000" for kind in ("PARAMETER_UPDATES",)}
    plan = StackPlan(
        data=data,
        jwt_secret=SECRET,
        brokers=brokers,
        gateways=2,
        settings=settings,
        broker_config=broker_config,
    )
    data.mkdir(parents=True)  # noqa: ASYNC240 -- before anything runs
    stack = planned(plan, lambda _name, _line: None)
    try:
        await asyncio.gather(*(process.start() for process in stack.brokers))
        yield stack
    finally:
        for process in reversed(stack.processes):
            await process.stop()


@dataclass
class Saved:
    """Universes that were saved while others wrote: what was granted, and what they are like."""

    #: The gravity that each number stands for, by universe: what clients were told.
    granted: dict[str, dict[int, float]] = field(default_factory=dict)
    described: dict[str, dict[str, object]] = field(default_factory=dict)
    listed: list[dict[str, object]] = field(default_factory=list)
    #: The last number that was granted before the backup began.
    before: dict[str, int] = field(default_factory=dict)
    private: str = ""
    #: Updates that were granted while the backup was made.
    meanwhile: int = 0
    #: Set each time that every universe was written to.
    all_written: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def updates(self) -> int:
        """How many updates were granted so far."""
        return sum(len(granted) - 1 for granted in self.granted.values())

    async def another_round(self) -> None:
        """Return once every universe was written to from now on."""
        # The round under way has begun before.
        for _ in range(2):
            self.all_written.clear()
            await self.all_written.wait()

    async def keep_writing(self, clients: Mapping[str, Client]) -> None:
        """Updates without end, in all universes at the same time."""

        async def write(universe: str, client: Client, gravity: float) -> None:
            answer = await client.asks(
                "update_physics", universeId=universe, parameters={"gravity": gravity}
            )
            self.granted[universe][answer["seq"]] = gravity

        for number in itertools.count():
            gravity = float(number % 20)
            await asyncio.gather(*(write(*each, gravity) for each in clients.items()))
            self.all_written.set()


async def saved_under_load(
    directory: Path, folder: Path, *, universes: int, brokers: int = 1, states: int = 1
) -> Saved:
    """A backup made while others write, of so many universes and a private one."""
    saved = Saved()
    async with (
        started(directory, brokers=brokers, states=states) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        names = [await world.universe("owner", maxParticipants=7) for _ in range(universes)]
        saved.private = await world.universe("owner", visibility="private", publicMode="view")
        for universe in (*names, saved.private):
            path = f"/universes/{universe}/members/guest"
            status, answer = await world.call("PUT", path, "owner", {"role": "view"})
            assert status == 200, answer
        clients = {each: await world.client(f"user-{each}") for each in names}
        for universe, client in clients.items():
            joined = await client.joins(universe)
            saved.granted[universe] = {joined["seq"]: joined["parameters"]["physics"]["gravity"]}
        assert (await harmonic(stack, "switch", "audio", "off")).status == 0
        assert (await harmonic(stack, "revoke", "--user", "mallory")).status == 0
        writing = asyncio.create_task(saved.keep_writing(clients))
        await saved.all_written.wait()
        saved.before = {universe: max(granted) for universe, granted in saved.granted.items()}
        updates = saved.updates
        ran = await harmonic(stack, "backup", str(folder), "--json")
        assert ran.status == 0, ran.errors
        saved.meanwhile = saved.updates - updates
        # These are lost with the brokers.
        await saved.another_round()
        assert not writing.done()
        writing.cancel()
        await asyncio.wait([writing])
        for universe in (*names, saved.private):
            _, saved.described[universe] = await world.call(
                "GET", f"/universes/{universe}", "owner"
            )
        saved.listed = await listed(world)
        await world.close()
    return saved


async def listed(world: World) -> list[dict[str, object]]:
    """The owner's universes, as the listing has them, by their ids."""
    _, answer = await world.call("GET", "/universes", "owner")
    return sorted(answer["items"], key=lambda each: str(each["id"]))
