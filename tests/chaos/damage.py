"""Stores that were damaged while brokers were away: what is lost, and what everybody sees.

In a round, each of the log's streams has a universe with members and a client that goes away, and
its own damage; the snapshots may have one, too. Each universe is a case.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from chaos.cluster import Cluster, cluster_of
from chaos.stores import DAMAGES, back_up, restore, stream_folder
from harmonic_local.processes import NotReadyError
from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import Streams
from harmonic_state.domain.events import decode_record
from harmonic_state.snapshots import decode_snapshot
from harness.client import Client
from harness.wire import Wire
from harness.world import World

#: So that logs are trimmed and snapshots stored in every case, and nobody lingers.
SETTINGS: Mapping[str, str] = {
    "HARMONIC_SNAPSHOT_EVERY_RECORDS": "5",
    "HARMONIC_HISTORY_SNAPSHOTS": "3",
    "HARMONIC_DEPARTURE_GRACE_S": "0.5",
    "HARMONIC_REQUEST_TIMEOUT_S": "2",
}
RESTORED = "restored"
#: How long a universe may take to answer again, a stream's election of a leader included.
AGAIN_S = 60.0
#: How soon members and a new reader agree.
AGREED_S = 5.0
JUMP = 1_000_000
FIRST_VALUE = 100


@dataclass
class Case:
    """A universe, what was acknowledged of it, and what is done to its stores."""

    stream: str
    universe: str
    damage: str
    members: list[Client] = field(default_factory=list)
    away: Wire | None = None
    #: The values that were acknowledged, by the numbers of their frames.
    acknowledged: dict[int, int] = field(default_factory=dict)
    #: Those of them that the universe still knew after the damage.
    survived: dict[int, int] = field(default_factory=dict)
    #: What the away client has seen last.
    away_seq: int = 0
    #: The newest value that is intact in a store, or in the memory of an owner.
    intact: int = FIRST_VALUE
    #: Whether its history does not go back to its beginning, or to a snapshot.
    is_beyond_help: bool = False
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.universe} in {self.stream}, {self.damage}"

    @property
    def last(self) -> int:
        """The newest value that was acknowledged."""
        return max(self.acknowledged.values(), default=FIRST_VALUE)


@dataclass(frozen=True)
class Plan:
    """What happens in a round, besides the damages of the logs."""

    damages: Mapping[str, str]
    snapshots: str
    kills_states: bool
    kills_gateways: bool
    crashes: bool
    broker: int
    outgrows: bool
    early: int
    late: int


def planned(chance: random.Random, brokers: int) -> Plan:
    """A round at random."""
    names = [*DAMAGES, RESTORED, RESTORED]
    streams = [subjects.log_stream(number) for number in range(subjects.LOG_STREAMS)]
    return Plan(
        damages={stream: chance.choice(names) for stream in streams},
        snapshots=chance.choice([*DAMAGES, RESTORED, "", "", "", ""]),
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

    def __init__(self, world: World, cluster: Cluster, plan: Plan, chance: random.Random) -> None:
        self.world, self.stack = world, world.stack
        self._cluster = cluster
        self._plan = plan
        self._chance = chance
        self.cases: list[Case] = []
        #: Whether the broker did not start with these stores, so that they were put back.
        self.is_refused_by_broker = False

    async def play(self, backup: Path) -> list[Case]:
        """All of it; the cases tell what was not as it should be."""
        wanted = dict(self._plan.damages)
        while wanted:
            universe = self.world.name("damaged")
            damage = wanted.pop(subjects.log_stream_of(universe), None)
            if damage is not None:
                case = Case(subjects.log_stream_of(universe), universe, damage)
                self.cases.append(case)
        await self._for_each(self._begin)
        await self._for_each(lambda case: self._write(case, self._plan.early))
        if RESTORED in {*self._plan.damages.values(), self._plan.snapshots}:
            await self._stop_brokers()
            for stream in self._damaged_streams():
                back_up(stream_folder(self.stack, self._plan.broker, stream), backup)
            await self._start_brokers()
        await self._for_each(lambda case: self._write(case, self._plan.late))
        await self._for_each(self._go_away)
        before = {each.name: each.pid for each in self.stack.services}
        await self._break(backup)
        await self._for_each(self._look)
        killed = self._killed()
        self._say_who_died(before, {each.name for each in killed})
        return self.cases

    async def _for_each(self, step: Any) -> None:
        await asyncio.gather(*(step(case) for case in self.cases))

    def _killed(self) -> list[Any]:
        states = self.stack.states if self._plan.kills_states else []
        return [*states, *(self.stack.gateways if self._plan.kills_gateways else [])]

    def _say_who_died(self, before: Mapping[str, int], killed: set[str]) -> None:
        for process in self.stack.services:
            is_same = process.runs and process.pid == before[process.name]
            if process.name not in killed and not is_same:
                self.cases[0].faults.append(f"{process.name} died")

    # Before.

    async def _begin(self, case: Case) -> None:
        await self.world.universe(id=case.universe)
        for number in range(2):
            case.members.append(await self._joined(case, number))
        case.away = await Wire.open(self.world, self.world.name("away"), agent=case.universe)
        await case.away.joins(case.universe)

    async def _joined(self, case: Case, gateway: int) -> Client:
        """A member, once the universe answers."""
        async with asyncio.timeout(AGAIN_S):
            while True:
                client = await self._client(gateway)
                with suppress(Exception):
                    ack = await client.asks("join_room", universeId=case.universe, mode="edit")
                    if ack["ok"]:
                        return client
                await client.close()
                await asyncio.sleep(0.1)

    async def _client(self, gateway: int) -> Client:
        while True:
            try:
                return await self.world.client(self.world.name("member"), gateway=gateway)
            except Exception:  # noqa: BLE001 -- not yet
                await asyncio.sleep(0.1)

    async def _write(self, case: Case, times: int) -> None:
        for number in range(times):
            value = max(case.last, case.intact) + 1
            async with asyncio.timeout(AGAIN_S):
                while (seq := await self._update(case, number % 2, value)) is None:
                    await asyncio.sleep(0.1)
            if case.acknowledged.get(seq, value) != value:
                case.faults.append(f"the number {seq} came twice")
            case.acknowledged[seq] = value

    async def _update(self, case: Case, number: int, value: int) -> int | None:
        """The number of an update's frame; ``None`` if it has to be sent again."""
        writer = case.members[number]
        update = asyncio.ensure_future(
            writer.asks(
                "update_visualization",
                universeId=case.universe,
                opId=f"{case.universe}-{value}",
                parameters={"particleCount": value},
            )
        )
        gone = asyncio.ensure_future(writer.gone.wait())
        await asyncio.wait({update, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not update.done():
            update.cancel()
            case.members[number] = await self._joined(case, number)
            return None
        ack = update.result()
        if ack["ok"]:
            return int(ack["seq"])
        if ack["error"]["code"] != "INTERNAL_ERROR":
            case.members[number] = await self._joined(case, number)
        return None

    async def _go_away(self, case: Case) -> None:
        away, last = case.away, max(case.acknowledged)
        assert away is not None
        seen = 0
        while seen < last:
            _, data = await away.hears()
            seen = max(seen, data.get("seq", 0) if isinstance(data, dict) else 0)
        case.away_seq = seen
        away.cut()

    # The damage.

    def _damaged_streams(self) -> list[str]:
        extra = [subjects.SNAPSHOT_STREAM] if self._plan.snapshots else []
        return [*(case.stream for case in self.cases), *extra]

    async def _stop_brokers(self) -> None:
        await asyncio.gather(*(broker.stop() for broker in self.stack.brokers))

    async def _start_brokers(self) -> None:
        await asyncio.gather(*(broker.start() for broker in self.stack.brokers))
        await self._cluster.healthy()

    async def _break(self, backup: Path) -> None:
        broker = self.stack.brokers[self._plan.broker]
        if len(self.stack.brokers) > 1 and not self._plan.kills_states:
            # The others go on meanwhile.
            stopped = [broker]
        else:
            stopped = list(self.stack.brokers)
        for each in stopped:
            if self._plan.crashes:
                await each.crash()
            else:
                await each.stop()
        killed = self._killed()
        for process in killed:
            await process.crash()
        whole = backup.with_name(f"{backup.name}-whole")
        for stream in self._damaged_streams():
            back_up(stream_folder(self.stack, self._plan.broker, stream), whole)
        for case in self.cases:
            self._damage(case.stream, case.damage, backup)
        if self._plan.snapshots:
            self._damage(subjects.SNAPSHOT_STREAM, self._plan.snapshots, backup)
        try:
            await asyncio.gather(*(each.start() for each in stopped))
        except NotReadyError:
            # The broker cannot start with that: whoever runs it has to give it another store.
            self.is_refused_by_broker = True
            for stream in self._damaged_streams():
                restore(stream_folder(self.stack, self._plan.broker, stream), whole)
            await asyncio.gather(*(each.start() for each in stopped if not each.runs))
        if killed:
            await self._for_each(self._read_stores)
        if not self._plan.kills_states or len(self.stack.brokers) > 1:
            for case in self.cases:
                case.intact = case.last
                case.is_beyond_help = False
        await asyncio.gather(*(process.start() for process in killed))

    def _damage(self, stream: str, damage: str, backup: Path) -> None:
        folder = stream_folder(self.stack, self._plan.broker, stream)
        if damage == RESTORED:
            restore(folder, backup)
        else:
            DAMAGES[damage](folder, self._chance)

    async def _read_stores(self, case: Case) -> None:
        """What the stores still hold of a universe, before anybody goes on with it."""
        streams = Streams(self._cluster.bus)
        async with asyncio.timeout(AGAIN_S):
            while True:
                try:
                    log = await streams.read(
                        case.stream, subjects.log(case.universe), from_sequence=1, limit=10_000
                    )
                    stored = await streams.last(
                        subjects.SNAPSHOT_STREAM, subjects.snapshot(case.universe)
                    )
                    break
                except BusUnavailable as error:
                    if "10059" in str(error) or "not found" in str(error):
                        # The broker has given the stream up.
                        log, stored = [], None
                        break
                    await asyncio.sleep(0.1)
        values = [FIRST_VALUE]
        begins = False
        for message in log:
            for event in decode_record(message.payload)[1]:
                name = getattr(event, "name", "") or type(event).__name__
                begins |= name == "universe_created"
                counted = getattr(getattr(event, "parameters", None), "particle_count", None)
                values += [counted] if counted is not None else []
        if stored is not None:
            universe = decode_snapshot(stored.payload).universe
            values.append(universe.parameters.visualization.particle_count)
        case.is_beyond_help = stored is None and not begins
        case.intact = max(each for each in values if each <= case.last or each == FIRST_VALUE)

    # After.

    async def _look(self, case: Case) -> None:
        try:
            if await self._answers(case):
                await self._goes_on(case)
        except (TimeoutError, AssertionError) as error:
            case.faults.append(f"{type(error).__name__} {error}")

    async def _answers(self, case: Case) -> bool:
        """Whether the universe answers again; else it is refused for a good reason."""
        async with asyncio.timeout(AGAIN_S):
            while True:
                status, body = await self._get(case)
                if status == 200:
                    break
                error = body.get("error", {}) if isinstance(body, dict) else {}
                reason = error.get("details", {}).get("reason")
                if reason == "DAMAGED":
                    if not case.is_beyond_help:
                        case.faults.append(f"refused, though something is left: {body}")
                    return False
                if status == 404 and case.is_beyond_help:
                    return False
                await asyncio.sleep(0.1)
        value = body["parameters"]["visualization"]["particleCount"]
        if value < case.intact:
            case.faults.append(f"{value} after {case.intact} was intact, {case.last} acknowledged")
        case.survived = {seq: each for seq, each in case.acknowledged.items() if each <= value}
        if value < case.last:
            await self._told_of_loss(case)
        return True

    async def _get(self, case: Case) -> tuple[int, Any]:
        with suppress(aiohttp.ClientError):
            return await self.world.call("GET", f"/universes/{case.universe}", "late")
        return 0, {}

    async def _told_of_loss(self, case: Case) -> None:
        """Somebody who could know of a loss has logged it: an owner, or a gateway."""
        if self._plan.kills_states and self._plan.kills_gateways:
            # Only clients were left that knew how far it had come.
            return
        async with asyncio.timeout(AGREED_S):
            while not any(
                case.universe in line and ("history_lost" in line or "log_trimmed" in line)
                for line in self.world.logs().splitlines()
            ):
                await asyncio.sleep(0.1)

    async def _goes_on(self, case: Case) -> None:
        witnessed = not self._plan.kills_states or not self._plan.kills_gateways
        before = max(case.acknowledged)
        if not witnessed:
            # Nobody is left who knows of the others but clients.
            case.acknowledged = dict(case.survived)
        case.members[0] = await self._joined(case, 0)
        case.members[1] = await self._joined(case, 1)
        times = self._chance.randint(15, 30) if self._plan.outgrows else 2
        await self._write(case, times)
        await self._agree(case)
        await self._away_returns(case, {seq for seq in case.acknowledged if seq > before})

    async def _agree(self, case: Case) -> None:
        """Both members, and one who reads now, see the same within their time."""
        last = max(case.acknowledged)
        value = case.acknowledged[last]
        async with asyncio.timeout(AGREED_S):
            for number in range(2):
                heard = 0
                while heard != value:
                    member = case.members[number]
                    updates = member.all_heard("visualization_updated")
                    heard = updates[-1]["parameters"]["particleCount"] if updates else 0
                    if member.gone.is_set():
                        # It begins anew, as its client would by itself.
                        case.members[number] = await self._joined(case, number)
                        _, body = await self._get(case)
                        heard = body["parameters"]["visualization"]["particleCount"]
                    await asyncio.sleep(0.02)
            while True:
                _, body = await self._get(case)
                found = body.get("parameters", {}).get("visualization", {}).get("particleCount")
                if found == value:
                    return
                await asyncio.sleep(0.02)

    async def _away_returns(self, case: Case, written: set[int]) -> None:
        """The client that was away is told what it missed, or that it begins anew."""
        away = case.away
        assert away is not None
        back = await self._wire(away)
        told = await back.until("state_recovered") if back.recovered else []
        back.cut()
        if not back.recovered:
            return
        missed = [
            (data["seq"], data["parameters"]["particleCount"])
            for name, data in told
            if name == "visualization_updated" and data.get("replayed")
        ]
        lineage = {**case.survived, **{seq: case.acknowledged[seq] for seq in written}}
        expected = sorted((seq, value) for seq, value in lineage.items() if seq > case.away_seq)
        if missed != expected:
            case.faults.append(f"was told {missed} of {expected} after {case.away_seq}")
        if case.away_seq > max(case.survived, default=0) or min(written) - case.away_seq > JUMP:
            case.faults.append("was told that it recovered, after a loss")

    async def _wire(self, away: Wire) -> Wire:
        async with asyncio.timeout(AGAIN_S):
            while True:
                try:
                    return await away.again(self.world)
                except (aiohttp.ClientError, AssertionError, TypeError, TimeoutError):
                    await asyncio.sleep(0.2)


@dataclass
class Campaigned:
    """What came of a campaign."""

    cases: int
    lost: int
    faults: list[str]


async def damages(
    stack: Stack, seed: int, rounds: int, plans: Sequence[Plan] | None = None
) -> AsyncIterator[list[Case]]:
    """The cases of each round."""
    chance = random.Random(seed)
    async with AsyncExitStack() as stacked:
        http = await stacked.enter_async_context(aiohttp.ClientSession())
        cluster = await stacked.enter_async_context(cluster_of(stack))
        for number in range(rounds):
            world = World(stack, http)
            plan = plans[number] if plans else planned(chance, len(stack.brokers))
            backup = stack.plan.data.parent / f"backup-{number}"
            played = Round(world, cluster, plan, chance)
            cases = await played.play(backup)
            if played.is_refused_by_broker:
                print("REFUSED", plan)
            await world.close()
            for case in cases:
                if case.faults:
                    case.faults.append(f"{case}; {plan}")
            yield cases
