"""Stores that are damaged while brokers are away: what is lost, and what everybody sees.

In a round, each of the logs' streams has a universe with its own damage, and the snapshots and the
leases may have one, too. Each universe is a case. All of them play an endless piece, whose bars a
broker keeps in memory: they are lost with each broker that stops.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from chaos.cases import AGAIN_S, FIRST_VALUE, Case, Expected, Outcome
from chaos.cluster import cluster_of
from chaos.stores import DAMAGES, back_up, restore, stream_folder
from harmonic_local.processes import Managed, NotReadyError
from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_protocol.log import UniverseCreated
from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import Stored, Streams
from harmonic_state.domain.events import decode_record
from harmonic_state.snapshots import decode_snapshot
from harness.waiting import until
from harness.world import World

#: So that logs are trimmed and snapshots stored in every case, and nobody lingers.
SETTINGS: Mapping[str, str] = {
    "HARMONIC_SNAPSHOT_EVERY_RECORDS": "5",
    "HARMONIC_HISTORY_SNAPSHOTS": "3",
    "HARMONIC_DEPARTURE_GRACE_S": "0.5",
    "HARMONIC_REQUEST_TIMEOUT_S": "2",
}
RESTORED = "restored"
LOGS = tuple(subjects.log_stream(number) for number in range(subjects.LOG_STREAMS))
#: Records of a log that are read at most: more than any case stores.
MOST_RECORDS = 10_000
_UPDATED = PARAMETER_SETS["visualization"].event


@dataclass(frozen=True)
class Plan:
    """What happens in a round: ``damages`` by stream, of a ``broker``'s store.

    Members write ``early`` times before the backup, and ``late`` times after it. The clients that
    are away come back after their logs have outgrown their offsets, or before.
    """

    damages: Mapping[str, str]
    snapshots: str = ""
    leases: str = ""
    kills_states: bool = False
    kills_gateways: bool = False
    crashes: bool = False
    broker: int = 0
    outgrows: bool = True
    early: int = 6
    late: int = 8


def planned(chance: random.Random, brokers: int) -> Plan:
    """A round at random."""
    names = [*DAMAGES, RESTORED, RESTORED]
    return Plan(
        damages={stream: chance.choice(names) for stream in LOGS},
        snapshots=chance.choice([*DAMAGES, RESTORED, "", "", "", ""]),
        leases=chance.choice([*DAMAGES, RESTORED, "", "", "", ""]),
        kills_states=chance.random() < 0.6,
        kills_gateways=chance.random() < 0.3,
        crashes=chance.random() < 0.5,
        broker=chance.randrange(brokers),
        outgrows=chance.random() < 0.7,
        early=chance.randint(1, 12),
        late=chance.randint(1, 14),
    )


class Round:
    """One restart of brokers with damaged stores."""

    def __init__(self, world: World, plan: Plan, chance: random.Random) -> None:
        self._world, self._stack = world, world.stack
        self._plan = plan
        self._chance = chance
        self._outcome = Outcome()
        self._expected: dict[str, Expected] = {}

    async def play(self, backup: Path) -> Outcome:
        """All of it; ``backup`` is a folder for what is to be restored."""
        self._choose()
        await self._each(Case.begin)
        await self._each(lambda case: case.write(self._plan.early))
        if RESTORED in self._all_damages().values():
            await asyncio.gather(*(broker.stop() for broker in self._stack.brokers))
            self._copy(backup)
            await asyncio.gather(*(broker.start() for broker in self._stack.brokers))
            async with cluster_of(self._stack) as cluster:
                await cluster.healthy()
        await self._each(Case.watch)
        await self._each(lambda case: case.write(self._plan.late))
        await self._each(Case.go_away)
        pids = {each.name: each.pid for each in self._stack.services}
        killed = self._killed()
        await self._restart(killed, backup)
        await self._look()
        for process in self._stack.services:
            lives_on = process.runs and process.pid == pids[process.name]
            if process not in killed and not lives_on:
                self._outcome.died.append(process.name)
        return self._outcome

    def _choose(self) -> None:
        """A universe in each of the streams."""
        wanted = dict(self._plan.damages)
        while wanted:
            universe = self._world.name("damaged")
            stream = subjects.log_stream_of(universe)
            damage = wanted.pop(stream, None)
            if damage is not None:
                self._outcome.cases.append(Case(self._world, universe, stream, damage))

    async def _each(self, step: Callable[[Case], Awaitable[None]]) -> None:
        await asyncio.gather(*(step(case) for case in self._outcome.cases))

    def _killed(self) -> list[Managed]:
        states = self._stack.states if self._plan.kills_states else []
        return [*states, *(self._stack.gateways if self._plan.kills_gateways else [])]

    def _stopped(self) -> list[Managed]:
        """The brokers that go away; of several, the others go on if there is who uses them."""
        brokers = self._stack.brokers
        return list(brokers) if self._plan.kills_states else [brokers[self._plan.broker]]

    async def _restart(self, killed: Sequence[Managed], backup: Path) -> None:
        stopped = self._stopped()
        for broker in stopped:
            await (broker.crash() if self._plan.crashes else broker.stop())
        for process in killed:
            await process.crash()
        whole = backup.with_name(f"{backup.name}-whole")
        self._copy(whole)
        for stream, damage in self._all_damages().items():
            if damage == RESTORED:
                restore(self._folder(stream), backup)
            else:
                DAMAGES[damage](self._folder(stream), self._chance)
        try:
            await asyncio.gather(*(broker.start() for broker in stopped))
        except NotReadyError:
            # It takes somebody to give the broker another store.
            self._outcome.put_back = True
            for stream in self._all_damages():
                restore(self._folder(stream), whole)
            await asyncio.gather(*(broker.start() for broker in stopped if not broker.runs))
        async with cluster_of(self._stack) as cluster:
            await self._each(lambda case: self._read_stores(case, Streams(cluster.bus)))
        await asyncio.gather(*(process.start() for process in killed))

    async def _look(self) -> None:
        """See what has become of all, and do once what refusals ask operators to do."""
        await self._each(lambda case: case.look(self._expected[case.universe]))
        hidden = [case for case in self._outcome.cases if case.is_hidden]
        if not hidden:
            return
        self._outcome.hidden = len(hidden)
        await asyncio.gather(*(broker.stop() for broker in self._stack.brokers))
        await asyncio.gather(*(broker.start() for broker in self._stack.brokers))
        for case in hidden:
            await case.look(self._expected[case.universe])
            if case.is_hidden:
                case.faults.append("refused as unreadable after a restart of the broker")

    def _all_damages(self) -> Mapping[str, str]:
        others = {
            subjects.SNAPSHOT_STREAM: self._plan.snapshots,
            subjects.LEASES_STREAM: self._plan.leases,
        }
        return {**self._plan.damages, **{name: damage for name, damage in others.items() if damage}}

    def _folder(self, stream: str) -> Path:
        return stream_folder(self._stack, self._plan.broker, stream)

    def _copy(self, to: Path) -> None:
        for stream in self._all_damages():
            back_up(self._folder(stream), to)

    async def _read_stores(self, case: Case, streams: Streams) -> None:
        """What is expected of a case: by what its stores hold, before an owner goes on with it."""
        plan, lost = self._plan, False
        intact = case.last
        if plan.kills_states and len(self._stack.brokers) == 1:
            intact, lost = await self._left(case, streams)
        lives = not plan.kills_states or not plan.kills_gateways
        self._expected[case.universe] = Expected(intact, lost, lives, plan.outgrows)

    async def _left(self, case: Case, streams: Streams) -> tuple[int, bool]:
        """The newest value in the stores, and whether they hold nothing to begin with."""
        log: list[Stored] = []
        snapshots: list[Stored] = []

        async def is_read() -> bool:
            try:
                log[:] = await streams.read(
                    case.stream, subjects.log(case.universe), from_sequence=1, limit=MOST_RECORDS
                )
                subject = subjects.snapshot(case.universe)
                stored = await streams.last(subjects.SNAPSHOT_STREAM, subject)
            except BusUnavailable:
                return False
            snapshots[:] = [stored] if stored is not None else []
            return True

        await until(is_read, AGAIN_S)
        events = [event for each in log for event in decode_record(each.payload)[1]]
        values = [
            event.parameters.particle_count for event in events if isinstance(event, _UPDATED)
        ]
        values += [
            decode_snapshot(each.payload).universe.parameters.visualization.particle_count
            for each in snapshots
        ]
        # Before the first update, the default stands there.
        intact = max((value for value in values if value <= case.last), default=FIRST_VALUE)
        begins = any(isinstance(event, UniverseCreated) for event in events)
        return intact, not snapshots and not begins


async def damages(
    stack: Stack, seed: int, rounds: int, plans: Sequence[Plan] = ()
) -> AsyncIterator[tuple[Plan, Outcome]]:
    """What came of each round: of the ``plans``, or at random."""
    for number in range(len(plans) or rounds):
        chance = random.Random(f"{seed} {number}")
        plan = plans[number] if plans else planned(chance, len(stack.brokers))
        backup = stack.plan.data.parent / f"backup-{number}"
        # Connections that were cut stay in a session's pool, which is bounded.
        async with aiohttp.ClientSession() as http:
            world = World(stack, http)
            yield plan, await Round(world, plan, chance).play(backup)
            await world.close()
