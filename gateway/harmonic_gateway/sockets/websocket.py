"""WebSockets as this product wants them from aiohttp: bounded, and compressed at no cost at rest.

permessage-deflate is agreed on without context takeover in either direction. So what is
compressed once is good for every client, and no connection keeps a window between messages.
"""

import asyncio
import time
import zlib
from collections.abc import Callable
from typing import Any, cast

from aiohttp import WSMessage, WSMsgType, hdrs, web
from aiohttp._websocket import reader, reader_py
from aiohttp._websocket.models import WSMessageTextBytes
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import WebSocketWriter, ws_ext_parse
from aiohttp.web_request import BaseRequest

from harmonic_gateway.sockets import kernel
from harmonic_gateway.sockets.limits import (
    BEHIND_BYTES,
    MAX_TRANSPORT_BYTES,
    MAX_UNPAID_S,
    RECEIVING_COST_S,
    UNMEASURED_BYTE_COST_S,
    UNMEASURED_BYTES,
)

_AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#: What a close frame without a code counts as (RFC 6455, section 7.1.5).
_NO_CODE = 1005
_QUEUED_BYTES = 64 * 1024
_ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


class _ForgetfulReader(reader_py.WebSocketReader):
    """Keeps no inflater between messages: 10 KiB for each client that ever compressed one."""

    def _handle_frame(
        self,
        fin: bool,  # noqa: FBT001 -- as it is called
        opcode: int,
        payload: bytes | bytearray,
        compressed: int,
    ) -> None:
        super()._handle_frame(fin, opcode, payload, compressed)
        self._decompressobj = None


class _TakesTexts:
    """Has texts taken where they are read, so that no task is woken for each.

    A queue's: a text that cannot be taken now waits with the other messages. So does one of what
    is measured while it is read: what it leads to is measured by itself.
    """

    take_text: Callable[[str | None], bool] | None = None
    is_measured = False
    _buffer: Any

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._buffer

    def _is_taken(self, data: WSMessage | WSMessageTextBytes) -> bool:
        take = self.take_text
        if take is None:
            return False
        must_wait = self._buffer or self.is_measured or data.type is not WSMsgType.TEXT
        return take(None if must_wait else data.data)


class _Queue(_TakesTexts, reader.WebSocketDataQueue):
    """Of messages that aiohttp's compiled reader reads."""

    def feed_data(self, data: WSMessage | WSMessageTextBytes, size: int) -> None:
        """A message was read."""
        if not self._is_taken(data):
            super().feed_data(data, size)


class _InflatingQueue(_TakesTexts, reader_py.WebSocketDataQueue):
    """Of messages that may be compressed."""

    def feed_data(self, data: WSMessage | WSMessageTextBytes, size: int) -> None:
        """A message was read."""
        if not self._is_taken(data):
            super().feed_data(data, size)


class _Meter:
    """Measures what it costs to read a WebSocket, and ends one of which no message comes."""

    __slots__ = ("_parser", "_queue", "_transport", "cost_s")

    def __init__(
        self, parser: Any, queue: _TakesTexts, transport: asyncio.Transport | None
    ) -> None:
        self._parser = parser
        self._queue = queue
        self._transport = transport
        self.cost_s = 0.0

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Read what came, as aiohttp's own reader does."""
        if len(data) <= UNMEASURED_BYTES:
            self.cost_s += len(data) * UNMEASURED_BYTE_COST_S
            result: tuple[bool, bytes] = self._parser.feed_data(data)
        else:
            began_s = time.thread_time()
            self._queue.is_measured = True
            result = self._parser.feed_data(data)
            self._queue.is_measured = False
            self.cost_s += RECEIVING_COST_S + time.thread_time() - began_s
        if self.cost_s > MAX_UNPAID_S and self._transport is not None:
            # Frames without end, of which none completes a message.
            self._transport.abort()
        return result

    def feed_eof(self) -> None:
        """Nothing more comes."""
        self._parser.feed_eof()


class WebSocket(web.WebSocketResponse):
    """A WebSocket; ``deflates`` if the client can be sent compressed messages."""

    def __init__(self, request: web.Request) -> None:
        # Where a client asks for subprotocols, it expects one of them.
        asked = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").partition(",")[0].strip()
        # Compression as aiohttp has it keeps a window for each connection.
        super().__init__(
            compress=False,
            max_msg_size=MAX_TRANSPORT_BYTES,
            # Else the answer to a close is awaited before the close is told, and may be cut short.
            autoclose=False,
            # Pings of a client are answered by whoever counts what they cost.
            autoping=False,
            protocols=(asked,) if asked else (),
        )
        self._meter: _Meter | None = None
        self._queue: _Queue | _InflatingQueue | None = None
        offered = request.headers.get(hdrs.SEC_WEBSOCKET_EXTENSIONS)
        window_bits, _ = ws_ext_parse(offered, isserver=True)
        # What is compressed for all refers back as far as can be.
        self.deflates = window_bits == zlib.MAX_WBITS
        if self.deflates:
            self.headers[hdrs.SEC_WEBSOCKET_EXTENSIONS] = _AGREED

    async def accept(self, request: web.Request, first: bytes = b"") -> AbstractStreamWriter:
        """Answer the handshake, and send what comes ``first`` together with the answer.

        What is returned can wait until the client has read.
        """
        # Each writing takes as long as all else that is done for some messages.
        self._send_headers_immediately = not first
        writer = await self.prepare(request)
        if first:
            await writer.write(first)
        transport = request.transport
        if transport is not None:
            transport.set_write_buffer_limits(high=BEHIND_BYTES)
            kernel.bound(transport)
        return writer

    def _post_start(
        self, request: BaseRequest, protocol: str | None, writer: WebSocketWriter
    ) -> None:
        self._ws_protocol = protocol
        self._writer = writer
        # Without compression, aiohttp's compiled reader does.
        queue = _InflatingQueue if self.deflates else _Queue
        self._queue = queue(request.protocol, _QUEUED_BYTES, loop=asyncio.get_running_loop())
        self._reader = self._queue
        kind = _ForgetfulReader if self.deflates else reader.WebSocketReader
        self._parser = kind(
            self._reader, self._max_msg_size, compress=self.deflates, decode_text=True
        )
        self._meter = _Meter(self._parser, self._queue, request.transport)
        request.protocol.set_parser(cast("reader.WebSocketReader", self._meter))
        request.protocol.keep_alive(False)

    def take_texts(self, take: Callable[[str | None], bool]) -> None:
        """Have ``take`` called for each text as it is read; ``False`` leaves it to be received.

        It is called with ``None`` for a message that is left in any case.
        """
        if self._queue is not None:
            self._queue.take_text = take

    @property
    def is_all_received(self) -> bool:
        """Whether no message that was read is still to be received."""
        return self._queue is not None and self._queue.is_empty

    async def ended(self) -> None:
        """Wait until the connection is over, whatever the client had sent before."""
        while (await self.receive()).type not in _ENDS:
            pass

    def take_cost_s(self) -> float:
        """CPU seconds that it took to read what came since this was asked the last time."""
        meter = self._meter
        if meter is None:
            return 0.0
        cost_s, meter.cost_s = meter.cost_s, 0.0
        return cost_s


def close_code(message: WSMessage) -> int | None:
    """The code that the client closed its WebSocket with; ``None`` if it was lost instead.

    aiohttp's own ``close_code`` says 1000 also where the connection was cut without a word.
    """
    if message.type is not WSMsgType.CLOSE:
        return None
    return int(message.data) or _NO_CODE


async def turn_down(request: web.Request) -> web.StreamResponse:
    """Close a second WebSocket of a session at once; the first one is not concerned."""
    websocket = WebSocket(request)
    await websocket.accept(request)
    await websocket.close()
    return websocket
