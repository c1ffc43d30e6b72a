"""A transport's TCP socket: its buffers, its reset, and what Linux knows of the client."""

import asyncio
import struct
from socket import IPPROTO_TCP, SO_LINGER, SO_SNDBUF, SOL_SOCKET, TCP_INFO

#: Bytes that the kernel may buffer for a client that does not read; its default is 4 MiB.
BUFFER_BYTES = 64 * 1024
#: ``struct linger``: on, with no time.
_AT_ONCE = struct.pack("ii", 1, 0)
#: ``tcpi_bytes_acked`` of ``struct tcp_info``, at the end of the part that is read.
_ACKNOWLEDGED = struct.Struct("=120xQ")


def bound(transport: asyncio.BaseTransport) -> None:
    """Limit the kernel's send buffer."""
    transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES)


def reset(transport: asyncio.Transport) -> None:
    """Reset a connection now, and drop what the client has not read.

    After a mere abort, the kernel would keep the unread bytes for minutes, and would tell the
    client of the end only after them.
    """
    if not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _AT_ONCE)
    transport.abort()


class ReadingProgress:
    """The progress of a client's reading, by the bytes that its machine has acknowledged.

    Once that machine's buffers are full, it acknowledges only what the client reads. ``moved_at_s``
    is when the count was last seen to grow.
    """

    __slots__ = ("_kernel", "_taken_bytes", "moved_at_s")

    def __init__(self, transport: asyncio.BaseTransport, now_s: float) -> None:
        self._kernel = transport.get_extra_info("socket")
        self._taken_bytes = self._acknowledged_bytes()
        self.moved_at_s = now_s

    def rests_s(self, now_s: float) -> float:
        """Seconds since the client last read anything."""
        taken_bytes = self._acknowledged_bytes()
        if taken_bytes > self._taken_bytes:
            self._taken_bytes, self.moved_at_s = taken_bytes, now_s
        return now_s - self.moved_at_s

    def _acknowledged_bytes(self) -> int:
        info = self._kernel.getsockopt(IPPROTO_TCP, TCP_INFO, _ACKNOWLEDGED.size)
        [acknowledged] = _ACKNOWLEDGED.unpack(info)
        return int(acknowledged)
