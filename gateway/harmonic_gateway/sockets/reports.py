"""The reports of a session's parts: to the counters, and to the session if they end it."""

from typing import Any, Protocol

from harmonic_gateway.sockets.ended import EndReason
from harmonic_gateway.sockets.outbox import PING_FRAME, Outbox


class Tally(Protocol):
    """Counts clients that are behind or do not answer."""

    def spared(self, events: int, signals: int) -> None:
        """Count superseded events and live signals that a client that is behind is not sent."""

    def overflowed(self) -> None:
        """Count a client that is closed since too many bytes wait for it."""

    def stalled(self) -> None:
        """Count a client that is closed since it does not read."""

    def slowed(self, seconds: float) -> None:
        """Count a delay before a client's next message is read."""

    def heartbeat_missed(self) -> None:
        """Count a ping that was not answered in time."""


class Reporting(Protocol):
    """The session whose parts report."""

    outbox: Outbox
    slow_until_s: float
    why: EndReason | None

    def give_up(self) -> None:
        """Give up a client that does not answer or does not read."""


class ReportsHost(Protocol):
    """Is told of a session's heartbeats."""

    @property
    def tally(self) -> Tally:
        """Counts what is reported."""

    def pinged(self, socket: Any) -> None:
        """A ping was sent, after all that was sent before."""

    def ponged(self, socket: Any) -> None:
        """The ping was answered."""


class Reports:
    """The reports of one session's heartbeat and outbox."""

    __slots__ = ("_host", "_socket")

    def __init__(self, socket: Reporting, host: ReportsHost) -> None:
        self._socket = socket
        self._host = host

    def ping(self) -> None:
        """Send a ping, after all that was sent before."""
        self._socket.outbox.send(PING_FRAME)
        self._host.pinged(self._socket)

    def ping_pending_until_s(self, timeout_s: float) -> float | None:
        """Until when a ping may wait to be sent, by the loop's clock; ``None`` once it is sent."""
        return self._socket.outbox.ping_pending_until_s(timeout_s)

    def answer_waits_until_s(self, timeout_s: float) -> float:
        """Until when an answer may wait here, since this side may read its client slowly."""
        return self._socket.slow_until_s + timeout_s

    def answered(self) -> None:
        """The latest ping was answered."""
        self._host.ponged(self._socket)

    def unanswered(self) -> None:
        """The latest ping was not answered in time."""
        self._host.tally.heartbeat_missed()
        self._socket.why = EndReason.PING_TIMEOUT
        self._socket.give_up()

    def spared(self, events: int, signals: int) -> None:
        """The client is behind: superseded events and live signals are not sent to it."""
        self._host.tally.spared(events, signals)

    def overflowed(self) -> None:
        """Too many bytes wait for the client: count it, and give it up."""
        self._host.tally.overflowed()
        self._socket.why = EndReason.OVERFLOW
        self._socket.give_up()

    def stalled(self) -> None:
        """The client reads nothing of the waiting bytes: count it, and give it up."""
        self._host.tally.stalled()
        self._socket.why = EndReason.STALLED
        self._socket.give_up()
