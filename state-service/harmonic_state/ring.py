"""The latest records of a log in memory, for clients and gateways that missed some of them."""

from collections import deque
from dataclasses import field

from harmonic_protocol.value import value


@value
class RecentRecord:
    """A record at its position, and the position that it follows.

    ``id`` is set for records that were stored here; otherwise the payload contains it.
    """

    position: int
    previous: int
    payload: bytes
    id: str = field(default="", compare=False)


class Ring:
    """Consecutive records, of at most ``bound_bytes`` in sum."""

    __slots__ = ("_bound_bytes", "_records", "bytes")

    def __init__(self, bound_bytes: int) -> None:
        self._bound_bytes = bound_bytes
        self._records: deque[RecentRecord] = deque()
        self.bytes = 0

    def add(self, record: RecentRecord) -> None:
        """Add the next record; one that does not follow the last empties the ring first."""
        if self._records and self._records[-1].position != record.previous:
            self.clear()
        self._records.append(record)
        self.bytes += len(record.payload)
        while self.bytes > self._bound_bytes:
            self.bytes -= len(self._records.popleft().payload)

    def clear(self) -> None:
        """Drop all records."""
        self._records.clear()
        self.bytes = 0

    def at(self, position: int) -> RecentRecord | None:
        """The record at a position, if it is in memory."""
        for record in reversed(self._records):
            if record.position <= position:
                return record if record.position == position else None
        return None

    def after(self, position: int) -> list[RecentRecord] | None:
        """All records above a position; ``None`` if the ring does not reach back to it."""
        if not self._records or self._records[0].previous > position:
            return None
        found: list[RecentRecord] = []
        for record in reversed(self._records):
            if record.position <= position:
                break
            found.append(record)
        found.reverse()
        return found
