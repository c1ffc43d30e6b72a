"""A follower: a reader of a universe outside its room, and what it is to be sent. Pure.

Its events come from two sources, in any order: the log that is read for it, and the room's feed.
The invariants:

- It is sent every event after its place, once, in the order of the log; or the state of the
  universe as of a position and every event after that.
- If its user may have lost the right to see the universe, it is sent nothing that was stored later,
  until the owner has confirmed the right.
- Records of the feed are held while the log is read, up to where the held records are complete.
- Waiting bytes are bounded. A follower that does not read them ends, and comes back.
- It ends if its user was removed from the room after the owner's last answer. An earlier removal
  does not end it, since the user may have come again.
- After the end, nothing is sent but the farewell.

Events are methods; :meth:`StreamFollower.next` says, one at a time, what is to be done.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum, auto
from typing import NamedTuple, Protocol, TypeAlias

from harmonic_gateway.delivery.places import Place, Position, mark_of, place
from harmonic_gateway.delivery.server_sent import server_sent
from harmonic_gateway.membership.held import HeldRecords
from harmonic_gateway.membership.seeing import may_hide, put_out_by
from harmonic_gateway.sockets import Frame
from harmonic_protocol.log import Notice
from harmonic_protocol.messages.following import MAX_MISSED_EVENTS, StateReset, UniverseState
from harmonic_protocol.reasons import RecoveryReason
from harmonic_protocol.refusals import Refused
from harmonic_protocol.value import value


class StreamEnd(StrEnum):
    """Why a stream ended, for operators."""

    CLIENT = "client"
    """its client closed it, or was lost"""
    REFUSED = "refused"
    """its token ended, or its user was put out or may not see the universe any more"""
    UNAVAILABLE = "unavailable"
    """the owner could not be asked, or the log not be read"""
    OVERFLOW = "overflow"
    """more waited for the client than may"""
    STALLED = "stalled"
    """the client read nothing of what waited for it"""
    DRAINING = "draining"
    """the gateway stops, or is drained"""


class LogRecord(NamedTuple):
    """A record that was read for a follower; ``first_seq`` numbers its first frame, if any."""

    position: Position
    frames: Sequence[Frame]
    notices: Sequence[Notice]
    first_seq: int | None = None


@value
class AskOwner:
    """Follow the log, ask its owner, and report :meth:`StreamFollower.answered` or an end."""


@value
class ReadAfter:
    """Read the log after a place; report what came of it."""

    place: Place


@value
class WriteEvents:
    """Write to the client, and continue once it has taken them."""

    data: bytes


@value
class PauseReading:
    """Wait before the log is read again: its owner knows less than the feed delivered."""


@value
class AwaitNews:
    """Wait until there is news."""


@value
class EndStream:
    """Tell the client why, if there is a ``refusal``, and close."""

    end: StreamEnd
    refusal: Refused | None = None


FollowerStep: TypeAlias = AskOwner | ReadAfter | WriteEvents | PauseReading | AwaitNews | EndStream


class _Progress(StrEnum):
    ASKING = auto()
    """the owner is to say whether the user may see the universe, and how it is"""
    READING = auto()
    """what is missing is read from the log"""
    LIVE = auto()
    """it is sent what the feed delivers"""


class FollowerDriver(Protocol):
    """Carries out a follower's steps."""

    def wake(self) -> None:
        """Wake the driver: there is something to do."""

    def interrupt(self) -> None:
        """Interrupt the driver's current step: there is something else to do."""


class StreamFollower:
    """One follower of one universe, after the place ``at``; ``None``: from the present on."""

    def __init__(
        self,
        universe_id: str,
        user_id: str,
        at: Place | None,
        *,
        max_bytes: int,
        driver: FollowerDriver,
    ) -> None:
        self.universe_id = universe_id
        self.user_id = user_id
        self.place = at
        #: Whether the room's feed delivers to it.
        self.is_attached = False
        self._max_bytes = max_bytes
        self._driver = driver
        self._progress = _Progress.ASKING
        #: How it ended, if it did.
        self.ended: EndStream | None = None
        self._pending = bytearray()
        self._held = HeldRecords(max_bytes)
        #: The position as of which the owner has said that the user may see the universe.
        self._seen_at = Position(0)
        self._state: UniverseState | None = None
        #: As of which position its user was put out of the room, and what it is told.
        self._put_out: tuple[Position, Refused] | None = None
        self._pauses = False

    @property
    def is_asking(self) -> bool:
        """Whether nothing may be sent before the owner has answered."""
        return self.ended is None and self._progress is _Progress.ASKING

    # Events.

    def attached(self, position: int | None) -> None:
        """Note that the feed delivers from now on: records after ``position``, if it has begun."""
        self.is_attached = True
        self._held.begin(position or 0)

    def begun(self, position: int) -> None:
        """Note that the feed begins after a position."""
        self._held.complete_after = max(self._held.complete_after, position)

    def deliver(self, position: int, data: bytes, notices: Iterable[Notice]) -> None:
        """Take a record of the feed: its events, and what they mean."""
        at = Position(position, mark_of(position))
        if self.ended is not None or self._ends(at, notices):
            return
        if at > self._seen_at and any(may_hide(notice, self.user_id) for notice in notices):
            self._ask_again(at)
        elif self._progress is not _Progress.LIVE or self.place is None:
            self._held.add(at, data)
        elif at <= self.place.position:
            # The log was read further than the feed had come.
            pass
        elif self._pending and len(self._pending) + len(data) > self._max_bytes:
            self.end(StreamEnd.OVERFLOW)
        else:
            self._send(at, data)
            self._driver.wake()

    def lost(self) -> None:
        """Note that the feed has ended, since records that it missed are gone."""
        self.is_attached = False
        self._put_out = None
        self._seen_at = Position(0)
        self._ask_again(self._seen_at)

    def answered(self, position: Position, state: UniverseState) -> None:
        """Take the owner's answer: the universe as of a position, which the user may see."""
        self._seen_at, self._state = position, state
        self._progress = _Progress.READING
        if self._ends(position):
            return
        self._put_out = None
        if self.place is None:
            self._show(state)
        elif not _is_reached(self.place, position):
            self._reset()
        self._settle()

    def part_read(self, records: Sequence[LogRecord]) -> None:
        """Take the next part of the log after the place; if it is empty, more comes later."""
        if self._progress is not _Progress.READING or self.place is None or self._state is None:
            return
        first = next((each.first_seq for each in records if each.first_seq is not None), None)
        if first is not None and self._state.seq - first >= MAX_MISSED_EVENTS:
            self._reset()
            self._settle()
            return
        self._pauses = not records
        for record in records:
            if self._ends(record.position, record.notices):
                return
            if record.position > self._seen_at and any(
                may_hide(notice, self.user_id) for notice in record.notices
            ):
                self._ask_again(record.position)
                return
            if record.position >= self.place.position:
                self._send(record.position, server_sent(_due(record, self.place)))
        self._settle()

    def trimmed(self) -> None:
        """Note that the log does not continue after the place, or no longer does."""
        if self._progress is _Progress.READING:
            self._reset()
            self._settle()

    def paused(self) -> None:
        """The pause is over."""
        self._pauses = False

    def end(self, end: StreamEnd, refusal: Refused | None = None) -> None:
        """Send nothing more. The first end counts."""
        if self.ended is None:
            self.ended = EndStream(end, refusal)
            self._held.begin(0)
            self._pending.clear()
            self._driver.interrupt()

    # What is to be done.

    def next(self) -> FollowerStep:
        """The next thing to do."""
        if self.ended is not None:
            return self.ended
        if self._progress is _Progress.ASKING:
            return AskOwner()
        if self._pending:
            data = bytes(self._pending)
            self._pending.clear()
            return WriteEvents(data)
        if self._progress is _Progress.READING and self.place is not None:
            return PauseReading() if self._pauses else ReadAfter(self.place)
        return AwaitNews()

    def _ends(self, at: Position, notices: Iterable[Notice] = ()) -> bool:
        """Whether the stream ends here: its user was removed, and nothing newer is known.

        While the owner is asked, it may be that the user has come again since: its answer tells.
        """
        refusal = put_out_by(notices, self.user_id)
        if refusal is not None:
            self._put_out = (at, refusal)
        if self._put_out is None or self.is_asking or self._put_out[0] <= self._seen_at:
            return False
        self.end(StreamEnd.REFUSED, self._put_out[1])
        return True

    def _ask_again(self, position: Position) -> None:
        """Hold back what is stored from a position on, until the owner has answered."""
        self._progress = _Progress.ASKING
        self._held.begin(position)
        self._driver.interrupt()

    def _settle(self) -> None:
        """Continue with the held records of the feed, once the log was read up to them."""
        until = max(self._seen_at, self._held.complete_after)
        at = self.place
        if self._progress is not _Progress.READING or at is None:
            return
        if at.frames is not None or at.position < until:
            return
        self._progress = _Progress.LIVE
        for position, data in self._held.after(at.position):
            self._send(position, data)
        self._held.begin(0)

    def _send(self, at: Position, data: bytes) -> None:
        self._pending += data
        self.place = Place(at, mark=at.mark)

    def _reset(self) -> None:
        """Start again with the current state of the universe."""
        if self._state is not None:
            now = self._state.model_dump()
            self._show(StateReset(**now, reason=RecoveryReason.TRIMMED))

    def _show(self, state: UniverseState) -> None:
        at = self._seen_at
        offset = place(self.universe_id, at)
        frame = Frame.event(state.spec.name, state.to_json(), offset)
        self._send(at, server_sent([frame]))


def _due(record: LogRecord, at: Place) -> Sequence[Frame]:
    """The events of a read record; of the record at the place, those that the client lacks."""
    if record.position != at.position:
        return record.frames
    return record.frames[len(record.frames) if at.frames is None else at.frames :]


def _is_reached(at: Place, position: Position) -> bool:
    """Whether a log that ends at a position may hold a place, as far as that tells."""
    if at.position != position:
        return at.position < position
    return None in {at.mark, position.mark} or at.mark == position.mark
