"""Events and commands of the commit cycle: what an owner is told, and what it is to do."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Self, TypeAlias

from harmonic_protocol.envelope import NO_TRACE, Reply, RequestTrace
from harmonic_protocol.refusals import Refused
from harmonic_protocol.transient import OVERDUE
from harmonic_protocol.value import value
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.universe import Universe
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.losses import NOTHING_SEEN, Seen
from harmonic_state.pending import PendingRequest
from harmonic_state.refusals import BROKEN, DAMAGED, FULL, HIDDEN, OUTCOME_UNKNOWN, UNAVAILABLE
from harmonic_state.ring import RecentRecord


@value
class Instant:
    """Now: Unix time in milliseconds, and seconds of the process's monotonic clock."""

    unix_ms: int
    s: float


class StepFailure(Enum):
    """Why work on a universe did not succeed."""

    UNAVAILABLE = auto()
    """nothing was stored or read: the broker cannot be reached"""
    OUTCOME_UNKNOWN = auto()
    """an append may have been stored, or may still be"""
    HIDDEN = auto()
    """the broker does not show what it has just stored"""
    FULL = auto()
    """nothing was stored: there is no room"""
    TOO_LARGE = auto()
    """nothing was stored: the events do not fit into one record"""
    LOST = auto()
    """what is left of the universe in the stores cannot be used alone"""
    BROKEN = auto()
    """a fault of this program"""


#: Failures after which an owner still knows the universe as it was.
KNOWN_AFTER = {StepFailure.UNAVAILABLE, StepFailure.HIDDEN, StepFailure.OUTCOME_UNKNOWN}
#: The refusal that a request gets for each failure.
REFUSALS = {
    StepFailure.UNAVAILABLE: UNAVAILABLE,
    StepFailure.OUTCOME_UNKNOWN: OUTCOME_UNKNOWN,
    StepFailure.HIDDEN: HIDDEN,
    StepFailure.FULL: FULL,
    StepFailure.TOO_LARGE: BROKEN,
    StepFailure.LOST: DAMAGED,
    StepFailure.BROKEN: BROKEN,
}


# Events.


@value
class Submitted:
    """Requests arrived, in this order, at the same time."""

    requests: Sequence[PendingRequest]


@value
class Read:
    """The universe was loaded, or brought up to the log's end, by these records.

    After a load, ``seen`` is how far the gateways with members were sent the log.
    """

    loaded: Loaded
    records: Sequence[RecentRecord]
    seen: Seen = NOTHING_SEEN


@value
class RecordStored:
    """The append succeeded; ``was_unknown`` if its outcome was unknown for a time."""

    record: RecentRecord
    was_unknown: bool


@value
class Confirmed:
    """The log ends where it was assumed to end."""


@value
class Conflicted:
    """The log goes on after the position where it was assumed to end."""


@value
class RoomMade:
    """The log's covered history was discarded; ``None`` if that failed."""

    coverage: Coverage | None


@value
class EffectsDone:
    """The effects of the stored events were carried out, or given up.

    ``coverage`` is what is stored besides the log now, if an effect changed that.
    """

    coverage: Coverage | None = None


@value
class Failed:
    """The work could not be done."""

    failure: StepFailure


@value
class SnapshotSaved:
    """Saving a snapshot has ended; ``None`` if it failed."""

    coverage: Coverage | None


@value
class TimePassed:
    """A deadline has passed."""


Event: TypeAlias = (
    Submitted
    | Read
    | RecordStored
    | Confirmed
    | Conflicted
    | RoomMade
    | EffectsDone
    | Failed
    | SnapshotSaved
    | TimePassed
)


# Commands. One of the first six is under way at a time, and its end is reported as an event.


@value
class Load:
    """Read the universe from ``known`` or its snapshot, and from its log: ``Read``."""

    known: Loaded | None


@value
class ReadOn:
    """Read the records that another owner has stored: ``Read``."""

    known: Loaded


@value
class Append:
    """Store a record right after a position and its record: ``RecordStored`` or ``Conflicted``.

    ``trace`` belongs to the request that waited longest among those with a recorded trace.
    ``carried_out`` is the record's header of that name.
    """

    at: str
    events: Sequence[LogEvent]
    position: int
    after: str
    trace: RequestTrace = NO_TRACE
    carried_out: str = ""


@value
class Confirm:
    """Ask the stream's leader whether the log ends there: ``Confirmed`` or ``Conflicted``."""

    position: int


@value
class MakeRoom:
    """Discard the history that a snapshot covers, since the log is full: ``RoomMade``."""

    loaded: Loaded


@value
class CarryOutEffects:
    """Carry out the effects of stored events outside the log: ``EffectsDone``.

    ``known`` is the universe after the events.
    """

    known: Loaded
    events: Sequence[LogEvent]


Work: TypeAlias = Load | ReadOn | Append | Confirm | MakeRoom | CarryOutEffects


@value
class Answer:
    """Reply to a request; it gets no other reply. With ``by_record``, the record has replied."""

    pending: PendingRequest
    reply: Reply
    by_record: bool = False

    @classmethod
    def refusing(cls, pending: PendingRequest, refusal: Refused) -> Self:
        """The answer that refuses a request."""
        return cls(pending, Reply(error=refusal))

    @classmethod
    def overdue(cls, late: Sequence[PendingRequest]) -> "list[Command]":
        """The answers to requests whose deadline has passed."""
        return [cls.refusing(pending, OVERDUE) for pending in late]


@value
class WakeAt:
    """Report when this time has passed; it replaces an earlier such command."""

    s: float


@value
class AnnounceHead:
    """Announce the log's end to gateways: ``at_once`` if they may have missed it."""

    position: int
    record_id: str
    at_once: bool


@value
class ResumeEffects:
    """Resume the effects that a universe that was just loaded still waits for."""

    universe: Universe


@value
class SaveSnapshot:
    """Save a snapshot in the background: ``SnapshotSaved``."""

    loaded: Loaded


@value
class Erase:
    """Remove what is left of a deleted universe, in the background."""

    loaded: Loaded


@value
class LookAgain:
    """Submit a request of the owner's own soon: an append may have been stored unnoticed."""


#: The broker does not show what it has stored: only its restart helps.
RECORDS_HIDDEN = "records_hidden"
#: A request could not be decided, by a fault of this program.
REQUEST_FAILED = "request_failed"


@value
class Report:
    """Log an error."""

    event: str
    error: Exception | None = None


Command: TypeAlias = (
    Work
    | Answer
    | WakeAt
    | AnnounceHead
    | ResumeEffects
    | SaveSnapshot
    | Erase
    | LookAgain
    | Report
)
