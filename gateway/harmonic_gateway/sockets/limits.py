"""The bounds of the sockets: what a client may cost, and for how long it may take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

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
#: What an event's text may hold, counted before it is read: commas, brackets that open, colons, and
#: halves of characters. Each costs time and memory to read; declared events have far fewer.
MAX_COMMAS, MAX_BRACKETS, MAX_COLONS, MAX_SURROGATES = 8192, 1024, 1024, 512
#: A client without a namespace is late after so long, and one that does not finish an upgrade is
#: let go.
HANDSHAKE_TIMEOUT_S = 10.0
#: A client that is late is let go after so long in all: its application may fetch a token first.
LATE_TIMEOUT_S = 45.0
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
#: CPU seconds that are charged without being measured: for a byte on its way through the kernel,
#: for a message's turn in the event loop, for a request, and for a packet that is no message.
BYTE_COST_S, MESSAGE_COST_S, REQUEST_COST_S, PACKET_COST_S = 6e-9, 150e-6, 400e-6, 20e-6
#: A WebSocket's data of at most so many bytes are not worth measuring what it takes to read them.
#: Each byte is charged as if it came with a frame of its own.
UNMEASURED_BYTES, UNMEASURED_BYTE_COST_S = 512, 400e-9
#: Larger ones are measured; this is what it takes to receive them.
RECEIVING_COST_S = 120e-6
#: CPU seconds that reading a WebSocket may take without a message coming of it.
MAX_UNPAID_S = 0.25
#: How long the client of a closed session may take to read what was sent before.
LINGER_S = 5.0
#: For how long, and how much, a client that was told of the end may still send: it is read and
#: dropped.
MAX_LINGER_S = 15.0
MAX_LINGER_BYTES = 8 * 1024 * 1024

#: The address that a request is counted as coming from, where somebody found it out.
ADDRESS = web.RequestKey("address", str)


class Guard(Protocol):
    """Counts what one client sends."""

    def take(self, now_s: float, *, counts: int = 1) -> float:
        """0 if it may be taken now, else the seconds until it may."""

    def busy_s(self, now_s: float) -> float:
        """For how long what was sent still counts."""

    def go_on(self, now_s: float, busy_s: float) -> None:
        """Have what was sent to another gateway count for so long."""


class ReadingPace(Protocol):
    """How fast one client is read; ``is_behind`` tells that it may have to wait."""

    is_behind: bool

    @property
    def is_spent(self) -> bool:
        """Whether so many messages were refused that the client is to be closed."""

    def charge_to(self, budget: Any) -> None:
        """From now on, charge this budget as well."""

    def took(self, cost_s: float, now_s: float) -> None:
        """Count a message that took so many CPU seconds."""

    def refused(self, now_s: float) -> bool:
        """Count a refusal; whether it is to have a line of its own in the log."""

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next message may be read."""

    def busy_s(self, now_s: float) -> float:
        """For how long what the client has cost still counts."""

    def go_on(self, now_s: float, busy_s: float) -> None:
        """Have what the client has cost at another gateway count for so long."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The bounds that an operator sets. The id of every session begins with ``name``.

    A client is given up if it leaves a ping unanswered, or reads nothing at all of what waits
    for it, for ``ping_timeout_s``. So many clients of an address may be late to connect.
    ``larger_messages_bytes`` are the bounds of those events that may have more than
    ``max_message_bytes``.
    """

    ping_interval_s: float
    ping_timeout_s: float
    max_buffer_bytes: int
    max_message_bytes: int
    late_per_address: int = 100
    larger_messages_bytes: Mapping[str, int] = field(default_factory=dict)
