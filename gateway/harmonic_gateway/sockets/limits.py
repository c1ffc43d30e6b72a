"""The bounds of the sockets: on a client's bytes, packets, CPU time and delays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

#: Bytes of a WebSocket message or a body. More than the bound of messages, so that a too large one
#: is refused with an answer, and not by closing the connection.
MAX_TRANSPORT_BYTES = 1024 * 1024
#: Packets in one body of HTTP polling; a client that was blocked for a while sends many at once.
MAX_PACKETS_PER_BODY = 1000
#: POSTs of one session that are carried out at once; clients send one after the other.
MAX_POSTS_AT_ONCE = 4
#: Packets in one answer to a poll; python-engineio's client refuses more.
MAX_PACKETS_PER_POLL = 16
#: How long a poll waits for packets after the client's probe of a WebSocket was answered.
PROBED_POLL_S = 0.1
#: Attachments of one packet; clients of Socket.IO accept no more, either.
MAX_ATTACHMENTS = 10
#: Bytes of a packet that is not an event. The largest is a CONNECT with a token and an offset.
MAX_CONTROL_BYTES = 16 * 1024
#: Commas, opening brackets, colons and surrogates in an event's text, counted before it is parsed.
#: Each costs time and memory to parse; declared events have far fewer.
MAX_COMMAS, MAX_BRACKETS, MAX_COLONS, MAX_SURROGATES = 8192, 1024, 1024, 512
#: Seconds after which a client without a namespace is late, and after which an upgrade is given up.
HANDSHAKE_TIMEOUT_S = 10.0
#: Seconds after which a late client is given up: it may have to fetch a token first.
LATE_TIMEOUT_S = 45.0
#: How long a polling client's body may take to arrive.
BODY_TIMEOUT_S = 10.0
#: How long the attachments of a packet may take to follow it.
ATTACHMENTS_TIMEOUT_S = 10.0
#: A client with more unread bytes than this is behind: events wait, live signals are dropped.
BEHIND_BYTES = 64 * 1024
#: Superseded events are removed once this fraction (1/n) of the bound waits. A smaller burst does
#: not mean that a client is slow.
CONFLATED_ABOVE_SHARE = 4
#: Bytes that may wait for a client in all. Missed events count only towards this bound.
MAX_OWED_BYTES = 16 * 1024 * 1024
#: If more bytes than this wait for a client in this process, the buffers of the client and of the
#: kernel are full: from then on, the gateway checks that the client reads.
WATCHED_ABOVE_BYTES = 4 * 1024
#: Seconds between two such checks.
LOOK_INTERVAL_S = 0.5
#: The number of events that a CONNECT counts as: it looks up a session, and may create one.
CONNECT_COUNTS = 10
#: Bytes that may wait in a session that moves to another gateway. With more, the client is closed
#: and reconnects.
MAX_HANDED_BYTES = 4 * 1024 * 1024
#: CPU seconds that are charged without measuring: for a byte in the kernel, for a message's turn in
#: the event loop, for a request, and for a packet that is not a message.
BYTE_COST_S, MESSAGE_COST_S, REQUEST_COST_S, PACKET_COST_S = 6e-9, 200e-6, 800e-6, 60e-6
#: Received data of at most this many bytes is not measured. Each of its bytes is charged as if it
#: were a frame of its own.
UNMEASURED_BYTES, UNMEASURED_BYTE_COST_S = 512, 400e-9
#: The handling of a text of at most this many characters is measured by the wall clock, and counts
#: as at most this many seconds: what exceeds them is other processes' time. Most updates are
#: shorter. The thread's clock, which measures longer texts, is a system call.
SHORT_CHARACTERS, MAX_SHORT_COST_S = 256, 200e-6
#: CPU seconds to receive larger data, in addition to the measured time.
RECEIVING_COST_S = 120e-6
#: CPU seconds that may be spent on reading a WebSocket without a complete message.
MAX_UNPAID_S = 0.25
#: How long the client of a closed session may take to read the last packets.
LINGER_S = 5.0
#: How long, and how many bytes, a client may still send after the close frame: it is read and
#: dropped.
MAX_LINGER_S = 15.0
MAX_LINGER_BYTES = 8 * 1024 * 1024

#: The key of a request's counted address, set by the guard of addresses.
ADDRESS = web.RequestKey("address", str)


class Guard(Protocol):
    """Counts the messages of one client."""

    def take(self, now_s: float, *, counts: int = 1) -> float:
        """Let one message pass: return 0, or the seconds until it may."""

    def busy_s(self, now_s: float) -> float:
        """Seconds until the messages so far no longer count."""

    def go_on(self, now_s: float, busy_s: float) -> None:
        """Count the messages that were sent to another gateway, for ``busy_s`` seconds."""


class ReadingPace(Protocol):
    """The pace at which one client is read. If ``is_behind``, the client may have to wait."""

    is_behind: bool

    @property
    def is_spent(self) -> bool:
        """Whether too many messages were refused, so that the client is to be closed."""

    def charge_to(self, budget: Any) -> None:
        """From now on, charge this budget as well."""

    def took(self, cost_s: float, now_s: float) -> None:
        """Charge the CPU seconds of a message."""

    def caused(self, cost_s: float, each_s: float, now_s: float) -> None:
        """Charge CPU seconds that a message causes: once, and for each session of its user."""

    def end(self) -> None:
        """Note that the session has ended."""

    def refused(self, now_s: float) -> bool:
        """Count a refusal; return whether it is to have its own line in the log."""

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next message may be read."""

    def busy_s(self, now_s: float) -> float:
        """Seconds until the cost of the client so far no longer counts."""

    def go_on(self, now_s: float, busy_s: float) -> None:
        """Count the client's cost at another gateway, for ``busy_s`` seconds."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The bounds that an operator sets. The id of every session begins with ``name``.

    A client is given up if, for ``ping_timeout_s``, it does not answer a ping or reads nothing of
    the waiting bytes. ``late_per_address`` bounds the late clients of an address.
    ``larger_messages_bytes`` are the bounds of events that may exceed ``max_message_bytes``.
    """

    ping_interval_s: float
    ping_timeout_s: float
    max_buffer_bytes: int
    max_message_bytes: int
    late_per_address: int = 100
    larger_messages_bytes: Mapping[str, int] = field(default_factory=dict)
