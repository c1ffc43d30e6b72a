"""One Engine.IO connection, over WebSocket or HTTP polling: heartbeat, order, bounds.

What is sent over a WebSocket is written straight to its transport, so nothing can overtake, and
a frame for many members is the same bytes for all of them. What cannot be written yet, because
the client polls, is about to upgrade or does not keep up, waits in a backlog.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from aiohttp import WSMsgType, web
from aiohttp.abc import AbstractStreamWriter
from engineio.exceptions import EngineIOError
from engineio.packet import CLOSE, MESSAGE, NOOP, PING, PONG, UPGRADE

from harmonic_gateway.sockets.backlog import Backlog
from harmonic_gateway.sockets.ended import Ended, websocket_ended
from harmonic_gateway.sockets.frames import Encoded, close_frame
from harmonic_gateway.sockets.kernel import Intake, reset
from harmonic_gateway.sockets.limits import (
    BEHIND_BYTES,
    CONFLATED_ABOVE_SHARE,
    HANDSHAKE_TIMEOUT_S,
    LINGER_S,
    LOOK_INTERVAL_S,
    MAX_OWED_BYTES,
    MAX_PACKETS_PER_POLL,
    PROBED_POLL_S,
    WATCHED_ABOVE_BYTES,
    Guard,
    SocketLimits,
)
from harmonic_gateway.sockets.polling import answer, read_packets
from harmonic_gateway.sockets.websocket import WebSocket

#: "Service restart": clients come back, to whichever replica takes them.
RESTART_CODE = 1012
_PROTOCOL_ERROR_CODE = 1002
_PING = Encoded.of([f"{PING}"])
_NOOP = Encoded.of([f"{NOOP}"])
_CLOSE = Encoded.of([f"{CLOSE}"])
_PROBE = "probe"


class EngineHost(Protocol):
    """What a connection needs of the server it belongs to."""

    limits: SocketLimits
    new_guard: Callable[[], Guard]

    def end(self, socket: "EngineSocket", namespace: str, ended: Ended) -> None:
        """A client's connection to a namespace is over."""

    async def said(self, socket: "EngineSocket", message: str | bytes) -> None:
        """A client sent a message; raises ``ValueError`` for one that is malformed."""

    def gone(self, socket: "EngineSocket", ended: Ended) -> None:
        """The connection is over; called once."""

    def malformed(self, error: Exception) -> None:
        """A client does not speak the protocol, and is closed."""

    def spared(self, events: int, signals: int) -> None:
        """A client that is behind is not sent superseded events and live signals."""

    def overflowed(self) -> None:
        """A client is closed: more waits for it than may."""

    def stalled(self) -> None:
        """A client is closed: it does not read."""

    def heartbeat_missed(self) -> None:
        """A client did not answer a ping in time."""

    def pinged(self, socket: "EngineSocket") -> None:
        """A ping was sent, after all that was sent before."""

    def ponged(self, socket: "EngineSocket") -> None:
        """It was answered, after ``round_trip_ms``."""


class EngineSocket:
    """A connection; to python-engineio's server it looks like one of its own sockets.

    ``connections`` belongs to the layer above: the client's connections by namespace. While it
    is ``leaving``, a polling client gets what still waits for it, and says nothing any more.
    ``round_trip_ms`` is how long the latest ping took to be answered.
    """

    __slots__ = (
        "_answer_due",
        "_answered_at_s",
        "_backlog",
        "_deadline",
        "_deflates",
        "_guard",
        "_heartbeat",
        "_host",
        "_intake",
        "_ping_waits",
        "_pinged_at_s",
        "_poller",
        "_probed",
        "_shut_here",
        "_transport",
        "_writer",
        "_writing",
        "closed",
        "connected",
        "connections",
        "has_asked",
        "headers",
        "leaving",
        "partial",
        "query",
        "round_trip_ms",
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
        self.has_asked = False
        self._guard = host.new_guard()
        self.round_trip_ms: float | None = None
        self.connected = False
        self.upgrading = False
        self.upgraded = False
        self.closed = False
        self.leaving = False
        self._shut_here = False
        self._deflates = False
        self._transport: asyncio.Transport | None = None
        self._writer: AbstractStreamWriter | None = None
        self._writing: asyncio.Task[None] | None = None
        self._backlog: Backlog | None = None
        self._intake: Intake | None = None
        self._poller: asyncio.Future[None] | None = None
        self._answer_due = False
        self._ping_waits = False
        self._probed = False
        self._pinged_at_s = 0.0
        loop = asyncio.get_running_loop()
        self._answered_at_s = loop.time()
        self._heartbeat = loop.call_later(host.limits.ping_interval_s, self._beat)
        self._deadline: asyncio.TimerHandle | None = loop.call_later(
            HANDSHAKE_TIMEOUT_S, self._abandon
        )

    def established(self) -> None:
        """The client has a namespace: from now on its heartbeat decides how long it stays."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def without_namespace(self) -> None:
        """The client has no namespace any more: it is closed unless it connects to one in time."""
        if self._deadline is None and not self.closed:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(HANDSHAKE_TIMEOUT_S, self._abandon)

    def count(self, events: int) -> float:
        """Count what the client sent; 0, or the seconds until it may be taken."""
        return self._guard.take(asyncio.get_running_loop().time(), counts=events)

    @property
    def in_doubt(self) -> bool:
        """Whether a ping has not been answered yet."""
        return self._answer_due and not self.closed

    def ping_now(self) -> None:
        """A client that is not there any more is known to be gone a ping's timeout later."""
        if not (self._answer_due or self.closed):
            self._heartbeat.cancel()
            self._beat()

    def send(self, encoded: Encoded, *, owed: bool = False) -> None:
        """Send after all that was sent before; never raises, never waits.

        For a client that does not keep up it waits, and may be left out as its frame says,
        unless it is ``owed``. A client that leaves too much unread loses the connection.
        """
        transport = self._transport
        if transport is None or self._backlog is not None:
            self._keep(encoded, owed=owed)
        elif not transport.is_closing():
            behind_bytes = transport.get_write_buffer_size()
            if behind_bytes > WATCHED_ABOVE_BYTES and self._intake is None:
                self._watch(transport)
            if behind_bytes > BEHIND_BYTES:
                self._keep(encoded, owed=owed)
            elif encoded.compressible and self._deflates:
                transport.write(encoded.compressed)
            else:
                transport.write(encoded.raw)

    def close_namespace(self, namespace: str, ended: Ended) -> None:
        """End a connection to a namespace as told, and all others with the transport."""
        self._host.end(self, namespace, ended)
        self.shut()

    def shut(self, code: int = RESTART_CODE) -> None:
        """Close the connection from this side, after all that was sent before."""
        transport = self._transport
        if transport is None:
            if not (self.closed or self.leaving):
                self.leaving = True
                self._release()
                asyncio.get_running_loop().call_later(LINGER_S, self._abandon)
        elif not transport.is_closing():
            while self._backlog:
                transport.write(self._next())
            transport.write(close_frame(code))
            self._shut_here = True
            self._part(transport)

    async def close(self, **_: object) -> None:
        """End the connection, as python-engineio does after a client's mistake."""
        if self._transport is not None:
            self.shut()
            return
        self.leaving = True
        self._backlog = None
        self._finish(Ended.BROKEN)

    async def handle_get_request(self, environ: Mapping[str, Any]) -> Any:
        """A polling client asks for what there is, or wants to go on over a WebSocket."""
        request: web.Request = environ["aiohttp.request"]
        if "websocket" in request.headers.get("Upgrade", "").lower():
            return await self.upgrade(request)
        if self._poller is not None:
            raise EngineIOError("a second poll")
        return await self.poll()

    async def handle_post_request(self, environ: Mapping[str, Any]) -> None:
        """A polling client says something; raises ``EngineIOError`` for what it may not say."""
        try:
            for kind, data in await read_packets(environ["aiohttp.request"]):
                await self._packet(kind, data)
        except (ValueError, RecursionError, EngineIOError) as error:
            if self.closed:
                # It went meanwhile; python-engineio has no answer for a session that is gone.
                return
            if isinstance(error, EngineIOError):
                raise
            self._host.malformed(error)
            raise EngineIOError("a malformed packet") from error

    async def serve(self, request: web.Request, opening: Encoded) -> web.StreamResponse:
        """Be a WebSocket from the beginning, until it is closed."""
        websocket = WebSocket(request)
        writer = await websocket.accept(request)
        self.connected = True
        self._go_over(request, websocket, writer)
        self.send(opening)
        return await self._listen(websocket)

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        """Go over from polling to a WebSocket, if the client carries it through in time."""
        self.upgrading = True
        websocket = WebSocket(request)
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                writer = await websocket.accept(request)
                done = await self._probe(websocket)
        except TimeoutError:
            done = False
        finally:
            self.upgrading = self._probed = False
        if not done or self.closed:
            await websocket.close()
            return websocket
        self._go_over(request, websocket, writer)
        self._release()
        waiting, self._backlog, self._ping_waits = self._backlog, None, False
        leaving, self.leaving = self.leaving, False
        for encoded in waiting or ():
            self.send(encoded, owed=True)
        if leaving:
            self.shut()
        return await self._listen(websocket)

    async def _probe(self, websocket: web.WebSocketResponse) -> bool:
        message = await websocket.receive()
        if message.data != f"{PING}{_PROBE}":
            return False
        self._probed = True
        await websocket.send_str(f"{PONG}{_PROBE}")
        # The client waits for its poll to end before it goes over.
        self._release()
        message = await websocket.receive()
        return bool(message.data == f"{UPGRADE}")

    def _go_over(
        self, request: web.Request, websocket: WebSocket, writer: AbstractStreamWriter
    ) -> None:
        self.upgraded = True
        self._transport = request.transport
        self._writer = writer
        self._deflates = websocket.deflates

    async def _listen(self, websocket: web.WebSocketResponse) -> web.StreamResponse:
        ended = Ended.BROKEN
        try:
            while not self.closed:
                message = await websocket.receive()
                if message.type is WSMsgType.TEXT and message.data:
                    await self._packet(int(message.data[0]), message.data[1:])
                elif message.type is WSMsgType.BINARY:
                    await self._packet(MESSAGE, message.data)
                else:
                    ended = self._websocket_ended(websocket.close_code)
                    break
        except (ValueError, RecursionError) as error:
            self._host.malformed(error)
            # What else it sends would be no better: official servers close as well.
            self.shut(_PROTOCOL_ERROR_CODE)
        finally:
            transport = self._transport
            if transport is not None and transport.get_write_buffer_size():
                self._part(transport)
            self._finish(ended)
        return websocket

    def _websocket_ended(self, code: int | None) -> Ended:
        silent_s = asyncio.get_running_loop().time() - self._answered_at_s
        return websocket_ended(
            code,
            closed_here=self._shut_here,
            answers=silent_s <= self._host.limits.ping_interval_s,
        )

    async def _packet(self, kind: int, data: str | bytes) -> None:
        if self.closed:
            return
        match kind:
            case _ if kind == MESSAGE:
                await self._host.said(self, data)
            case _ if kind == PONG:
                self._answered()
            case _ if kind == CLOSE:
                self._finish(Ended.GOODBYE)
            case _:
                raise ValueError("unexpected packet")

    def _goes_over(self) -> bool:
        return self.upgrading or self.upgraded

    async def poll(self) -> dict[str, Any]:
        """Wait for something to send; the answer in python-engineio's form."""
        if not (self._backlog or self.leaving or self.upgraded):
            self._poller = asyncio.get_running_loop().create_future()
            # A client that goes over waits for its poll to end; one whose probe was not answered,
            # as far as it knows, must neither wait for long nor poll as fast as it can.
            patience_s = PROBED_POLL_S if self._probed else None
            try:
                async with asyncio.timeout(patience_s):
                    await self._poller
            except TimeoutError:
                pass
            except asyncio.CancelledError:
                # The client did not wait for the answer: it is gone, unless it went over.
                if not self._goes_over():
                    self._finish(Ended.BROKEN)
                raise
            finally:
                self._poller = None
        entries = [_NOOP]
        if self.upgraded:
            pass
        elif self._backlog:
            entries = self._take()
        elif self.leaving:
            # Alone in its payload: some clients would handle what precedes it twice.
            entries = [_CLOSE]
            self._finish(Ended.BROKEN)
        return answer(entries, self.headers.get("Accept-Encoding", ""))

    def _keep(self, encoded: Encoded, *, owed: bool) -> None:
        """Let it wait, within bounds."""
        transport = self._transport
        if self.closed or self.leaving or (transport is not None and transport.is_closing()):
            return
        now_s = asyncio.get_running_loop().time()
        backlog = self._backlog
        if backlog is None:
            backlog = self._backlog = Backlog(now_s)
        is_behind = transport is not None or backlog.bytes > BEHIND_BYTES
        for part in encoded.parts or (encoded,):
            if part.droppable and is_behind and not owed:
                self._host.spared(0, 1)
            else:
                backlog.add(part, owed=owed)
        if encoded is _PING:
            self._ping_waits = True
        most = self._host.limits.max_buffer_bytes
        counted = backlog.counted_bytes
        if counted > max(most // CONFLATED_ABOVE_SHARE, 2 * backlog.tidied_bytes) or counted > most:
            self._host.spared(*backlog.tidy())
        if backlog.counted_bytes > most or backlog.bytes > MAX_OWED_BYTES:
            self._host.overflowed()
            self._abandon()
        elif transport is None:
            self._release()
        elif self._writing is None:
            self._writing = asyncio.ensure_future(self._catch_up(transport))

    def _take(self) -> list[Encoded]:
        """What one poll is answered with: several small packets, or a large one alone."""
        entries: list[Encoded] = []
        packets = 0
        while (first := self._backlog.first() if self._backlog else None) is not None:
            packets += len(first.packets)
            if entries and (packets > MAX_PACKETS_PER_POLL or first.compressible):
                break
            entries.append(self._pop())
            if first.compressible:
                break
        return entries

    def _next(self) -> bytes:
        encoded = self._pop()
        return encoded.compressed if self._deflates else encoded.raw

    def _pop(self) -> Encoded:
        backlog = self._backlog
        assert backlog is not None  # noqa: S101 -- for the type checker: callers have looked
        encoded = backlog.take()
        if encoded is _PING:
            self._ping_waits = False
        backlog.moved_at_s = asyncio.get_running_loop().time()
        if not backlog:
            self._backlog = None
        return encoded

    async def _catch_up(self, transport: asyncio.Transport) -> None:
        """Write what waits, as fast as the client reads."""
        writer = self._writer
        try:
            # Whoever listens to the connection hears of its end as well.
            with suppress(ConnectionError):
                while writer is not None and self._backlog and not transport.is_closing():
                    await writer.drain()
                    if self._backlog and not transport.is_closing():
                        transport.write(self._next())
        finally:
            self._writing = None

    def _watch(self, transport: asyncio.Transport) -> None:
        """Begin to look whether a client reads."""
        loop = asyncio.get_running_loop()
        self._intake = Intake(transport, loop.time())
        loop.call_later(LOOK_INTERVAL_S, self._look, transport, self._intake)

    def _look(self, transport: asyncio.Transport, intake: Intake) -> None:
        """Give up a client that does not read on, whatever it says; let one be that did."""
        if self.closed or transport.is_closing():
            return
        loop = asyncio.get_running_loop()
        if self._backlog is None and not transport.get_write_buffer_size():
            self._intake = None
        elif intake.rests_s(loop.time()) < self._host.limits.ping_timeout_s:
            loop.call_later(LOOK_INTERVAL_S, self._look, transport, intake)
        else:
            self._host.stalled()
            self._abandon()

    def _release(self) -> None:
        if self._poller is not None and not self._poller.done():
            self._poller.set_result(None)

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        self._answer_due = True
        self._pinged_at_s = loop.time()
        self.send(_PING)
        self._host.pinged(self)
        self._heartbeat = loop.call_later(self._host.limits.ping_timeout_s, self._check)

    def _answered(self) -> None:
        # Who answers a ping that has not left yet does not read, but wants to seem alive.
        if self._answer_due and not self._ping_waits:
            self._answer_due = False
            self._answered_at_s = asyncio.get_running_loop().time()
            self.round_trip_ms = 1000 * (self._answered_at_s - self._pinged_at_s)
            self._host.ponged(self)

    def _check(self) -> None:
        limits = self._host.limits
        loop = asyncio.get_running_loop()
        if not self._answer_due:
            pause_s = max(limits.ping_interval_s - limits.ping_timeout_s, 0)
            self._heartbeat = loop.call_later(pause_s, self._beat)
            return
        reads_s = 0.0
        if self._ping_waits and self._backlog is not None:
            # A client that is behind but reads on has yet to come to the ping.
            moved_at_s = (
                self._backlog.moved_at_s if self._intake is None else self._intake.moved_at_s
            )
            reads_s = moved_at_s + limits.ping_timeout_s - loop.time()
        if reads_s > 0:
            self._heartbeat = loop.call_later(reads_s, self._check)
            return
        self._host.heartbeat_missed()
        self._abandon()

    def _abandon(self) -> None:
        """Give up a client that is not there, or does not listen."""
        if self._transport is not None:
            reset(self._transport)
        else:
            # Whoever calls may be in the middle of a room's members.
            asyncio.get_running_loop().call_soon(self._finish, Ended.BROKEN)

    def _part(self, transport: asyncio.Transport) -> None:
        """Close the transport once the client has read what was sent, but not much later."""
        transport.close()
        asyncio.get_running_loop().call_later(LINGER_S, _cut, transport)

    def _finish(self, ended: Ended) -> None:
        if self.closed:
            return
        self.closed = True
        self._backlog = None
        self._heartbeat.cancel()
        self.established()
        self._release()
        if self._writing is not None:
            self._writing.cancel()
        self._host.gone(self, ended)


def _cut(transport: asyncio.Transport) -> None:
    if transport.get_write_buffer_size():
        transport.abort()
