"""Drives the commit cycle of one universe: does its work, and reports the outcomes to it.

A task lives only while there is work that takes more than one answer of the broker.
"""

import asyncio
from typing import assert_never

from harmonic_protocol.internal import ReleaseGateway
from harmonic_runtime.bus.calls import settle
from harmonic_runtime.process.deadlines import Deadlines
from harmonic_state.commit_cycle import CommitCycle
from harmonic_state.domain.universe import Universe
from harmonic_state.drafts import Draft
from harmonic_state.loaded import Loaded
from harmonic_state.means import Means
from harmonic_state.outcomes import draft_of, outcome_of, report_stored
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
    Erase,
    Event,
    Failed,
    Instant,
    Load,
    LookAgain,
    MakeRoom,
    ReadOn,
    RecordStored,
    Report,
    ResumeEffects,
    SaveSnapshot,
    SnapshotSaved,
    StepFailure,
    Submitted,
    TimePassed,
    WakeAt,
    Work,
)
from harmonic_state.timers import Alarm
from harmonic_state.waiting_line import WaitingLine

#: Seconds until a universe is read again whose last append may have been stored.
LOOK_AGAIN_S = 1.0
_MS_PER_S = 1000
#: Bytes of a universe in memory, roughly: without content, and for each thing it remembers.
UNIVERSE_BYTES = 6_000
ENTRY_BYTES = 500


class OwnedUniverse:
    """A universe that this replica has in memory, and the requests that wait for it."""

    def __init__(self, universe_id: str, means: Means, looks: Deadlines[Alarm]) -> None:
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
            has_effects=means.effects.concern,
        )
        #: What came while nothing was under way, until the end of this turn of the loop.
        self._arrived: list[PendingRequest] = []
        self._working = False
        #: Made for whoever waits until nothing is under way.
        self._finished: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._concerns = means.effects.concern
        self._alarm = Alarm(looks, lambda: self._tell(TimePassed()))

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is under way."""
        return self._cycle.idle and not self._working and not self._arrived

    @property
    def universe(self) -> Universe | None:
        """The universe as last known here; ``None`` also if it is not loaded."""
        return self._cycle.known.universe if self._cycle.known else None

    @property
    def position(self) -> int | None:
        """The end of the log as last known here; ``None`` if it is not loaded."""
        return self._cycle.known.position if self._cycle.known else None

    @property
    def cost_bytes(self) -> int:
        """The bytes that the universe takes in memory, roughly."""
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
        """Queue a request; it is answered by its deadline at the latest."""
        self._means.meters.waiting += 1
        if self._working and not self._arrived:
            self._tell(Submitted((pending,)))
            return
        # Requests that arrive in one read of the bus are decided together, in one record.
        if not self._arrived:
            self._loop.call_soon(self._submit_arrived)
        self._arrived.append(pending)

    def cover(self, position: int) -> None:
        """Store a snapshot, unless one covers the record at a position, which cannot be read."""
        for command in self._cycle.cover(position):
            self._do(command)

    async def done(self) -> None:
        """Wait until nothing is under way."""
        if self._working or self._arrived:
            if self._finished is None:
                self._finished = self._loop.create_future()
            await asyncio.shield(self._finished)

    def recent(self, after_position: int) -> list[RecentRecord] | None:
        """The records above a position; ``None`` unless they are all in memory.

        That none are above it must be asked of the log: another owner may have stored some.
        """
        return self._cycle.ring.after(after_position) or None

    async def hand_over(self) -> None:
        """Store a snapshot for the universe's next owner, if it would have much to read without."""
        snapshots = self._cycle.snapshots
        if not snapshots.records:
            return
        for command in snapshots.begin(self._cycle.known):
            if isinstance(command, SaveSnapshot):
                await self._save(command.loaded)

    def _tell(self, event: Event) -> None:
        clock = self._means.clock
        now = Instant(int(clock.unix_s() * _MS_PER_S), clock.monotonic())
        try:
            commands = self._cycle.handle(event, now)
        except Exception:
            self._means.log.exception("universe_failed", universe=self.universe_id)
            commands = self._cycle.handle(Failed(StepFailure.BROKEN), now)
        for command in commands:
            self._do(command)

    def _do(self, command: Command) -> None:  # noqa: C901 -- the one table of what is done
        means = self._means
        match command:
            # Commands of every request first: each arm that does not match costs time.
            case Append():
                self._begin(command)
            case Answer():
                _answer(command, means)
            case AnnounceHead():
                means.heads.changed(self.universe_id, command.position, command.record_id)
                if command.at_once:
                    means.heads.announce()
            case Load() | ReadOn() | Confirm() | MakeRoom() | CarryOutEffects():
                self._begin(command)
            case WakeAt(at_s):
                self._alarm.set(at_s - means.clock.monotonic())
            case ResumeEffects(universe):
                means.effects.resume(universe)
            case SaveSnapshot(loaded):
                means.tasks.start(self._save(loaded), name="snapshot")
            case Erase(loaded):
                erasure = means.effects.erase(self.universe_id, loaded)
                means.tasks.start(erasure, name="erase universe")
            case LookAgain():
                means.tasks.start(_look_again(self, means), name="look again")
            case Report(event, error):
                means.log.error(event, universe=self.universe_id, exc_info=error)
            case _:
                assert_never(command)

    def _submit_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        self._go_on(Submitted(arrived))

    def _go_on(self, event: Event) -> None:
        """Pass an event to the cycle, and report if nothing is left to do."""
        self._tell(event)
        if self._finished is not None and not self._working and not self._arrived:
            settle(self._finished, None)
            self._finished = None

    def _begin(self, work: Work) -> None:
        self._working = True
        if not isinstance(work, Append) or not self._append_directly(work):
            self._means.tasks.start(self._carry_out(work), name=f"universe {self.universe_id}")

    async def _carry_out(
        self, work: Work, draft: Draft | None = None, begun: Exception | None = None
    ) -> None:
        try:
            event = await outcome_of(self.universe_id, self._means, work, draft, begun)
        except BaseException:
            self._working = False
            if self._finished is not None:
                settle(self._finished, None)
            raise
        self._working = False
        self._go_on(event)

    def _append_directly(self, work: Append) -> bool:
        """Begin an append without a task; return whether that was possible.

        Nearly all appends succeed at the first attempt. If this one fails, a task continues it.
        """
        means = self._means
        if self._concerns(work.events):
            return False
        began_s = means.clock.monotonic()

        def ended(outcome: int | Exception) -> None:
            if isinstance(outcome, int):
                report_stored(self.universe_id, means, work, began_s)
                self._working = False
                self._go_on(RecordStored(draft.stored(outcome), was_unknown=False))
            else:
                goes_on = self._carry_out(work, draft, outcome)
                means.tasks.start(goes_on, name=f"universe {self.universe_id}")

        try:
            draft = draft_of(self.universe_id, means, work)
            means.journal.begin_append(draft, ended)
        except Exception:  # noqa: BLE001 -- the task meets it as well, and reports it
            return False
        return True

    async def _save(self, loaded: Loaded) -> None:
        coverage = None
        try:
            coverage = await self._means.effects.snapshot(self.universe_id, loaded)
        finally:
            self._tell(SnapshotSaved(coverage))


def _answer(answer: Answer, means: Means) -> None:
    means.meters.answered(answer.pending, answer.reply)
    if not answer.by_record:
        answer.pending.reply(answer.reply)


async def _look_again(owned: OwnedUniverse, means: Means) -> None:
    await asyncio.sleep(LOOK_AGAIN_S)
    # No gateway has this name: the request only loads the universe and announces its log's end.
    request = ReleaseGateway(universe_id=owned.universe_id, gateway_id="")
    owned.submit(means.of_its_own(request))
