"""The chain of one universe's records: which is due next, and what is missing before it. Pure.

The broker republishes what is stored, at most once. Each record names the position of the one
before it, so a missing one shows when the next arrives, or when an owner names a position that
was not heard of. The invariants:

- Records are delivered in the order of their positions, each once, and none before all that the
  log holds before it, back to where the chain began.
- A record that does not follow the chain's last one shows that the log was turned back: it has lost
  delivered records, and the chain is lost.
- A record waits until the notes that it refers to are fetched, and all after it wait with it.
- One thing is waited for at a time: notes, a part of the log, or a pause before the next attempt.
  The timer for an overdue record runs beside that.
- After :meth:`Chain.close`, and once the log turned out to be trimmed, there is nothing to do.

Events are methods; :meth:`Chain.next` says, one at a time, what is to be done.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple, TypeAlias

from harmonic_gateway.delivery.arrival import RecordArrival
from harmonic_gateway.delivery.frames import RecordDelivery
from harmonic_protocol.value import value

#: Records that may wait for one that is missing; beyond it they are fetched again later.
MAX_WAITING_RECORDS = 4096
#: What these may take, as they are stored; the first one may be larger.
MAX_WAITING_BYTES = 4 * 1024 * 1024


class Heard(NamedTuple):
    """A record at its position; ``previous`` is the position of the one before it.

    ``arrival`` is there if it was republished, and not fetched; ``size_bytes`` is told then, too.
    """

    position: int
    previous: int
    delivery: RecordDelivery
    arrival: RecordArrival | None = None
    size_bytes: int = 0


@value
class Deliver:
    """Send a record's frames, with the notes that they refer to, by request."""

    heard: Heard
    notes: Mapping[str, bytes] = field(default_factory=dict)


@value
class FetchNotes:
    """Fetch a record's notes, and report :meth:`Chain.notes_fetched`."""

    heard: Heard


@value
class FetchRecords:
    """Ask the owner for the records after a position; report what came of it."""

    after_position: int


@value
class Pause:
    """Wait before the next attempt, and report :meth:`Chain.paused`."""


@value
class StartTimer:
    """Report :meth:`Chain.timed_out` once an announced record is overdue."""


@value
class Lose:
    """Report that missing records are gone: members that need them must start again."""


Step: TypeAlias = Deliver | FetchNotes | FetchRecords | Pause | StartTimer | Lose


class Chain:
    """The records of one universe, from some position on."""

    def __init__(self) -> None:
        self.position: int | None = None
        self._heard: deque[Heard] = deque()
        self._heard_bytes = 0
        self._read: deque[Heard] = deque()
        self._notes: Mapping[str, bytes] | None = None
        self._expected = 0
        self._is_behind = False
        self._catches_up = False
        self._waits = False
        self._pauses = False
        self._is_timed = False
        self._is_lost = False
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing is delivered any more."""
        return self._is_closed

    # Events.

    def begin(self, position: int) -> int:
        """Begin right after ``position``, or before it with all that was heard since; where.

        Somebody else's snapshot may be older than the one that ``position`` is of.
        """
        first = self._heard[0].previous if self._heard else position
        self.position = min(position, first)
        return self.position

    def hear(self, heard: Heard) -> None:
        """Take a republished record."""
        if (
            not self._is_closed
            and len(self._heard) < MAX_WAITING_RECORDS
            and self._heard_bytes < MAX_WAITING_BYTES
        ):
            # Beyond that, the next one will show that it is missing.
            self._heard.append(heard)
            self._heard_bytes += heard.size_bytes

    def pass_on(self, heard: Heard) -> bool:
        """Take a republished record that is due while nothing waits; it is to be delivered at once.

        This saves :meth:`hear` and :meth:`next` for nearly all records; ``False`` takes nothing.
        """
        if (
            heard.previous != self.position
            # While it reads, pauses or waits for notes, one of these is set, too.
            or self._heard
            or self._is_behind
            or self._catches_up
            or self._is_lost
            or self._is_closed
            or heard.delivery.pieces()
        ):
            return False
        self.position = heard.position
        return True

    def expect(self, position: int) -> bool:
        """Note a position that an owner named; return whether it was not delivered yet."""
        self._expected = max(self._expected, position)
        return self.position is not None and position > self.position

    @property
    def awaits_record(self) -> bool:
        """Whether an announced record has not arrived."""
        return self.position is not None and self._expected > self.position

    def timed_out(self) -> bool:
        """The timer has run out, and all that had come by then was heard; what is now is overdue.

        Whether a record is.
        """
        self._is_timed = False
        is_overdue = self.awaits_record
        self._is_behind = self._is_behind or is_overdue
        return is_overdue

    def notes_fetched(self, notes: Mapping[str, bytes]) -> None:
        """Take the notes; those that are no longer kept are missing."""
        self._waits = False
        self._notes = notes

    def part_read(self, records: Sequence[Heard], *, complete: bool) -> None:
        """Take a part of the log: its next ``records``, and its end if they are ``complete``."""
        self._waits = False
        self._read.extend(records)
        self._is_behind = not complete
        self._pauses = not complete and not records

    def read_failed(self) -> None:
        """Note that the owner could not be asked."""
        self._waits = False
        self._pauses = True

    def trimmed(self) -> None:
        """Note that the log does not reach back to the end of the chain."""
        self._is_lost = True

    def paused(self) -> None:
        """Note that the pause is over."""
        self._waits = False

    def close(self) -> None:
        """Deliver nothing more."""
        self._is_closed = True
        self._heard.clear()
        self._read.clear()

    # What is to be done.

    def next(self) -> Step | None:
        """The next thing to do, if there is one now."""
        if self._is_closed or self.position is None:
            return None
        if self._is_lost:
            self.close()
            return Lose()
        step = None if self._waits else self._advance(self.position)
        if step is None and self._expected > self.position and not self._is_timed:
            self._is_timed = True
            return StartTimer()
        return step

    def _advance(self, position: int) -> Step | None:
        if self._pauses:
            self._pauses, self._waits = False, True
            return Pause()
        while True:
            if self._read:
                queue = self._read
            elif self._is_behind:
                self._catches_up, self._waits = True, True
                return FetchRecords(position)
            elif self._catches_up and not _joins_up(self._heard, position):
                # The owner's replica of the log lags behind what was republished.
                self._is_behind, self._waits = True, True
                return Pause()
            elif not self._heard:
                return None
            else:
                self._catches_up = False
                queue = self._heard
            head = queue[0]
            if head.position <= position:
                self._drop_first(queue)
            elif queue is self._heard and head.previous > position:
                self._is_behind = True
            elif queue is self._heard and head.previous < position:
                self.close()
                return Lose()
            else:
                return self._take(queue)

    def _take(self, queue: deque[Heard]) -> Step:
        head = queue[0]
        if self._notes is None and head.delivery.pieces():
            self._waits = True
            return FetchNotes(head)
        notes, self._notes = self._notes or {}, None
        self._drop_first(queue)
        self.position = head.position
        return Deliver(head, notes)

    def _drop_first(self, queue: deque[Heard]) -> None:
        dropped = queue.popleft()
        if queue is self._heard:
            self._heard_bytes -= dropped.size_bytes


def _joins_up(heard: Iterable[Heard], position: int) -> bool:
    """Whether the records that were heard go on right after a position."""
    ahead = next((one for one in heard if one.position > position), None)
    return ahead is None or ahead.previous <= position
