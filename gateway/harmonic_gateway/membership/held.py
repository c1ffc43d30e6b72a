"""Records that are held for a reader that is not sent them yet. Pure."""

from collections import deque

from harmonic_gateway.delivery.places import Position


class HeldRecords:
    """The records of a feed after a position, within a bound in bytes.

    All records after ``complete_after`` are here.
    """

    def __init__(self, max_bytes: int) -> None:
        self.complete_after = 0
        self._max_bytes = max_bytes
        self._records: deque[tuple[Position, bytes]] = deque()
        self._bytes = 0

    def begin(self, position: int) -> None:
        """Hold records from now on: all after a position."""
        self._records.clear()
        self._bytes = 0
        self.complete_after = position

    def add(self, at: Position, data: bytes) -> None:
        """Hold a record; beyond the bound, the oldest are dropped."""
        self._records.append((at, data))
        self._bytes += len(data)
        while self._bytes > self._max_bytes:
            self.complete_after, dropped = self._records.popleft()
            self._bytes -= len(dropped)

    def after(self, position: int) -> list[tuple[Position, bytes]]:
        """Those after a position."""
        return [held for held in self._records if held[0] > position]
