"""The end of a connection whose client still writes: what it sends is read, and dropped.

The kernel resets a connection that is closed with unread data. The client's kernel then drops what
the client has not read, the message that says why it was closed among it.
"""

import asyncio

from harmonic_gateway.sockets.limits import LINGER_S, MAX_LINGER_BYTES, MAX_LINGER_S


def part(transport: asyncio.Transport) -> bool:
    """Close a transport once the client has read what was sent, but not much later.

    Whether the client is told of the end first, and read until it ends the connection itself: then
    nothing may be written any more.
    """
    loop = asyncio.get_running_loop()
    loop.call_later(LINGER_S, _cut, transport)
    if transport.is_closing() or not transport.can_write_eof():
        transport.close()
        return False
    loop.call_later(MAX_LINGER_S, transport.abort)
    transport.set_protocol(_Lingering(transport, transport.get_protocol()))
    transport.write_eof()
    # It may have been paused by whoever read it before.
    transport.resume_reading()
    return True


class _Lingering(asyncio.Protocol):
    """Drops what a client still sends, within a bound; the end is told the protocol before."""

    def __init__(self, transport: asyncio.Transport, before: asyncio.BaseProtocol) -> None:
        self._transport = transport
        self._before = before
        self._left_bytes = MAX_LINGER_BYTES

    def data_received(self, data: bytes) -> None:
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._before.pause_writing()

    def resume_writing(self) -> None:
        self._before.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._before.connection_lost(exc)


def _cut(transport: asyncio.Transport) -> None:
    if transport.get_write_buffer_size():
        transport.abort()
