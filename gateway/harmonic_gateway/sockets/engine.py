"""One Engine.IO connection, over WebSocket or HTTP polling: heartbeat, order, bounds.

What is sent over a WebSocket is written straight to its transport, so nothing can overtake, and
a frame for many members is the same bytes for all of them. What cannot be written yet, because
the client polls or is about to upgrade, waits in the outbox.
"""

import asyncio
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any, Protocol

from aiohttp import WSMsgType, web
from engineio.exceptions import ContentTooLongError, EngineIOError
from engineio.packet import CLOSE, MESSAGE, NOOP, PING, PONG, UPGRADE

from harmonic_gateway.sockets.frames import Encoded, close_frame
from harmonic_gateway.sockets.limits import (
    HANDSHAKE_TIMEOUT_S,
    KERNEL_BUFFER_BYTES,
    MAX_PACKETS_PER_BODY,
    MAX_PACKETS_PER_POLL,
    MAX_TRANSPORT_BYTES,
    SocketLimits,
)

#: WebSocket close codes (RFC 6455, section 7.4.1) that say that the client wants to go.
_CLEAN_CODES = (1000, 1005)
#: "Service restart": clients come back, to whichever replica takes them.
RESTART_CODE = 1012
_PROTOCOL_ERROR_CODE = 1002
#: How long a closed client may take to read what was still under way.
LINGER_S = 5.0
_SEPARATOR = "\x1e"
_PING = Encoded.of([f"{PING}"])
_NOOP = f"{NOOP}"
_CLOSE = f"{CLOSE}"
_PROBE = "probe"


class EngineHost(Protocol):
    """What a connection needs of the server it belongs to."""

    limits: SocketLimits

    def end(self, socket: "EngineSocket", namespace: str) -> None:
        """Disconnect a client from a namespace."""

    async def said(self, socket: "EngineSocket", message: str | bytes) -> None:
        """A client sent a message; raises ``ValueError`` for one that is malformed."""

    def gone(self, socket: "EngineSocket", *, clean: bool) -> None:
        """The connection is over; called once."""

    def malformed(self, error: Exception) -> None:
        """A client does not speak the protocol, and is closed."""

    def overflowed(self) -> None:
        """A client did not read what it was sent."""

    def heartbeat_missed(self) -> None:
        """A client did not answer a ping in time."""

    def pinged(self, socket: "EngineSocket") -> None:
        """A ping was sent, after all that was sent before."""

    def ponged(self, socket: "EngineSocket") -> None:
        """It was answered."""


class EngineSocket:
    """A connection; to python-engineio's server it looks like one of its own sockets.

    ``connections`` belongs to the layer above: the client's connections by namespace.
    """

    __slots__ = (
        "_answer_due",
        "_deadline",
        "_heartbeat",
        "_host",
        "_outbox",
        "_outbox_bytes",
        "_poller",
        "_transport",
        "closed",
        "connected",
        "connections",
        "headers",
        "partial",
        "query",
        "sid",
        "upgraded",
        "upgrading",
    )

    def __init__(self, host: EngineHost, sid: str, request: web.Request) -> None:
        self._host = host
        self.sid = sid
        self.headers: Mapping[str, str] = request.headers
        self.query: Mapping[str, str] = request.query
        self.connections: dict[str, Any] = {}
        self.partial: Any = None
        self.connected = False
        self.upgrading = False
        self.upgraded = False
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._outbox: deque[str | bytes] | None = None
        self._outbox_bytes = 0
        self._poller: asyncio.Future[None] | None = None
        self._answer_due = False
        loop = asyncio.get_running_loop()
        self._heartbeat = loop.call_later(host.limits.ping_interval_s, self._beat)
        self._deadline: asyncio.TimerHandle | None = loop.call_later(
            HANDSHAKE_TIMEOUT_S, self._abandon
        )

    def established(self) -> None:
        """The client has a namespace: from now on its heartbeat decides how long it stays."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def send(self, encoded: Encoded) -> None:
        """Send after all that was sent before; never raises, never waits.

        A client that leaves too much unread loses the connection, and may come back.
        """
        transport = self._transport
        if transport is None:
            self._keep(encoded.packets)
        elif not transport.is_closing():
            unread = transport.get_write_buffer_size()
            if unread and unread + len(encoded.raw) > self._host.limits.max_buffer_bytes:
                self._overflow()
            else:
                transport.write(encoded.raw)

    def disconnect(self, namespace: str) -> None:
        """Disconnect the client from a namespace, from this side."""
        self._host.end(self, namespace)

    def shut(self, code: int = RESTART_CODE) -> None:
        """Close the connection from this side; the client is told at once."""
        transport = self._transport
        if transport is None:
            if not self.closed:
                # Alone in its payload: some clients would handle what precedes it twice.
                self._outbox = deque([_CLOSE])
                self._finish(clean=False)
        elif not transport.is_closing():
            transport.write(close_frame(code))
            transport.close()
            asyncio.get_running_loop().call_later(LINGER_S, transport.abort)

    async def close(self, **_: object) -> None:
        """End the connection, as python-engineio does after a client's mistake."""
        self.shut()

    async def handle_get_request(self, environ: Mapping[str, Any]) -> Any:
        """A polling client asks for what there is, or wants to go on over a WebSocket."""
        request: web.Request = environ["aiohttp.request"]
        if "websocket" in request.headers.get("Upgrade", "").lower():
            if self.upgrading or self.upgraded:
                raise EngineIOError("a second WebSocket")
            return await self.upgrade(request)
        if self._poller is not None:
            raise EngineIOError("a second poll")
        return await self.poll()

    async def handle_post_request(self, environ: Mapping[str, Any]) -> None:
        """A polling client says something; raises ``EngineIOError`` for what it may not say."""
        request: web.Request = environ["aiohttp.request"]
        if request.headers.get("Content-Encoding"):
            raise EngineIOError("a compressed body")
        packets = (await _body(request)).split(_SEPARATOR)
        if len(packets) > MAX_PACKETS_PER_BODY:
            raise EngineIOError("too many packets")
        try:
            for packet in packets:
                if packet.startswith("b"):
                    await self._packet(MESSAGE, b64decode(packet[1:], validate=True))
                else:
                    await self._packet(int(packet[:1]), packet[1:])
        except (ValueError, RecursionError) as error:
            self._host.malformed(error)
            raise EngineIOError("a malformed packet") from error

    async def serve(self, request: web.Request, opening: Encoded) -> web.StreamResponse:
        """Be a WebSocket from the beginning, until it is closed."""
        websocket = await _accept(request)
        self.connected = self.upgraded = True
        self._transport = request.transport
        self.send(opening)
        return await self._listen(websocket)

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        """Go over from polling to a WebSocket, if the client carries it through in time."""
        self.upgrading = True
        websocket = await _accept(request)
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                done = await self._probe(websocket)
        except TimeoutError:
            done = False
        finally:
            self.upgrading = False
        if not done or self.closed:
            await websocket.close()
            return websocket
        self.upgraded = True
        self._transport = request.transport
        self._release()
        self.send(Encoded.of(self._take(len(self._outbox or ()))))
        return await self._listen(websocket)

    async def _probe(self, websocket: web.WebSocketResponse) -> bool:
        message = await websocket.receive()
        if message.data != f"{PING}{_PROBE}":
            return False
        await websocket.send_str(f"{PONG}{_PROBE}")
        # The client waits for its poll to end before it goes over.
        self._release()
        message = await websocket.receive()
        return bool(message.data == f"{UPGRADE}")

    async def _listen(self, websocket: web.WebSocketResponse) -> web.StreamResponse:
        clean = False
        try:
            while not self.closed:
                message = await websocket.receive()
                if message.type is WSMsgType.TEXT and message.data:
                    await self._packet(int(message.data[0]), message.data[1:])
                elif message.type is WSMsgType.BINARY:
                    await self._packet(MESSAGE, message.data)
                else:
                    clean = websocket.close_code in _CLEAN_CODES
                    break
        except (ValueError, RecursionError) as error:
            self._host.malformed(error)
            # What else it sends would be no better: official servers close as well.
            self.shut(_PROTOCOL_ERROR_CODE)
        finally:
            self._finish(clean=clean)
        return websocket

    async def _packet(self, kind: int, data: str | bytes) -> None:
        if self.closed:
            return
        match kind:
            case _ if kind == MESSAGE:
                await self._host.said(self, data)
            case _ if kind == PONG and self._answer_due:
                self._answer_due = False
                self._host.ponged(self)
            case _ if kind == PONG:
                pass
            case _ if kind == CLOSE:
                self._finish(clean=True)
            case _:
                raise ValueError("unexpected packet")

    async def poll(self) -> dict[str, Any]:
        """Wait for something to send; the answer in python-engineio's form."""
        if not (self._outbox or self.upgrading or self.upgraded):
            self._poller = asyncio.get_running_loop().create_future()
            try:
                await self._poller
            finally:
                self._poller = None
        if self.upgrading or self.upgraded or not self._outbox:
            return _payload([_NOOP])
        return _payload(self._take(MAX_PACKETS_PER_POLL))

    def _keep(self, packets: Sequence[str | bytes]) -> None:
        if self.closed:
            return
        if self._outbox is None:
            self._outbox = deque()
        self._outbox.extend(packets)
        self._outbox_bytes += sum(map(len, packets))
        if self._outbox_bytes > self._host.limits.max_buffer_bytes:
            self._overflow()
        else:
            self._release()

    def _take(self, most: int) -> list[str | bytes]:
        outbox = self._outbox
        if outbox is None:
            return []
        packets = [outbox.popleft() for _ in range(min(most, len(outbox)))]
        self._outbox_bytes -= sum(map(len, packets))
        if not outbox:
            self._outbox = None
        return packets

    def _release(self) -> None:
        if self._poller is not None and not self._poller.done():
            self._poller.set_result(None)

    def _beat(self) -> None:
        self._answer_due = True
        self.send(_PING)
        self._host.pinged(self)
        timeout_s = self._host.limits.ping_timeout_s
        self._heartbeat = asyncio.get_running_loop().call_later(timeout_s, self._check)

    def _check(self) -> None:
        if self._answer_due:
            self._host.heartbeat_missed()
            self._abandon()
            return
        limits = self._host.limits
        pause_s = max(limits.ping_interval_s - limits.ping_timeout_s, 0)
        self._heartbeat = asyncio.get_running_loop().call_later(pause_s, self._beat)

    def _overflow(self) -> None:
        self._host.overflowed()
        self._abandon()

    def _abandon(self) -> None:
        """Give up a client that is not there, or does not listen."""
        if self._transport is not None:
            self._transport.abort()
        else:
            # Whoever calls may be in the middle of a room's members.
            asyncio.get_running_loop().call_soon(lambda: self._finish(clean=False))

    def _finish(self, *, clean: bool) -> None:
        if self.closed:
            return
        self.closed = True
        self._heartbeat.cancel()
        self.established()
        self._release()
        self._host.gone(self, clean=clean)


async def _accept(request: web.Request) -> web.WebSocketResponse:
    # No compression: its state costs several times the memory of all the rest.
    websocket = web.WebSocketResponse(compress=False, max_msg_size=MAX_TRANSPORT_BYTES)
    await websocket.prepare(request)
    kernel = request.get_extra_info("socket")
    if kernel is not None:
        kernel.setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL_BUFFER_BYTES)
    return websocket


async def _body(request: web.Request) -> str:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body.extend(chunk)
        if len(body) > MAX_TRANSPORT_BYTES:
            raise ContentTooLongError
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise EngineIOError("not UTF-8") from error


def _payload(packets: Iterable[str | bytes]) -> dict[str, Any]:
    text = _SEPARATOR.join(
        packet if isinstance(packet, str) else f"b{b64encode(packet).decode()}"
        for packet in packets
    )
    return {
        "status": "200 OK",
        "headers": [("Content-Type", "text/plain; charset=UTF-8")],
        "response": text.encode(),
    }
