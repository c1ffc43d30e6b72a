"""A stream's leader dies in the midst of a burst, and after that nobody says anything."""

import asyncio
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from chaos.campaign import all_in, staying
from chaos.checker import check
from chaos.cluster import LOG_STREAMS, Cluster, cluster_of
from chaos.crowd import http_session
from chaos.history import History, LogRecord, Operation
from chaos.members import STEP, Member
from harmonic_local.stack import Stack
from harness.world import World

#: Each has one command under way at a time: so many appends are, when the leader dies.
WRITERS = 60
UNIVERSES = 100
ROOMS_OF_A_WRITER = 4
#: Watchers are in all rooms, over one connection to each gateway: it must be set up for that.
SETTINGS = {"HARMONIC_ROOMS_PER_CONNECTION": str(UNIVERSES)}
#: How long the burst goes on before the leader is killed.
BURST_S = (0.1, 0.5)
#: What is stored counts as unseen after so long: it may just be on its way.
ON_ITS_WAY_S = 0.2
#: For at least so long it is looked for what is unseen, ...
LOOKING_S = 2.0
#: ... and for at most so long, if there is something.
GIVE_UP_S = 15.0


@dataclass(frozen=True)
class Silence:
    """How long after the new leader something stored was unseen; infinite if it remained so."""

    outage_s: float
    lag_s: float
    unseen: int


async def silences(
    stack: Stack, times: int, seed: int, *, until_unseen: bool = False
) -> tuple[list[Silence], list[str]]:
    """Kill leaders so often; what came of each, and the violations of what was recorded.

    With ``until_unseen``, stop where something remains unseen.
    """
    async with http_session() as http, cluster_of(stack) as cluster:
        await cluster.healthy()
        world = World(stack, http)
        names = await asyncio.gather(*(world.universe() for _ in range(UNIVERSES)))
        return await _Bursts(world, cluster, names, seed).carry_out(
            times, until_unseen=until_unseen
        )


class _Bursts:
    def __init__(self, world: World, cluster: Cluster, names: Sequence[str], seed: int) -> None:
        self._world = world
        self._cluster = cluster
        self._names = names
        self._chance = random.Random(seed)
        self._history = History()
        self._numbers = itertools.count(1)

    async def carry_out(self, times: int, *, until_unseen: bool) -> tuple[list[Silence], list[str]]:
        history, names = self._history, self._names
        gateways = len(self._world.stack.gateways)
        watchers = [self._member(f"watcher-{n}", n, names) for n in range(gateways)]
        writers = [
            self._member(f"writer-{n}", n % gateways, self._chance.sample(names, ROOMS_OF_A_WRITER))
            for n in range(WRITERS)
        ]
        async with staying([*watchers, *writers]) as members:
            found: list[Silence] = []
            while len(found) < times and not (until_unseen and found and _remained(found[-1])):
                found.append(await self._silence(members, writers))
            logs = await self._cluster.logs()
            history.logs = {name: logs[name] for name in names}
            history.finals = [life.snapshot for life in watchers[0].lives.values()]
            violations = check(history)
        # Snapshots from the beginning stand for those that nobody asked for in the end.
        return found, [each for each in violations if not each.startswith("finals")]

    def _member(self, user: str, gateway: int, names: Sequence[str]) -> Member:
        stack, http = self._world.stack, self._world.http
        return Member(
            user, gateway, names, mode="edit", stack=stack, http=http, history=self._history
        )

    async def _silence(self, members: Sequence[Member], writers: Sequence[Member]) -> Silence:
        now = asyncio.get_running_loop().time
        victim = await self._cluster.leader(self._chance.choice(LOG_STREAMS))
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for writer in writers:
                group.create_task(self._write(writer, over))
            await asyncio.sleep(self._chance.uniform(*BURST_S))
            await victim.crash()
            over.set()
            killed_at = now()
            for stream in LOG_STREAMS:
                await self._cluster.leader(stream, but=victim)
            outage_s = now() - killed_at
            lag_s, unseen = await _lag(self._cluster, members, self._names)
        await victim.start()
        await self._cluster.healthy()
        await all_in(members)
        return Silence(outage_s, lag_s, unseen)

    async def _write(self, writer: Member, over: asyncio.Event) -> None:
        while not over.is_set():
            number = next(self._numbers)
            changes = {"physics": {"gravity": number * STEP}}
            universe = self._chance.choice(writer.universes)
            operation = Operation(writer.user, universe, f"op-{number}", changes)
            self._history.operations.append(operation)
            await writer.try_out(operation)


def _remained(silence: Silence) -> bool:
    return math.isinf(silence.lag_s)


async def _lag(
    cluster: Cluster, members: Sequence[Member], names: Sequence[str]
) -> tuple[float, int]:
    """How long something that was stored had not been seen, and how much at the most."""
    now = asyncio.get_running_loop().time
    began_at, lag_s, most = now(), 0.0, 0
    while True:
        logs = await cluster.logs()
        await asyncio.sleep(ON_ITS_WAY_S)
        ends = {name: _end(logs[name]) for name in names}
        unseen = sum(
            life.seq < ends[name] for member in members for name, life in member.lives.items()
        )
        if unseen:
            lag_s, most = now() - began_at, max(most, unseen)
            if lag_s > GIVE_UP_S:
                return math.inf, most
        elif now() - began_at > LOOKING_S:
            return lag_s, most


def _end(records: Sequence[LogRecord]) -> int:
    numbers = [
        data["seq"]
        for record in records
        for name, data in record.events
        if "seq" in data and name != "operation_applied"
    ]
    return int(numbers[-1]) if numbers else 0
