"""A client that costs next to nothing: Socket.IO by hand, on a WebSocket by hand.

It joins one room, counts what it is to hear, and answers pings. It is trusted to talk to a
server on this machine only, and takes every surprise for a failure of the benchmark.
"""

import asyncio
import base64
import json
import os
from collections.abc import Callable
from typing import Self, cast

NAMESPACE = "/ws"
#: Even on a busy machine joins take milliseconds; whatever takes so long has been lost.
JOIN_TIMEOUT_S = 60.0

_HEADERS_END = b"\r\n\r\n"
_FINAL_TEXT, _MASKED = 0x81, 0x80
_CLOSE_OPCODE = 0x8
_MEDIUM, _LARGE = 126, 127
_MEDIUM_BYTES = 65536
#: Servers undo the mask whatever it is; none to apply costs this side nothing.
_NO_MASK = bytes(4)

_OPEN, _PING, _PONG = b"0", b"2", "3"
_CONNECTED = f"40{NAMESPACE},".encode()
_EVENT = f'42{NAMESPACE},["'.encode()
_JOINED = _EVENT + b"room_joined"
_FAILURES = (f"44{NAMESPACE},".encode(), _EVENT + b"error", _EVENT + b"room_error")


class Failed(Exception):
    """A server did not do what the benchmark is about."""


class LoadClient(asyncio.Protocol):
    """A member of the room of ``universe``; ``on_counted`` is called for each event it counts."""

    def __init__(
        self,
        token: str,
        universe: str,
        on_counted: Callable[[], None],
        *,
        counted: str = "physics_updated",
    ) -> None:
        self._counted = _EVENT + counted.encode()
        self._token = token
        self._universe = universe
        self._on_counted = on_counted
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._open = False
        self._leaving = False
        loop = asyncio.get_running_loop()
        self.joined: asyncio.Future[None] = loop.create_future()
        self.failed: asyncio.Future[None] = loop.create_future()
        self.gone = asyncio.Event()

    async def join(self, port: int) -> Self:
        """Connect, and return when one is in the room."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port)
        async with asyncio.timeout(JOIN_TIMEOUT_S):
            await self.joined
        return self

    def emit(self, event: str, data: object, ack_id: int | None = None) -> None:
        """Say something in the room; with an ``ack_id``, an answer is asked for."""
        place = f"42{NAMESPACE}," if ack_id is None else f"42{NAMESPACE},{ack_id}"
        self._send(place + json.dumps([event, data], separators=(",", ":")))

    def leave(self) -> None:
        """Go, as a closed tab does."""
        self._leaving = True
        if self._transport is None:
            self.gone.set()
        elif not self.gone.is_set():
            if self.joined.done():
                self._send(f"41{NAMESPACE},")
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all of its methods, but not the class.
        self._transport = cast("asyncio.Transport", transport)
        host, port = transport.get_extra_info("peername")[:2]
        key = base64.b64encode(os.urandom(16)).decode()
        # Compression is not offered, so that neither server has it.
        request = (
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
            f"Host: {host}:{port}",
            "User-Agent: Mozilla/5.0",
            "Connection: Upgrade",
            "Upgrade: websocket",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        self._transport.write("\r\n".join(request).encode() + _HEADERS_END)

    def data_received(self, data: bytes) -> None:
        if self._unread:
            data = self._unread + data
        position = 0
        if not self._open:
            head_ends_at = data.find(_HEADERS_END)
            if head_ends_at < 0:
                self._unread = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self._fail(data[:200])
                return
            self._open = True
            position = head_ends_at + len(_HEADERS_END)
        self._unread = data[self._frames(data, position) :]

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        if not self._leaving:
            self._fail(f"connection lost: {exc}".encode())

    def _frames(self, data: bytes, position: int) -> int:
        """Handle all frames that are complete; where the rest begins."""
        available = len(data)
        while available - position >= 2:
            size, start = data[position + 1], position + 2
            if size == _MEDIUM:
                start += 2
                size = int.from_bytes(data[position + 2 : start])
            elif size == _LARGE:
                start += 8
                size = int.from_bytes(data[position + 2 : start])
            end = start + size
            if available < end:
                break
            if data[position] == _FINAL_TEXT:
                self._packet(data, start, end)
            elif data[position] & 0x0F == _CLOSE_OPCODE:
                self._fail(b"closed " + data[start:end])
            position = end
        return position

    def _packet(self, data: bytes, start: int, end: int) -> None:
        if data.startswith(self._counted, start):
            self._on_counted()
        elif data.startswith(_PING, start):
            self._send(_PONG)
        elif data.startswith(_OPEN, start):
            self._send(f"40{NAMESPACE}," + json.dumps({"token": self._token}))
        elif data.startswith(_CONNECTED, start):
            self.emit("join_room", {"universeId": self._universe, "mode": "edit"})
        elif data.startswith(_JOINED, start):
            if not self.joined.done():
                self.joined.set_result(None)
        elif data.startswith(_FAILURES, start):
            self._fail(data[start:end])

    def _send(self, text: str) -> None:
        payload = text.encode()
        size = len(payload)
        if size < _MEDIUM:
            head = bytes((_FINAL_TEXT, _MASKED | size))
        elif size < _MEDIUM_BYTES:
            head = bytes((_FINAL_TEXT, _MASKED | _MEDIUM)) + size.to_bytes(2)
        else:
            raise Failed("nothing so large is sent")
        assert self._transport is not None
        self._transport.write(head + _NO_MASK + payload)

    def _fail(self, reason: bytes) -> None:
        error = Failed(reason.decode(errors="replace"))
        for future in (self.joined, self.failed):
            if not future.done():
                future.set_exception(error)
                # Whoever waits is told; nobody need wait.
                future.exception()
