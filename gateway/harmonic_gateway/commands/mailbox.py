"""Commands that wait for their connection's earlier ones."""

from collections import deque
from dataclasses import dataclass

from harmonic_protocol.catalogue import StateCommand
from harmonic_protocol.messages.connection import RefreshToken
from harmonic_protocol.messages.declaration import LiveSignal
from harmonic_protocol.refusals import Refused

#: What may wait, or why there is no command.
QueuedCommand = StateCommand | LiveSignal | RefreshToken | Refused


@dataclass(frozen=True, slots=True)
class Queued:
    """A command, or why there is none, in the order of its coming.

    ``arrived_at_s`` is when it was read (Unix time). ``ack_id`` is there if the client wants an
    ack; ``universe_id`` and ``op_id`` are as it said.
    """

    name: str
    command: QueuedCommand
    arrived_at_s: float
    ack_id: int | None
    size_bytes: int
    universe_id: str | None
    op_id: str | None


class Mailbox:
    """A connection's commands that wait, in order, bounded in number and bytes."""

    __slots__ = ("_bytes", "_queue")

    def __init__(self) -> None:
        self._queue: deque[Queued] = deque()
        self._bytes = 0

    def put(self, queued: Queued, *, max_commands: int, max_bytes: int) -> bool:
        """Add a command; ``False`` if too many, or too large ones, wait already."""
        if len(self._queue) >= max_commands or self._bytes + queued.size_bytes > max_bytes:
            return False
        self._queue.append(queued)
        self._bytes += queued.size_bytes
        return True

    def take(self) -> Queued | None:
        """The next command, if there is one."""
        if not self._queue:
            return None
        queued = self._queue.popleft()
        self._bytes -= queued.size_bytes
        return queued

    def clear(self) -> None:
        """Forget what waits: its connection is gone."""
        self._queue.clear()
        self._bytes = 0
