"""Whether a client reads on, as its machine's acknowledgements tell: nothing that it says can."""

import asyncio
import struct
from socket import IPPROTO_TCP, TCP_INFO

#: ``tcpi_bytes_acked`` of Linux's ``struct tcp_info``, and how much of that is asked for.
_ACKNOWLEDGED = struct.Struct("=120xQ")


class Intake:
    """How much a client's machine has taken of what it was sent.

    Once its own buffers are full, it takes what the client reads, to the byte. ``moved_at_s``
    is when it was last seen to have taken anything.
    """

    __slots__ = ("_kernel", "_taken_bytes", "moved_at_s")

    def __init__(self, transport: asyncio.Transport, now_s: float) -> None:
        self._kernel = transport.get_extra_info("socket")
        self._taken_bytes = self._acknowledged_bytes()
        self.moved_at_s = now_s

    def rests_s(self, now_s: float) -> float:
        """For how many seconds it has taken nothing."""
        taken_bytes = self._acknowledged_bytes()
        if taken_bytes > self._taken_bytes:
            self._taken_bytes, self.moved_at_s = taken_bytes, now_s
        return now_s - self.moved_at_s

    def _acknowledged_bytes(self) -> int:
        info = self._kernel.getsockopt(IPPROTO_TCP, TCP_INFO, _ACKNOWLEDGED.size)
        [acknowledged] = _ACKNOWLEDGED.unpack(info)
        return int(acknowledged)
