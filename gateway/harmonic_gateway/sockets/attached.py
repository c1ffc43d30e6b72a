"""The protocol of a WebSocket's transport, from the answer to its handshake to its end.

aiohttp answers the handshake in a handler, which takes 20 KiB for as long as it runs. So this
protocol takes over the transport, and the handler ends once the session uses the WebSocket.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import WSMessage, WSMsgType, web
from aiohttp.http import WebSocketError
from aiohttp.streams import EofStream

from harmonic_gateway.sockets.frames import close_frame, pong_frame
from harmonic_gateway.sockets.limits import (
    MAX_UNPAID_S,
    RECEIVING_COST_S,
    UNMEASURED_BYTE_COST_S,
    UNMEASURED_BYTES,
)
from harmonic_gateway.sockets.lingering import part

#: The close code of a normal end (RFC 6455, section 7.4.1).
_NORMAL_CODE = 1000
_CLOSED = WSMessage(WSMsgType.CLOSED, None, None)


class Messages(Protocol):
    """The queue of messages that were read and not received."""

    take_text: Callable[[str | None], bool] | None
    on_waiting: Callable[[], None] | None
    is_measured: bool

    @property
    def is_empty(self) -> bool:
        """Whether no message waits."""

    async def read(self) -> Any:
        """Wait for the next message; raise the error that ended the connection."""


class MessageReader(Protocol):
    """The receiver of a WebSocket's messages."""

    def take_text(self, text: str | None) -> bool:
        """Take a text in the call that reads it; ``False`` leaves it to be received.

        It is called with ``None`` for a message that has to be received in any case.
        """

    def begin(self) -> None:
        """Take the messages that wait, and those that follow."""

    def wake(self) -> None:
        """Note that a message waits, or that no message follows."""

    def lost(self) -> None:
        """Note that the connection is lost."""


class OpenWebSockets:
    """The open WebSockets that no handler of aiohttp waits for."""

    def __init__(self) -> None:
        self._open: set[Attached] = set()
        self._closed = asyncio.Event()

    def add(self, attached: "Attached") -> None:
        """Add an open WebSocket."""
        self._open.add(attached)

    def remove(self, attached: "Attached") -> None:
        """Remove a closed WebSocket."""
        self._open.discard(attached)
        if not self._open:
            self._closed.set()

    async def closed(self) -> None:
        """Wait until all are closed."""
        while self._open:
            self._closed.clear()
            await self._closed.wait()


class Attached(asyncio.Protocol):
    """The protocol of one WebSocket.

    Until it is detached, aiohttp's handler is told of the connection's end, and the code that
    handles the request receives the messages.
    """

    __slots__ = (
        "_drained",
        "_handler",
        "_messages",
        "_open",
        "_parser",
        "_reader",
        "_reading_paused",
        "_transport",
        "_unpaid_s",
    )

    def __init__(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self._handler: web.RequestHandler | None = handler
        self._transport = transport
        self._messages: Messages | None = None
        self._parser: Any = None
        self._reader: MessageReader | None = None
        self._open: OpenWebSockets | None = None
        self._drained: asyncio.Future[None] | None = None
        self._reading_paused = False
        self._unpaid_s = 0.0

    def attach(self, parser: Any, messages: Messages) -> None:
        """Begin to read: ``parser`` is aiohttp's, and feeds ``messages``."""
        self._parser, self._messages = parser, messages
        self._transport.set_protocol(self)

    def detach(self, reader: MessageReader, open_: OpenWebSockets) -> None:
        """Give messages to ``reader``; let aiohttp's handler end without closing the connection."""
        handler, self._handler = self._handler, None
        if handler is None or handler.transport is None or self._messages is None:
            reader.lost()
            return
        _let_go(handler)
        self._reader, self._open = reader, open_
        open_.add(self)
        self._messages.take_text, self._messages.on_waiting = reader.take_text, reader.wake
        reader.begin()

    # For the reader.

    @property
    def is_all_received(self) -> bool:
        """Whether all messages that were read have been received."""
        return self._messages is None or self._messages.is_empty

    async def receive(self) -> WSMessage:
        """The next message; at the end, one of type ``ERROR`` or ``CLOSED``."""
        if self._messages is None:
            return _CLOSED
        try:
            message: WSMessage = await self._messages.read()
        except EofStream:
            return _CLOSED
        except WebSocketError as error:
            return WSMessage(WSMsgType.ERROR, error, None)
        return message

    def pong(self, data: bytes) -> None:
        """Answer a ping of the client's WebSocket."""
        if not self._transport.is_closing():
            self._transport.write(pong_frame(data))

    def take_cost_s(self) -> float:
        """CPU seconds spent on reading since the last call."""
        cost_s, self._unpaid_s = self._unpaid_s, 0.0
        return cost_s

    def finish(self, last: WSMessage | None) -> None:
        """Close the connection after its ``last`` message, if there was one."""
        transport, self._reader = self._transport, None
        if transport.is_closing() or transport.get_protocol() is not self:
            # The connection is being closed already.
            return
        fault = None if last is None else last.data
        code = fault.code if isinstance(fault, WebSocketError) else _NORMAL_CODE
        transport.write(close_frame(code))
        if last is not None and last.type is WSMsgType.CLOSE:
            transport.close()
        else:
            part(transport)

    # For aiohttp's queue and the outbox.

    def pause_reading(self) -> None:
        """Stop reading: too many bytes wait to be received."""
        self._reading_paused = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._reading_paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    async def drain(self) -> None:
        """Wait until the write buffer has room; raise ``ConnectionResetError`` after the end."""
        if self._drained is not None:
            await asyncio.shield(self._drained)

    # Callbacks of the transport.

    def pause_writing(self) -> None:
        """Note that the write buffer is full."""
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Note that the write buffer has room again."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Parse received data."""
        if len(data) <= UNMEASURED_BYTES:
            self._unpaid_s += len(data) * UNMEASURED_BYTE_COST_S
            self._parser.feed_data(data)
        else:
            self._measured(data)
        if self._unpaid_s > MAX_UNPAID_S:
            # An endless message: too many frames without a final one.
            self._transport.abort()

    def _measured(self, data: bytes) -> None:
        messages = self._messages
        if messages is None:
            return
        began_s = time.thread_time()
        messages.is_measured = True
        self._parser.feed_data(data)
        messages.is_measured = False
        self._unpaid_s += RECEIVING_COST_S + time.thread_time() - began_s

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection."""
        handler, self._handler = self._handler, None
        reader, self._reader = self._reader, None
        if self._open is not None:
            self._open.remove(self)
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError("the client is gone"))
            # Mark the error as retrieved: there may be no waiter.
            self._drained.exception()
        if handler is not None:
            handler.connection_lost(exc)
        elif reader is not None:
            reader.lost()
        # Break the reference cycle.
        self._messages = self._parser = None


def _let_go(handler: web.RequestHandler) -> None:
    """Let aiohttp's handler end with the request's handler and leave the connection open."""
    manager = handler._manager  # noqa: SLF001 -- there is no other way, see the canaries
    if manager is not None:
        manager.connection_lost(handler)
    handler._payload_parser = None  # noqa: SLF001 -- same
    handler.transport = None
    handler.force_close()
