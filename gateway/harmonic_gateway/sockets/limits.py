"""The bounds of the sockets: what a client may cost, and for how long it may take."""

from dataclasses import dataclass
from typing import Protocol

#: A WebSocket message or a body. Above the bound of messages, so that too large ones are refused
#: with an answer, and not by closing the connection.
MAX_TRANSPORT_BYTES = 1024 * 1024
#: Packets in one body of HTTP polling: a client that was blocked for a while sends many.
MAX_PACKETS_PER_BODY = 1000
#: Packets in one answer to a poll: python-engineio's client refuses more.
MAX_PACKETS_PER_POLL = 16
#: How long a poll waits for something to send while the client probes a WebSocket.
PROBED_POLL_S = 0.1
#: Attachments of one packet; clients of Socket.IO take no more themselves.
MAX_ATTACHMENTS = 10
#: A packet that is no event: the largest is a CONNECT with a token and an offset.
MAX_CONTROL_BYTES = 16 * 1024
#: A client that has no namespace for so long, or does not finish an upgrade, is let go.
HANDSHAKE_TIMEOUT_S = 10.0
#: A polling client's body must be there within this time.
BODY_TIMEOUT_S = 10.0
#: Attachments of a packet must follow it within this time.
ATTACHMENTS_TIMEOUT_S = 10.0
#: A client with more unread bytes than this is behind: events wait, live signals are dropped.
BEHIND_BYTES = 64 * 1024
#: Superseded events are removed once one part in so many of the bound waits, not before: a burst
#: does not mean that a client is slow.
CONFLATED_ABOVE_SHARE = 4
#: What brings a client up to date is not counted towards the bound; it may have this many bytes.
MAX_OWED_BYTES = 16 * 1024 * 1024
#: A client for whom more bytes than this wait in this process has full buffers, and so has the
#: kernel: from then on it is checked that the client reads.
WATCHED_ABOVE_BYTES = 4 * 1024
#: The time between two such checks.
LOOK_INTERVAL_S = 0.5
#: A CONNECT looks up a session, and may leave one behind: it counts as so many events.
CONNECT_COUNTS = 10
#: What may wait for a client whose session goes on at another gateway: with more, it comes back.
MAX_HANDED_BYTES = 4 * 1024 * 1024
#: How long the client of a closed session may take to read what was sent before.
LINGER_S = 5.0


class Guard(Protocol):
    """Counts what one client sends."""

    def take(self, now_s: float, *, counts: int = 1) -> float:
        """0 if it may be taken now, else the seconds until it may."""

    def busy_s(self, now_s: float) -> float:
        """For how long what was sent still counts."""

    def go_on(self, now_s: float, busy_s: float) -> None:
        """Have what was sent to another gateway count for so long."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The bounds that an operator sets. The id of every session begins with ``name``.

    A client is given up if it leaves a ping unanswered, or reads nothing at all of what waits
    for it, for ``ping_timeout_s``.
    """

    ping_interval_s: float
    ping_timeout_s: float
    max_buffer_bytes: int
    max_message_bytes: int
    allowed_origins: tuple[str, ...]
    name: str
