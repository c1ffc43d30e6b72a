"""One client on one namespace: who it is, and what it asked for."""

from collections import deque
from dataclasses import dataclass, field

from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.limits.allowances import FloodGuard, limited
from harmonic_gateway.sockets import Connection
from harmonic_protocol.envelope import Caller
from harmonic_protocol.messages.declaration import ALLOWANCES_PER_MINUTE, Command, RateClass
from harmonic_protocol.refusals import Refused

#: Live signals are counted on each connection alone: they are stored nowhere.
AUDIO_PER_S = ALLOWANCES_PER_MINUTE[RateClass.AUDIO] / 60
AUDIO_BURST = 50


@dataclass(frozen=True, slots=True)
class Queued:
    """A command, or why there is none, in the order of its coming.

    ``ack_id`` is there if the client wants an ack; ``universe_id`` and ``op_id`` are as it said.
    """

    name: str
    command: Command | Refused
    ack_id: int | None
    size_bytes: int
    universe_id: str | None
    op_id: str | None


class Mailbox:
    """Commands that wait, in order, bounded in number and bytes."""

    __slots__ = ("_bytes", "_queue", "working")

    def __init__(self) -> None:
        # Most connections are silent most of the time: the queue is made when it is needed.
        self._queue: deque[Queued] | None = None
        self._bytes = 0
        self.working = False

    def put(self, queued: Queued, *, max_commands: int, max_bytes: int) -> bool:
        """Add a command; ``False`` if too many, or too large ones, wait already."""
        waiting = len(self._queue) if self._queue else 0
        if waiting >= max_commands or self._bytes + queued.size_bytes > max_bytes:
            return False
        if self._queue is None:
            self._queue = deque()
        self._queue.append(queued)
        self._bytes += queued.size_bytes
        return True

    def take(self) -> Queued | None:
        """The next command, if there is one."""
        if not self._queue:
            self._queue = None
            return None
        queued = self._queue.popleft()
        self._bytes -= queued.size_bytes
        return queued

    def clear(self) -> None:
        """Forget what waits: its connection is gone."""
        self._queue = None
        self._bytes = 0


@dataclass(slots=True)
class Session:
    """A client with a verified identity.

    With a ``pid`` it can be resumed on another connection: ``saved_at`` is where it was saved
    last, and ``replaced`` says that another connection has saved it since.
    """

    connection: Connection
    identity: Identity
    gateway_id: str
    flood: FloodGuard
    mailbox: Mailbox = field(default_factory=Mailbox)
    audio: FloodGuard | None = None
    pid: str | None = None
    warned: bool = False
    saved_at: int | None = None
    replaced: bool = False

    def take_audio(self, now_s: float) -> Refused | None:
        """Grant one audio analysis, or say when to ask again."""
        if self.audio is None:
            self.audio = FloodGuard(AUDIO_PER_S, AUDIO_BURST)
        wait_s = self.audio.take(now_s)
        return limited(self.audio.allowance, int(wait_s * 1000) + 1) if wait_s else None

    @property
    def caller(self) -> Caller:
        """Whom the owners are told that they hear."""
        return Caller(
            self.identity.user_id, self.identity.username, self.connection.id, self.gateway_id
        )
