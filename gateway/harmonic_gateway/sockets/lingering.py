"""The end of a WebSocket whose client still writes: what it sends is read, and dropped.

The kernel resets a connection that is closed with unread data. The client's kernel then drops what
the client has not read, the message that says why it was closed among it. Some libraries drop it
themselves once they cannot write any more. So the connection is ended when the client has answered
the close frame (RFC 6455, section 7.1.1), or has had time to.
"""

import asyncio

from harmonic_gateway.sockets.limits import LINGER_S, MAX_LINGER_BYTES, MAX_LINGER_S

#: A close frame of a client: its first byte, and a bit of its second one beside the length.
_CLOSE, _MASKED = 0x88, 0x80
_MASK_BYTES, _MAX_REASON_BYTES = 4, 125


def part(transport: asyncio.Transport, *, answered: bool = False) -> bool:
    """Close a transport once the client has read what was sent, but not much later.

    Whether the client is read until it ends the connection itself: then nothing may be written any
    more. Unless the close frame is ``answered`` already, it is given time to answer it.
    """
    loop = asyncio.get_running_loop()
    loop.call_later(LINGER_S, _cut, transport)
    if transport.is_closing():
        return False
    loop.call_later(MAX_LINGER_S, transport.abort)
    lingering = _Lingering(transport, transport.get_protocol())
    transport.set_protocol(lingering)
    if answered:
        lingering.say_no_more()
    else:
        loop.call_later(LINGER_S, lingering.say_no_more)
    # It may have been paused by whoever read it before.
    transport.resume_reading()
    return True


class _Lingering(asyncio.Protocol):
    """Drops what a client still sends, within a bound; the end is told the protocol before."""

    def __init__(self, transport: asyncio.Transport, before: asyncio.BaseProtocol) -> None:
        self._transport = transport
        self._before = before
        self._left_bytes = MAX_LINGER_BYTES
        self._may_write = True

    def say_no_more(self) -> None:
        """Tell the client that nothing more comes; it may still send."""
        if self._may_write and not self._transport.is_closing():
            self._may_write = False
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                # TLS has no half of an end.
                self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            self._transport.abort()
        elif _answers_close(data):
            self.say_no_more()

    def pause_writing(self) -> None:
        self._before.pause_writing()

    def resume_writing(self) -> None:
        self._before.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._before.connection_lost(exc)


def _answers_close(data: bytes) -> bool:
    """Whether some data ends with a close frame: a client sends nothing after it.

    Where a message's end looks like one, the client is given less time, and no harm is done.
    """
    longest = min(_MAX_REASON_BYTES, len(data) - _MASK_BYTES - 2)
    return any(
        data[-size - _MASK_BYTES - 2] == _CLOSE and data[-size - _MASK_BYTES - 1] == _MASKED | size
        for size in range(longest + 1)
    )


def _cut(transport: asyncio.Transport) -> None:
    if transport.get_write_buffer_size():
        transport.abort()
