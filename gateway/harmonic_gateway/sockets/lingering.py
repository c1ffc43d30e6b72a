"""Closes a WebSocket whose client still sends: its data is read and dropped.

The kernel resets a connection that is closed with unread data. The client's kernel then drops what
the client has not read, including the close frame and its reason. Some libraries also drop it once
they cannot write. So the connection is closed after the client has answered the close frame (RFC
6455, section 7.1.1), or has had time to.
"""

import asyncio

from harmonic_gateway.sockets.limits import LINGER_S, MAX_LINGER_BYTES, MAX_LINGER_S

#: A close frame of a client: its first byte, and the mask bit in its second byte.
_CLOSE, _MASKED = 0x88, 0x80
_MASK_BYTES, _MAX_REASON_BYTES = 4, 125


def part(transport: asyncio.Transport, *, answered: bool = False) -> bool:
    """Close a transport once the client has read what was sent, but not much later.

    Return whether the client is read until it closes the connection itself: then nothing may be
    written any more. Unless the close frame is ``answered``, the client is given time to answer.
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
    # Its former protocol may have paused it.
    transport.resume_reading()
    return True


class _Lingering(asyncio.Protocol):
    """Reads and drops data within a bound; passes the connection's end to the former protocol."""

    def __init__(self, transport: asyncio.Transport, before: asyncio.BaseProtocol) -> None:
        self._transport = transport
        self._before = before
        self._left_bytes = MAX_LINGER_BYTES
        self._may_write = True

    def say_no_more(self) -> None:
        """Close the sending half; the client may still send."""
        if self._may_write and not self._transport.is_closing():
            self._may_write = False
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                # TLS has no half-closed state.
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
    """Whether data ends with a close frame, after which a client sends nothing.

    If the end of a message looks like one, the client is only given less time.
    """
    longest = min(_MAX_REASON_BYTES, len(data) - _MASK_BYTES - 2)
    return any(
        data[-size - _MASK_BYTES - 2] == _CLOSE and data[-size - _MASK_BYTES - 1] == _MASKED | size
        for size in range(longest + 1)
    )


def _cut(transport: asyncio.Transport) -> None:
    if transport.get_write_buffer_size():
        transport.abort()
