"""What waits for a client until it can be written: in order, and without what was superseded."""

from collections import deque
from collections.abc import Iterator

from harmonic_gateway.sockets.frames import Encoded


class Backlog:
    """Packets that wait. ``moved_at_s`` is when the client last took any of them.

    What is ``owed`` brings a client up to date: it stays whole, with all that waits before it,
    and does not count towards the bound.
    """

    __slots__ = ("_entries", "_owed", "_owed_bytes", "bytes", "moved_at_s", "tidied_bytes")

    def __init__(self, now_s: float) -> None:
        self._entries: deque[Encoded] = deque()
        self._owed = 0
        self._owed_bytes = 0
        self.bytes = 0
        #: How much of it was found to be superseded by nothing.
        self.tidied_bytes = 0
        self.moved_at_s = now_s

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __iter__(self) -> Iterator[Encoded]:
        return iter(self._entries)

    @property
    def counted_bytes(self) -> int:
        """What counts towards the bound."""
        return self.bytes - self._owed_bytes

    def add(self, encoded: Encoded, *, owed: bool = False) -> None:
        """Let something wait after all else."""
        self._entries.append(encoded)
        self.bytes += len(encoded.raw)
        if owed:
            self._owed = len(self._entries)
            self._owed_bytes = self.bytes

    def first(self) -> Encoded | None:
        """What is to go next."""
        return self._entries[0] if self._entries else None

    def take(self) -> Encoded:
        """Take out what is to go next."""
        encoded = self._entries.popleft()
        size = len(encoded.raw)
        self.bytes -= size
        self.tidied_bytes = min(self.tidied_bytes, self.bytes)
        if self._owed:
            self._owed -= 1
            self._owed_bytes -= size
        return encoded

    def tidy(self) -> tuple[int, int]:
        """Leave out live signals, and what is superseded by something that waits behind it.

        How many events were superseded, and how many signals there were. The later event has
        the later offset: a client that has come so far lacks nothing.
        """
        superseded = signals = 0
        newer: set[str] = set()
        kept: deque[Encoded] = deque()
        for index in range(len(self._entries) - 1, -1, -1):
            encoded = self._entries.pop()
            key = encoded.supersedes
            if index < self._owed:
                pass
            elif encoded.droppable:
                signals += 1
                self.bytes -= len(encoded.raw)
                continue
            elif key in newer:
                superseded += 1
                self.bytes -= len(encoded.raw)
                continue
            elif key is not None:
                newer.add(key)
            kept.appendleft(encoded)
        self._entries = kept
        self.tidied_bytes = self.bytes
        return superseded, signals
