"""What a client may cost before its connection is closed."""

from dataclasses import dataclass
from typing import Protocol

#: The transport's own cap: above what messages may have, so that too large ones are answered.
MAX_TRANSPORT_BYTES = 1024 * 1024
#: Packets in one body of HTTP polling: a client that was blocked for a while sends many.
MAX_PACKETS_PER_BODY = 1000
#: Packets in one answer to a poll: python-engineio's client refuses more.
MAX_PACKETS_PER_POLL = 16
#: How long a poll waits for something to send while the client probes a WebSocket.
PROBED_POLL_S = 0.1
#: Attachments of one packet; clients of Socket.IO take no more themselves.
MAX_ATTACHMENTS = 10
#: What a client may say in packets that are no events: a token and an offset are all that it has.
MAX_CONTROL_BYTES = 16 * 1024
#: A client that has no namespace for so long, or does not finish an upgrade, is let go.
HANDSHAKE_TIMEOUT_S = 10.0
#: A polling client's body must be there within this time.
BODY_TIMEOUT_S = 10.0
#: Attachments of a packet must follow it within this time.
ATTACHMENTS_TIMEOUT_S = 10.0
#: A client that has more than this to read is behind: what follows waits, live signals do not.
BEHIND_BYTES = 64 * 1024
#: Superseded events are left out once this share of the bound waits: a burst is no slowness.
CONFLATED_ABOVE_SHARE = 4
#: What brings a client up to date is sent whole, beyond the bound for all else, up to this.
MAX_OWED_BYTES = 16 * 1024 * 1024
#: A client for whom more than a few short packets wait in this process is watched: its own
#: buffers, and the kernel's, are full.
WATCHED_ABOVE_BYTES = 4 * 1024
#: How often it is looked whether a client that is watched reads on.
LOOK_INTERVAL_S = 0.5
#: A CONNECT looks up a session, and may leave one behind: it counts as so many events.
CONNECT_COUNTS = 10
#: How long a closed client may take to read what was still under way.
LINGER_S = 5.0


class Guard(Protocol):
    """Counts what one client sends."""

    def take(self, now_s: float, *, counts: int = 1) -> float:
        """0 if it may be taken now, else the seconds until it may."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What an operator sets of it; ``name`` begins the id of every session.

    A client is given up if it leaves a ping unanswered, or reads nothing at all of what waits
    for it, for ``ping_timeout_s``.
    """

    ping_interval_s: float
    ping_timeout_s: float
    max_buffer_bytes: int
    max_message_bytes: int
    allowed_origins: tuple[str, ...]
    name: str
