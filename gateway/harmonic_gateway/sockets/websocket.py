"""aiohttp's WebSockets, with bounds, and with compression that takes no memory between messages.

permessage-deflate is negotiated without context takeover in either direction. So a message that is
compressed once is valid for every client, and no connection keeps a window between messages.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import WSMessage, WSMsgType, hdrs, web
from aiohttp._websocket import reader, reader_py
from aiohttp._websocket.models import WSMessageTextBytes
from aiohttp.http import WebSocketWriter, ws_ext_parse
from aiohttp.web_request import BaseRequest

from harmonic_gateway.sockets import kernel
from harmonic_gateway.sockets.attached import Attached, MessageReader, OpenWebSockets
from harmonic_gateway.sockets.limits import BEHIND_BYTES, MAX_TRANSPORT_BYTES

_AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#: The code of a close frame without one (RFC 6455, section 7.1.5).
_NO_CODE = 1005
_QUEUED_BYTES = 64 * 1024


class _ForgetfulReader(reader_py.WebSocketReader):
    """Drops its inflater after each message; an inflater takes 10 KiB per client."""

    def _handle_frame(
        self,
        fin: bool,  # noqa: FBT001 -- as it is called
        opcode: int,
        payload: bytes | bytearray,
        compressed: int,
    ) -> None:
        super()._handle_frame(fin, opcode, payload, compressed)
        self._decompressobj = None


if TYPE_CHECKING:
    _AnyQueue = reader_py.WebSocketDataQueue
else:
    _AnyQueue = object


class _TakesTexts(_AnyQueue):
    """A queue that offers each text in the call that reads it, so that no task is woken.

    A text that cannot be taken then waits with the other messages. So does a text in measured data,
    since handling it is measured by itself. It stands before a queue of aiohttp.
    """

    __slots__ = ()

    take_text: Callable[[str | None], bool] | None
    on_waiting: Callable[[], None] | None
    is_measured: bool

    def __init__(self, protocol: Any, limit: int, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(protocol, limit, loop=loop)
        self.take_text = self.on_waiting = None
        self.is_measured = False

    @property
    def is_empty(self) -> bool:
        """Whether no message waits."""
        return not self._buffer

    def feed_data(self, data: WSMessage | WSMessageTextBytes, size: int) -> None:
        """Take a message that was read, or add it to the queue."""
        if not self._is_taken(data):
            super().feed_data(data, size)
            self._tell()

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Note that no message can be read any more."""
        super().set_exception(exc, *cause)
        self._tell()

    def _is_taken(self, data: WSMessage | WSMessageTextBytes) -> bool:
        take = self.take_text
        if take is None:
            return False
        must_wait = self._buffer or self.is_measured or data.type is not WSMsgType.TEXT
        return take(None if must_wait else data.data)

    def _tell(self) -> None:
        if self.on_waiting is not None:
            self.on_waiting()


class _Queue(_TakesTexts, reader.WebSocketDataQueue):
    """The queue of aiohttp's compiled reader."""

    __slots__ = ("is_measured", "on_waiting", "take_text")


class _InflatingQueue(_TakesTexts, reader_py.WebSocketDataQueue):
    """The queue of the reader for compressed messages."""


class WebSocket(web.WebSocketResponse):
    """A WebSocket; ``deflates`` if compressed messages can be sent to the client."""

    def __init__(self, request: web.Request) -> None:
        # A client that asks for subprotocols expects one of them.
        asked = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").partition(",")[0].strip()
        # aiohttp's own compression keeps a window for each connection.
        super().__init__(
            compress=False,
            max_msg_size=MAX_TRANSPORT_BYTES,
            # Otherwise aiohttp answers a close before it reports it, and the answer may be cut.
            autoclose=False,
            # The session answers the client's pings, since it charges their cost.
            autoping=False,
            protocols=(asked,) if asked else (),
        )
        self._attached: Attached | None = None
        self._is_detached = False
        offered = request.headers.get(hdrs.SEC_WEBSOCKET_EXTENSIONS)
        window_bits, _ = ws_ext_parse(offered, isserver=True)
        # Shared compressed messages need the largest window.
        self.deflates = window_bits == zlib.MAX_WBITS
        if self.deflates:
            self.headers[hdrs.SEC_WEBSOCKET_EXTENSIONS] = _AGREED

    async def accept(self, request: web.Request, first: bytes = b"") -> Attached:
        """Answer the handshake, and send the ``first`` bytes together with the answer.

        Return the transport's protocol. Raise ``ConnectionResetError`` if the client is gone.
        """
        # One write instead of two: a write costs as much as handling some messages.
        self._send_headers_immediately = not first
        writer = await self.prepare(request)
        if first:
            await writer.write(first)
        transport = request.transport
        if transport is not None:
            transport.set_write_buffer_limits(high=BEHIND_BYTES)
            kernel.bound(transport)
        if self._attached is None:
            raise ConnectionResetError("the client is gone")
        return self._attached

    def detach(self, reader_: MessageReader, open_: OpenWebSockets) -> None:
        """Give messages to a reader. The connection outlives the request's handler."""
        if self._attached is not None:
            self._is_detached = True
            self._attached.detach(reader_, open_)

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 -- as it is called
        """End with the request's handler, unless it was detached."""
        if not self._is_detached:
            await super().write_eof()

    def _post_start(
        self, request: BaseRequest, protocol: str | None, writer: WebSocketWriter
    ) -> None:
        self._ws_protocol = protocol
        self._writer = writer
        transport = request.transport
        if transport is None:
            return
        attached = self._attached = Attached(request.protocol, transport)
        # Without compression, aiohttp's compiled reader is sufficient.
        kind_of_queue = _InflatingQueue if self.deflates else _Queue
        queue = kind_of_queue(attached, _QUEUED_BYTES, loop=asyncio.get_running_loop())
        self._reader = queue
        kind = _ForgetfulReader if self.deflates else reader.WebSocketReader
        self._parser = kind(
            self._reader, self._max_msg_size, compress=self.deflates, decode_text=True
        )
        attached.attach(self._parser, queue)
        # Data that arrived with the request is read now.
        request.protocol.set_parser(self._parser)
        request.protocol.keep_alive(False)


def close_code(message: WSMessage) -> int | None:
    """The code that the client closed its WebSocket with; ``None`` if it was lost instead.

    aiohttp's own ``close_code`` is 1000 also for a connection that was lost without a close frame.
    """
    if message.type is not WSMsgType.CLOSE:
        return None
    return int(message.data) or _NO_CODE


async def turn_down(request: web.Request) -> web.StreamResponse:
    """Close a second WebSocket of a session at once; the first one is not affected."""
    websocket = WebSocket(request)
    await websocket.accept(request)
    await websocket.close()
    return websocket
