"""Packets that cannot be written to a client yet, in order and without superseded ones."""

from collections import deque
from collections.abc import Iterator

from harmonic_gateway.sockets.frames import Encoded


class Backlog:
    """Waiting packets. ``moved_at_s`` is when the client last took one of them.

    Packets that are ``owed`` replay missed events. None of them, nor of the packets before them,
    is removed, and none counts towards the bound.
    """

    __slots__ = ("_entries", "_owed", "_owed_bytes", "bytes", "moved_at_s", "tidied_bytes")

    def __init__(self, now_s: float) -> None:
        self._entries: deque[Encoded] = deque()
        self._owed = 0
        self._owed_bytes = 0
        self.bytes = 0
        #: Bytes that remained after the last :meth:`tidy`.
        self.tidied_bytes = 0
        self.moved_at_s = now_s

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __iter__(self) -> Iterator[Encoded]:
        return iter(self._entries)

    @property
    def is_owing(self) -> bool:
        """Whether an owed packet waits."""
        return self._owed > 0

    @property
    def counted_bytes(self) -> int:
        """The bytes that count towards the bound."""
        return self.bytes - self._owed_bytes

    def add(self, encoded: Encoded, *, owed: bool = False) -> None:
        """Add a packet at the end."""
        self._entries.append(encoded)
        self.bytes += len(encoded.raw)
        if owed:
            self._owed = len(self._entries)
            self._owed_bytes = self.bytes

    def first(self) -> Encoded | None:
        """The next packet, if there is one."""
        return self._entries[0] if self._entries else None

    def take(self) -> Encoded:
        """Remove and return the next packet."""
        encoded = self._entries.popleft()
        size = len(encoded.raw)
        self.bytes -= size
        self.tidied_bytes = min(self.tidied_bytes, self.bytes)
        if self._owed:
            self._owed -= 1
            self._owed_bytes -= size
        return encoded

    def tidy(self, now_s: float) -> tuple[int, int]:
        """Remove live signals, expired events, and superseded events.

        A later waiting event supersedes an earlier one.

        Return how many events and how many signals were removed. The later event has the later
        offset, so a client that receives it has missed nothing.
        """
        superseded = signals = 0
        newer: set[str] = set()
        kept: deque[Encoded] = deque()
        for index in range(len(self._entries) - 1, -1, -1):
            encoded = self._entries.pop()
            key = encoded.supersedes
            if index < self._owed:
                pass
            elif encoded.droppable or (encoded.over_s is not None and encoded.over_s <= now_s):
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
