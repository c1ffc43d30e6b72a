"""What a client may cost before its connection is closed."""

from dataclasses import dataclass

#: The transport's own cap: above what messages may have, so that too large ones are answered.
MAX_TRANSPORT_BYTES = 1024 * 1024
#: Packets in one body of HTTP polling: a client that was blocked for a while sends many.
MAX_PACKETS_PER_BODY = 1000
#: Packets in one answer to a poll: python-engineio's client refuses more.
MAX_PACKETS_PER_POLL = 16
#: Attachments of one packet; clients of Socket.IO take no more themselves.
MAX_ATTACHMENTS = 10
#: A client that has no namespace for so long, or does not finish an upgrade, is let go.
HANDSHAKE_TIMEOUT_S = 10.0
#: Attachments of a packet must follow it within this time.
ATTACHMENTS_TIMEOUT_S = 10.0
#: What the kernel may hold for a client that does not read; its default swallows 4 MiB.
KERNEL_BUFFER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What an operator sets of it; ``name`` begins the id of every session."""

    ping_interval_s: int
    ping_timeout_s: int
    max_buffer_bytes: int
    max_message_bytes: int
    allowed_origins: tuple[str, ...]
    name: str
