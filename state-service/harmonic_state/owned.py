"""Drives the commit cycle of one universe: does its work, and tells it what came of that.

The task lives only while there is work.
"""

import asyncio
from typing import assert_never

from harmonic_protocol import subjects
from harmonic_protocol.internal import ReleaseGateway
from harmonic_protocol.log import HistoryLost
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import AppendUnknown, StreamFull
from harmonic_state.commit_cycle import CommitCycle
from harmonic_state.domain.universe import Universe
from harmonic_state.journal import Conflict, RecordTooLarge
from harmonic_state.lineage import UniverseLost
from harmonic_state.loaded import Loaded
from harmonic_state.means import Means
from harmonic_state.pending import PendingRequest
from harmonic_state.ring import RecentRecord, Ring
from harmonic_state.snapshot_plan import SnapshotPlan
from harmonic_state.steps import (
    AnnounceHead,
    Answer,
    Append,
    CarryOutEffects,
    Command,
    Confirm,
    Confirmed,
    Conflicted,
    EffectsDone,
    Erase,
    Event,
    Failed,
    Instant,
    Load,
    LookAgain,
    MakeRoom,
    Read,
    ReadOn,
    RecordStored,
    ReportFailure,
    ResumeEffects,
    RoomMade,
    SaveSnapshot,
    SnapshotSaved,
    StepFailure,
    Submitted,
    TimePassed,
    WakeAt,
    Witnessed,
    Work,
)
from harmonic_state.waiting_line import WaitingLine

#: How soon a universe whose last append may have been stored or not is looked at again.
LOOK_AGAIN_S = 1.0
#: What a universe takes in memory, roughly: by itself, and for each of what it remembers.
UNIVERSE_BYTES = 6_000
ENTRY_BYTES = 500


#: What the journal raises, the special before the general.
_FAILURES: dict[type[Exception], StepFailure] = {
    RecordTooLarge: StepFailure.TOO_LARGE,
    StreamFull: StepFailure.FULL,
    AppendUnknown: StepFailure.OUTCOME_UNKNOWN,
    BusUnavailable: StepFailure.UNAVAILABLE,
    UniverseLost: StepFailure.LOST,
}


class OwnedUniverse:
    """A universe that this replica has at hand, and what waits for it."""

    def __init__(self, universe_id: str, means: Means) -> None:
        self.universe_id = universe_id
        self._means = means
        settings = means.settings
        self._cycle = CommitCycle(
            line=WaitingLine(settings.queued_requests_per_universe),
            ring=Ring(settings.ring_bytes),
            snapshots=SnapshotPlan(
                every_records=settings.snapshot_every_records,
                uncovered_records=settings.uncovered_records,
            ),
            packs_snapshots=settings.packs_snapshots,
        )
        #: What came while nothing was being done, until the task that was started for it runs.
        self._arrived: list[PendingRequest] = []
        self._work: Work | None = None
        self._working = False
        self._finished = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is being done."""
        return self._cycle.idle and not self._working

    @property
    def universe(self) -> Universe | None:
        """The universe as it was last known here; ``None`` also if it is not loaded."""
        return self._cycle.known.universe if self._cycle.known else None

    @property
    def position(self) -> int | None:
        """The end of the log as it was last known here, if it is."""
        return self._cycle.known.position if self._cycle.known else None

    @property
    def cost_bytes(self) -> int:
        """What the universe takes in memory, roughly."""
        universe = self.universe
        if universe is None:
            return UNIVERSE_BYTES
        entries = (
            len(universe.connections)
            + len(universe.absences)
            + len(universe.operations)
            + len(universe.members)
            + len(universe.pending_music)
        )
        return UNIVERSE_BYTES + entries * ENTRY_BYTES + self._cycle.ring.bytes

    def submit(self, pending: PendingRequest) -> None:
        """Queue a request; it is answered by its deadline, whatever happens."""
        self._means.meters.waiting += 1
        if self._working and not self._arrived:
            self._tell(Submitted((pending,)))
            return
        # What comes in one read of the bus is decided together: one record for all of it.
        self._arrived.append(pending)
        if not self._working:
            self._start_working()

    def witness_loss(self) -> None:
        """Gateways were sent records that the log does not hold any more."""
        self._tell(Witnessed())

    async def done(self) -> None:
        """Wait until nothing is being done."""
        await self._finished.wait()

    def recent(self, after_position: int) -> list[RecentRecord] | None:
        """The records above a position, if they are all in memory.

        That there are none is for the log to say: another owner may have stored some.
        """
        return self._cycle.ring.after(after_position) or None

    async def hand_over(self) -> None:
        """Store a snapshot for whoever owns the universe next, if there is much to read else."""
        snapshots = self._cycle.snapshots
        if not snapshots.records:
            return
        for command in snapshots.begin(self._cycle.known):
            if isinstance(command, SaveSnapshot):
                await self._save(command.loaded)

    def _tell(self, event: Event) -> None:
        clock = self._means.clock
        now = Instant(clock.now(), clock.monotonic())
        for command in self._commands(event, now):
            self._do(command)
        work = self._work
        if isinstance(work, CarryOutEffects) and not self._means.effects.concern(work.events):
            # Nothing to wait for: most records have no effects.
            self._work = None
            for command in self._commands(EffectsDone(), now):
                self._do(command)

    def _commands(self, event: Event, now: Instant) -> list[Command]:
        try:
            return self._cycle.handle(event, now)
        except Exception:
            self._means.log.exception("universe_failed", universe=self.universe_id)
            return self._cycle.handle(Failed(StepFailure.BROKEN), now)

    def _do(self, command: Command) -> None:  # noqa: C901, PLR0912 -- the one table of what is done
        means = self._means
        match command:
            case Load() | ReadOn() | Append() | Confirm() | MakeRoom() | CarryOutEffects():
                self._work = command
                if not self._working:
                    self._start_working()
            case Answer(pending, reply):
                means.meters.answered(pending, reply)
                pending.reply(reply)
            case WakeAt(at_s):
                if self._timer is not None:
                    self._timer.cancel()
                delay_s = max(0.0, at_s - means.clock.monotonic())
                self._timer = asyncio.get_running_loop().call_later(
                    delay_s, self._tell, TimePassed()
                )
            case AnnounceHead(position, record_id, at_once):
                means.heads.changed(self.universe_id, position, record_id)
                if at_once:
                    means.heads.announce()
            case ResumeEffects(universe):
                means.effects.resume(universe)
            case SaveSnapshot(loaded):
                means.tasks.start(self._save(loaded), name="snapshot")
            case Erase(loaded):
                erasure = means.effects.erase(self.universe_id, loaded)
                means.tasks.start(erasure, name="erase universe")
            case LookAgain():
                means.tasks.start(_look_again(self, means), name="look again")
            case ReportFailure(error):
                means.log.error("request_failed", universe=self.universe_id, exc_info=error)
            case _:
                assert_never(command)

    def _start_working(self) -> None:
        self._working = True
        self._finished.clear()
        self._means.tasks.start(self._keep_working(), name=f"universe {self.universe_id}")

    async def _keep_working(self) -> None:
        try:
            if self._arrived:
                arrived, self._arrived = self._arrived, []
                self._tell(Submitted(arrived))
            while (work := self._work) is not None:
                self._work = None
                self._tell(await self._outcome(work))
        finally:
            self._working = False
            self._finished.set()

    async def _outcome(self, work: Work) -> Event:
        try:
            return await _carried_out(self.universe_id, self._means, work)
        except Conflict:
            if isinstance(work, Append):
                self._means.meters.conflicted()
            return Conflicted()
        except tuple(_FAILURES) as error:
            kind = next(kind for kind in _FAILURES if isinstance(error, kind))
            if isinstance(work, Append):
                stream = subjects.log_stream_of(self.universe_id)
                self._means.meters.not_stored(_FAILURES[kind], stream, error)
            return Failed(_FAILURES[kind])
        except Exception:
            self._means.log.exception("universe_failed", universe=self.universe_id)
            if isinstance(work, CarryOutEffects):
                return EffectsDone()
            # Nobody knows how far an append has come.
            sent = isinstance(work, Append)
            return Failed(StepFailure.OUTCOME_UNKNOWN if sent else StepFailure.BROKEN)

    async def _save(self, loaded: Loaded) -> None:
        coverage = None
        try:
            coverage = await self._means.effects.snapshot(self.universe_id, loaded)
        finally:
            self._tell(SnapshotSaved(coverage))


async def _carried_out(universe_id: str, means: Means, work: Work) -> Event:
    journal, effects = means.journal, means.effects
    match work:
        case Append():
            return await _append(universe_id, means, work)
        case CarryOutEffects(after_events, events):
            await effects.carry_out(universe_id, after_events, events)
            return EffectsDone()
        case Confirm(position):
            await journal.confirm(universe_id, position)
            return Confirmed()
        case Load():
            loaded, records = await journal.load(universe_id)
            if means.is_of_other_replica(loaded.record_id):
                means.meters.owners_changed.inc()
            await effects.settle_listing(universe_id, loaded.universe)
            return Read(loaded, records)
        case ReadOn(known):
            loaded, records = await journal.advance(universe_id, known)
            return Read(loaded, records)
        case MakeRoom(loaded):
            return RoomMade(await effects.make_room(universe_id, loaded))
        case _:
            assert_never(work)


async def _append(universe_id: str, means: Means, work: Append) -> RecordStored:
    if means.effects.concern(work.events):
        await means.effects.prepare(universe_id, work.events)
    began_s = means.clock.monotonic()
    record, was_unknown = await means.journal.append(
        universe_id,
        work.at,
        work.events,
        work.position,
        after=work.after,
        headers=work.trace.of_record(),
    )
    means.meters.stored(work.events, means.clock.monotonic() - began_s)
    if any(isinstance(event, HistoryLost) for event in work.events):
        means.meters.losses.inc()
        means.log.error("history_lost", universe=universe_id, log_ended_at=work.position)
    return RecordStored(record, was_unknown)


async def _look_again(owned: OwnedUniverse, means: Means) -> None:
    await asyncio.sleep(LOOK_AGAIN_S)
    # Nobody's gateway: loading, and telling gateways where the log ends, is all that it does.
    request = ReleaseGateway(universe_id=owned.universe_id, gateway_id="")
    owned.submit(means.of_its_own(request))
