"""What an owner of a universe is told, and what it is told to do: the words of the commit cycle."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Self, TypeAlias

from harmonic_protocol.envelope import NO_TRACE, Reply, RequestTrace
from harmonic_protocol.refusals import Refused
from harmonic_protocol.value import value
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.universe import Universe
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.pending import PendingRequest
from harmonic_state.refusals import BROKEN, DAMAGED, FULL, OUTCOME_UNKNOWN, UNAVAILABLE
from harmonic_state.ring import RecentRecord


@value
class Instant:
    """Now: the time of day, and seconds of the process's monotonic clock."""

    at: datetime
    s: float


class StepFailure(Enum):
    """Why work on a universe did not succeed."""

    UNAVAILABLE = auto()
    """nothing was stored or read: the broker cannot be reached"""
    OUTCOME_UNKNOWN = auto()
    """an append may have been stored, or may still be"""
    FULL = auto()
    """nothing was stored: there is no room"""
    TOO_LARGE = auto()
    """nothing was stored: the events do not fit into one record"""
    LOST = auto()
    """what is left of the universe in the stores cannot be used alone"""
    BROKEN = auto()
    """a fault of this program"""


#: What a request is told that the failure meets.
REFUSALS = {
    StepFailure.UNAVAILABLE: UNAVAILABLE,
    StepFailure.OUTCOME_UNKNOWN: OUTCOME_UNKNOWN,
    StepFailure.FULL: FULL,
    StepFailure.TOO_LARGE: BROKEN,
    StepFailure.LOST: DAMAGED,
    StepFailure.BROKEN: BROKEN,
}


# What is told.


@value
class Submitted:
    """Requests have come, in this order, at the same time."""

    requests: Sequence[PendingRequest]


@value
class Read:
    """The universe was loaded, or brought up to the log's end, by these records.

    Of one that was loaded, gateways with members were sent records up to ``seen_position``.
    """

    loaded: Loaded
    records: Sequence[RecentRecord]
    seen_position: int = 0


@value
class RecordStored:
    """The append succeeded; ``was_unknown`` if its outcome was not known for a time."""

    record: RecentRecord
    was_unknown: bool


@value
class Confirmed:
    """The log ends where it was taken to end."""


@value
class Conflicted:
    """The log goes on after the position where it was taken to end."""


@value
class RoomMade:
    """What the log held of covered history was discarded: ``None`` if that failed."""

    coverage: Coverage | None


@value
class EffectsDone:
    """What the stored events ask for was done, or given up.

    ``coverage`` is what is stored besides the log since, where they asked for that.
    """

    coverage: Coverage | None = None


@value
class Failed:
    """The work could not be done."""

    failure: StepFailure


@value
class SnapshotSaved:
    """Saving a snapshot has ended: ``None`` if it failed."""

    coverage: Coverage | None


@value
class Witnessed:
    """A gateway was sent records that the log does not hold any more."""


@value
class TimePassed:
    """A deadline is over."""


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
    | Witnessed
    | TimePassed
)


# What is to be done. Of the first six, one is under way at a time, and its end is told.


@value
class Load:
    """Read the universe from what is ``known``, or its snapshot, and its log: ``Read``.

    Of one whose loss is witnessed already, nobody is asked.
    """

    known: Loaded | None
    is_witnessed: bool = False


@value
class ReadOn:
    """Read what another owner has stored: ``Read``."""

    known: Loaded


@value
class Append:
    """Store a record right after a position and its record: ``RecordStored`` or ``Conflicted``.

    ``trace`` is of the request that has waited longest, with a trace that is recorded.
    """

    at: str
    events: Sequence[LogEvent]
    position: int
    after: str
    trace: RequestTrace = NO_TRACE


@value
class Confirm:
    """Ask the stream's leader whether the log ends there: ``Confirmed`` or ``Conflicted``."""

    position: int


@value
class MakeRoom:
    """Discard what a snapshot covers, since the log is full: ``RoomMade``."""

    loaded: Loaded


@value
class CarryOutEffects:
    """Do what stored events ask for outside the log: ``EffectsDone``. ``known`` is after them."""

    known: Loaded
    events: Sequence[LogEvent]


Work: TypeAlias = Load | ReadOn | Append | Confirm | MakeRoom | CarryOutEffects


@value
class Answer:
    """Reply to a request; no other reply to it follows."""

    pending: PendingRequest
    reply: Reply

    @classmethod
    def refusing(cls, pending: PendingRequest, refusal: Refused) -> Self:
        """The answer that refuses a request."""
        return cls(pending, Reply(error=refusal))


@value
class WakeAt:
    """Tell when the time has passed; in place of an earlier wish."""

    s: float


@value
class AnnounceHead:
    """Tell gateways where the log ends: ``at_once`` if they may have missed it."""

    position: int
    record_id: str
    at_once: bool


@value
class ResumeEffects:
    """Take up what a universe that was just loaded still waits for."""

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
    """Submit a request of the owner's own soon: an append may have been stored unseen."""


@value
class ReportFailure:
    """A request could not be decided, by a fault of this program."""

    error: Exception


Command: TypeAlias = (
    Work
    | Answer
    | WakeAt
    | AnnounceHead
    | ResumeEffects
    | SaveSnapshot
    | Erase
    | LookAgain
    | ReportFailure
)
