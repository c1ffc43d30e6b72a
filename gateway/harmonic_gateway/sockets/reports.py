"""What the parts of a session report: to whoever counts, and to the session what ends it."""

from typing import Any, Protocol

from harmonic_gateway.sockets.ended import EndReason
from harmonic_gateway.sockets.outbox import PING_FRAME, Outbox


class Tally(Protocol):
    """Counts what becomes of clients that are behind, or do not answer."""

    def spared(self, events: int, signals: int) -> None:
        """A client that is behind is not sent superseded events and live signals."""

    def overflowed(self) -> None:
        """A client is closed: more waits for it than may."""

    def stalled(self) -> None:
        """A client is closed: it does not read."""

    def slowed(self, seconds: float) -> None:
        """A client's next message is read so much later."""

    def heartbeat_missed(self) -> None:
        """A client did not answer a ping in time."""


class Reporting(Protocol):
    """The session whose parts report."""

    outbox: Outbox
    slow_until_s: float
    why: EndReason | None

    def give_up(self) -> None:
        """Give up a client that is not there, or does not listen."""


class ReportsHost(Protocol):
    """Who is told of a session's heartbeats."""

    @property
    def tally(self) -> Tally:
        """Who counts."""

    def pinged(self, socket: Any) -> None:
        """A ping was sent, after all that was sent before."""

    def ponged(self, socket: Any) -> None:
        """It was answered."""


class Reports:
    """The reports of one session's heartbeat and outbox."""

    __slots__ = ("_host", "_socket")

    def __init__(self, socket: Reporting, host: ReportsHost) -> None:
        self._socket = socket
        self._host = host

    def ping(self) -> None:
        """Send a ping after all that was sent before."""
        self._socket.outbox.send(PING_FRAME)
        self._host.pinged(self._socket)

    def ping_pending_until_s(self, timeout_s: float) -> float | None:
        """Until when a ping that has not left yet may wait; ``None`` where it has left."""
        return self._socket.outbox.ping_pending_until_s(timeout_s)

    def answer_waits_until_s(self, timeout_s: float) -> float:
        """Until when an answer may wait on this side, which reads its client slowly."""
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
        """The client is behind, and is not sent superseded events and live signals."""
        self._host.tally.spared(events, signals)

    def overflowed(self) -> None:
        """More waits for the client than may."""
        self._host.tally.overflowed()
        self._socket.why = EndReason.OVERFLOW
        self._socket.give_up()

    def stalled(self) -> None:
        """The client reads nothing of what waits for it."""
        self._host.tally.stalled()
        self._socket.why = EndReason.STALLED
        self._socket.give_up()
