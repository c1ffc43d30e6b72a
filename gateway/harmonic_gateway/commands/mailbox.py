"""Commands that wait for earlier ones of their connection."""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, Self

from harmonic_gateway.limits.allowances import Allowance
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol.catalogue import StateCommand
from harmonic_protocol.envelope import RequestTrace
from harmonic_protocol.messages.connection import RefreshToken
from harmonic_protocol.messages.declaration import LiveSignal
from harmonic_protocol.refusals import Refused
from harmonic_runtime.observability.tracing import RequestSpan

#: A command that may wait, or the refusal of an event that is not a valid command.
QueuedCommand = StateCommand | LiveSignal | RefreshToken | Refused


class Queued(NamedTuple):
    """A waiting command, or the refusal of an event that is not a valid command.

    It arrived at ``received_s``, and is carried out or refused by ``deadline_s``, both by the
    monotonic clock. ``span`` is this gateway's part of its ``trace``. ``ack_id`` is set if the
    client wants an ack. ``universe_id`` and ``op_id`` are the client's own, not validated.
    """

    name: str
    command: QueuedCommand
    deadline_s: float
    ack_id: int | None
    size_bytes: int
    universe_id: str | None
    op_id: str | None
    received_s: float
    trace: RequestTrace
    span: RequestSpan


@dataclass(frozen=True, slots=True)
class MailboxLimits:
    """How many commands may wait on one connection, their total bytes, and how long each may wait.

    ``flood`` is the rate of all events of a connection.
    """

    commands: int
    bytes: int
    time_s: float
    flood: Allowance

    @classmethod
    def configured(cls, settings: GatewaySettings, flood: Allowance) -> Self:
        """The limits of the settings."""
        waiting, waiting_bytes = settings.queued_commands, settings.queued_bytes
        return cls(waiting, waiting_bytes, settings.request_timeout_s, flood)


class Mailbox:
    """The waiting commands of a connection, in order of arrival, bounded in number and bytes."""

    __slots__ = ("_bytes", "_queue")

    def __init__(self) -> None:
        self._queue: deque[Queued] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        """Whether a command waits."""
        return bool(self._queue)

    def put(self, queued: Queued, limits: MailboxLimits) -> bool:
        """Add a command; ``False`` if it would exceed the bound in number or bytes."""
        size_bytes = self._bytes + queued.size_bytes
        if len(self._queue) >= limits.commands or size_bytes > limits.bytes:
            return False
        self._queue.append(queued)
        self._bytes += queued.size_bytes
        return True

    def take(self) -> Queued | None:
        """Remove and return the next command, if there is one."""
        if not self._queue:
            return None
        queued = self._queue.popleft()
        self._bytes -= queued.size_bytes
        return queued

    def clear(self) -> None:
        """Drop the waiting commands: the connection has ended."""
        self._queue.clear()
        self._bytes = 0
