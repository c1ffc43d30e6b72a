"""What the owner of one universe does next. Pure: events in, commands out, no clock, no await.

Requests that wait are decided together and stored in one record, so a busy universe needs one
append for many commands. Invariants:

- At most one piece of work (load, read on, append, confirm, effects) is under way.
- Every request is answered exactly once, and at its deadline at the latest.
- No request is decided after its deadline; deadlines are checked again after every wait.
- A request is answered as carried out only after its record was stored, and as refused only if
  its events are in no record that was sent. If neither is known in time, the answer says so.
- An answer that appends nothing follows a confirmation by the stream's leader.
- A log that has lost records continues with one that says so, before anything else is stored. This
  also holds if any gateway with members, or the gateway of a request, was sent more than the log
  has (``losses``).
- After an outcome that stayed unknown, nothing is decided until the log was read again. The known
  universe is kept for that reading: if the log has lost records, it may be the only copy of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import assert_never

from harmonic_protocol.envelope import Reply
from harmonic_protocol.transient import OVERDUE
from harmonic_state.batches import Batch, Conditions, Decided, decide_batch, mending_batch, reply_to
from harmonic_state.domain.events import LogEvent, forgets_history, loses_history
from harmonic_state.domain.universe import Universe
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.losses import Finding, Losses
from harmonic_state.pending import PendingRequest
from harmonic_state.refusals import BUSY, OUTCOME_UNKNOWN
from harmonic_state.ring import RecentRecord, Ring
from harmonic_state.snapshot_plan import SnapshotPlan
from harmonic_state.steps import (
    KNOWN_AFTER,
    RECORDS_HIDDEN,
    REFUSALS,
    REQUEST_FAILED,
    AnnounceHead,
    Answer,
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
    Report,
    ResumeEffects,
    RoomMade,
    SnapshotSaved,
    StepFailure,
    Submitted,
    TimePassed,
    WakeAt,
)
from harmonic_state.waiting_line import WaitingLine

#: Requests decided together at most, so that one record stays well below its size limit.
MAX_BATCH = 128
#: Conflicts in a row with another owner until the requests are refused.
MAX_CONFLICTS = 20


class _Phase(Enum):
    IDLE = auto()
    READING = auto()
    COMMITTING = auto()
    """a record is appended, or that there is none to append is confirmed"""
    EFFECTS = auto()


class CommitCycle:
    """The requests of one universe, the universe as it is known, and the work on both."""

    def __init__(
        self,
        *,
        line: WaitingLine,
        ring: Ring,
        snapshots: SnapshotPlan,
        packs_snapshots: bool,
        has_effects: Callable[[Sequence[LogEvent]], bool],
    ) -> None:
        self._line = line
        self._has_effects = has_effects
        self._packs_snapshots = packs_snapshots
        self._phase = _Phase.IDLE
        self._batch: Batch | None = None
        self._unanswered: Sequence[Decided] = ()
        self._batch_limit = MAX_BATCH
        self._conflicts = 0
        self._unresolved = False
        self._is_certain = False
        self._losses = Losses()
        self._wake_at_s: float | None = None
        self.known: Loaded | None = None
        self.ring = ring
        self.snapshots = snapshots

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is under way, so that the cycle may be evicted."""
        return self._phase is _Phase.IDLE and not self.snapshots.saving and not self._unresolved

    def handle(  # noqa: C901, PLR0911 -- the one table of what each event leads to
        self, event: Event, now: Instant
    ) -> list[Command]:
        """The commands that follow from ``event``, in the order in which to carry them out."""
        match event:
            case Submitted(requests):
                return self._submitted(requests, now)
            case RecordStored(record, was_unknown):
                return self._stored(record, now, was_unknown=was_unknown)
            case EffectsDone(coverage):
                self._covered(coverage)
                return self._carried_out(now)
            case Read():
                return [*self._read(event, now), *self._next(now)]
            case Confirmed():
                return [*self._answers(), *self._next(now)]
            case Conflicted():
                return self._conflicted(now)
            case Failed(StepFailure.FULL) if self.known and self.snapshots.may_retry(now):
                return self._make_room(self.known, now)
            case Failed(failure):
                return [*self._failed(failure), *self._next(now)]
            case SnapshotSaved(coverage):
                self.snapshots.saved(coverage, now)
                self._covered(coverage)
                return []
            case RoomMade(coverage):
                self._covered(coverage)
                return self._next(now)
            case TimePassed():
                return self._time_passed(now)
            case _:
                assert_never(event)

    def cover(self, position: int) -> list[Command]:
        """Commands to store a snapshot of a known universe, unless one covers this position."""
        known = self.known
        if known is None or position > known.position or known.is_damaged or not self._is_certain:
            return []
        covered = max(known.coverage.marks, default=0)
        return self.snapshots.begin(known) if covered < position else []

    def _covered(self, coverage: Coverage | None) -> None:
        if coverage is not None and self.known is not None:
            self.known = replace(self.known, coverage=coverage)

    def _submitted(self, requests: Sequence[PendingRequest], now: Instant) -> list[Command]:
        commands: list[Command] = []
        for each in requests:
            if not self._line.add(each):
                commands.append(Answer.refusing(each, BUSY))
            elif self._wake_at_s is None or each.deadline_s < self._wake_at_s:
                self._wake_at_s = each.deadline_s
                commands.append(WakeAt(each.deadline_s))
        if self._phase is _Phase.IDLE:
            commands += self._next(now)
        return commands

    def _next(self, now: Instant) -> list[Command]:
        commands = Answer.overdue(self._line.take_overdue(now.s))
        self._phase = _Phase.IDLE
        if not self._line:
            return commands
        known = self.known
        if known is None or not self._is_certain:
            self._phase = _Phase.READING
            return [*commands, Load(known)]
        finding = self._losses.find(self._line.seen, known)
        if finding is Finding.BEHIND:
            self._phase = _Phase.READING
            return [*commands, ReadOn(known)]
        universe = known.universe
        if finding is Finding.LOST and universe is not None and not universe.deleted:
            return [*commands, *self._mend(known, universe, now)]
        return commands + self._decide(known, now)

    def _mend(self, known: Loaded, universe: Universe, now: Instant) -> list[Command]:
        """Append a record that says that records were lost."""
        seen = self._losses.seen(self._line.seen)
        self._batch, self._unanswered = mending_batch(universe, now, seen.seq), ()
        self._phase = _Phase.COMMITTING
        return [self._batch.append_after(known)]

    def _decide(self, known: Loaded, now: Instant) -> list[Command]:
        almost_full = self.snapshots.almost_full
        conditions = Conditions(now, almost_full, self._packs_snapshots, self.ring)
        batch = decide_batch(self._line.take(self._batch_limit), known, conditions)
        self._batch, self._unanswered = batch, batch.decided
        commands: list[Command] = [Report(REQUEST_FAILED, error) for error in batch.errors]
        if almost_full:
            commands += self.snapshots.due(known, now)
        self._phase = _Phase.COMMITTING
        commands.append(batch.append_after(known) if batch.events else Confirm(known.position))
        return commands

    def _read(self, read: Read, now: Instant) -> list[Command]:
        loaded, records = read.loaded, read.records
        if self._losses.are_hidden(loaded, now.s):
            # Another record that tells of a loss is no help.
            told = [Report(RECORDS_HIDDEN)] if self._losses.is_news() else []
            return [*told, *self._failed(StepFailure.HIDDEN)]
        begins = not self._is_certain
        if begins:
            self._losses.loaded(read.seen)
            self.ring.clear()
            already = self.snapshots.records if self.known is not None else 0
            self.snapshots.records = already + len(records)
        for record in records:
            self.ring.add(record)
            if loses_history(record.payload):
                # Another owner has mended the log: no replay may hold what is before and after.
                self.ring.clear()
                self._losses.written_down(self._line.seen)
        self.known, self._is_certain = loaded, True
        if loaded.is_damaged:
            self.ring.clear()
        if not begins:
            return []
        self._unresolved = False
        commands: list[Command] = [AnnounceHead(loaded.position, loaded.record_id, at_once=False)]
        if loaded.universe is not None:
            commands.append(ResumeEffects(loaded.universe))
            if loaded.universe.deleted:
                commands.append(Erase(loaded))
        return commands

    def _stored(self, record: RecentRecord, now: Instant, *, was_unknown: bool) -> list[Command]:
        batch, known, commands = self._batch, self.known, list[Command]()
        if batch is None or known is None:
            raise RuntimeError("stored what nobody has decided")
        mends = not batch.decided
        self.known = known.then(batch.after, record.position, record.id, ends_in_loss=mends)
        if was_unknown:
            self._unanswered = [each.unnamed() for each in self._unanswered]
        if mends:
            # It does not continue the records before it: no replay may hold both.
            self.ring.clear()
            self._losses.wrote_down(self._line.seen, now.s)
            commands.extend(self.snapshots.begin(self.known))
        else:
            self.ring.add(record)
        if forgets_history(batch.events):
            self.ring.clear()
        self.snapshots.records += 1
        # A record of unknown outcome may have been stored without being republished.
        commands.append(AnnounceHead(record.position, record.id, at_once=was_unknown))
        self._phase = _Phase.EFFECTS
        if self._has_effects(batch.events):
            return [*commands, CarryOutEffects(self.known, batch.events)]
        return commands + self._carried_out(now)

    def _make_room(self, known: Loaded, now: Instant) -> list[Command]:
        self.snapshots.wait(now)
        self._put_back()
        self._phase = _Phase.READING
        return [MakeRoom(known)]

    def _carried_out(self, now: Instant) -> list[Command]:
        """Answer the requests of a record, and go on."""
        commands = self._answers()
        if self.known is not None and self.known.universe and self.known.universe.deleted:
            self.ring.clear()
            commands.append(Erase(self.known))
        else:
            commands += self.snapshots.due(self.known, now)
        return commands + self._next(now)

    def _answers(self) -> list[Command]:
        """Answer all decided requests; their batch is the known universe from now on."""
        if self._batch is not None and self._batch.decided:
            self._losses.proven()
        decided, self._unanswered, self._batch = self._unanswered, (), None
        self._conflicts, self._batch_limit = 0, MAX_BATCH
        return [each.answered(self.known, self.ring) for each in decided]

    def _conflicted(self, now: Instant) -> list[Command]:
        self._conflicts += 1
        if self._conflicts >= MAX_CONFLICTS or self.known is None:
            return [*self._failed(StepFailure.UNAVAILABLE), *self._next(now)]
        self._put_back()
        self._phase = _Phase.READING
        return [ReadOn(self.known)]

    def _put_back(self) -> None:
        self._line.put_back(each.pending for each in self._unanswered)
        self._batch, self._unanswered = None, ()

    def _failed(self, failure: StepFailure) -> list[Command]:
        if failure is StepFailure.TOO_LARGE and len(self._unanswered) > 1:
            self._batch_limit = len(self._unanswered) // 2
            self._put_back()
            return []
        waiting = [each.pending for each in self._unanswered]
        mends = self._batch is not None and not self._batch.decided
        if self._phase is _Phase.READING or mends:
            # Without the universe, and before its loss is written down, none can be decided.
            waiting = self._line.take_all()
        self._batch, self._unanswered = None, ()
        self._conflicts, self._batch_limit = 0, MAX_BATCH
        commands: list[Command] = [Answer.refusing(each, REFUSALS[failure]) for each in waiting]
        if failure in (StepFailure.FULL, StepFailure.TOO_LARGE):
            return commands
        # The log's content is uncertain now: the next request begins by reading it.
        self._is_certain = False
        if failure not in KNOWN_AFTER:
            self.known = None
        self.ring.clear()
        self._unresolved |= failure is StepFailure.OUTCOME_UNKNOWN
        if self._unresolved:
            # There may be no next request, and a stored record may not have been republished.
            commands.append(LookAgain())
        return commands

    def _time_passed(self, now: Instant) -> list[Command]:
        commands = Answer.overdue(self._line.take_overdue(now.s))
        overdue = [each for each in self._unanswered if each.pending.deadline_s <= now.s]
        if overdue:
            self._unanswered = [each for each in self._unanswered if each not in overdue]
            commands.extend(
                Answer(each.pending, _late_reply(each, self._phase, self.known, self.ring))
                for each in overdue
            )
        waiting = [*self._line, *(each.pending for each in self._unanswered)]
        self._wake_at_s = min((pending.deadline_s for pending in waiting), default=None)
        if self._wake_at_s is not None:
            commands.append(WakeAt(self._wake_at_s))
        return commands


def _late_reply(decided: Decided, phase: _Phase, known: Loaded | None, ring: Ring) -> Reply:
    """The reply to a request whose work is under way at its deadline: what is known of it."""
    if phase is _Phase.EFFECTS:
        return reply_to(decided, known, ring)
    was_sent = phase is _Phase.COMMITTING and decided.has_events
    return Reply(error=OUTCOME_UNKNOWN if was_sent else OVERDUE)
