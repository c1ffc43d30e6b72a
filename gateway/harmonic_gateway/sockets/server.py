"""Engine.IO's HTTP side and Socket.IO's namespaces, on the routes of an aiohttp application."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import engineio
from aiohttp import web
from engineio.packet import MESSAGE, OPEN
from socketio.packet import BINARY_EVENT, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT

from harmonic_gateway.sockets.connection import (
    Application,
    Connection,
    ConnectRefused,
    Stage,
    Unavailable,
)
from harmonic_gateway.sockets.ended import Ended
from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.frames import Encoded
from harmonic_gateway.sockets.limits import (
    ATTACHMENTS_TIMEOUT_S,
    CONNECT_COUNTS,
    LINGER_S,
    MAX_TRANSPORT_BYTES,
    Guard,
    SocketLimits,
)
from harmonic_gateway.sockets.packets import Incoming, Malformed
from harmonic_gateway.sockets.websocket import WebSocket
from harmonic_protocol.refusals import Code
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.entropy import new_id

#: Where Engine.IO is found, and the alias for those who take the URL's path for it.
PATHS: tuple[str, ...] = ("/socket.io/", "/ws/", "/socket.io", "/ws")
METHODS = ("GET", "POST", "OPTIONS")
NAMESPACES = ("/ws", "/")
#: What a client that is not taken in at the moment is asked to wait.
RETRY_AFTER_S = 1


_UNKNOWN_NAMESPACE = ConnectRefused(
    "Unknown namespace", {"error": "Unknown namespace", "code": Code.NOT_FOUND.value}
)


class _EngineServer(engineio.AsyncServer):  # type: ignore[misc]  # it ships no types
    """python-engineio's reading of HTTP requests, with sockets of our own behind it."""

    def __init__(self, host: "SocketServer") -> None:
        limits = host.limits
        origins = list(limits.allowed_origins)
        silent = logging.getLogger(f"{__name__}.engineio")
        # It would log session ids, which are bearer credentials.
        silent.setLevel(logging.CRITICAL + 1)
        super().__init__(
            async_mode="aiohttp",
            ping_interval=limits.ping_interval_s,
            ping_timeout=limits.ping_timeout_s,
            max_http_buffer_size=MAX_TRANSPORT_BYTES,
            cors_allowed_origins="*" if "*" in origins else origins,
            cors_credentials=False,
            # Done per frame, not per answer.
            http_compression=False,
            monitor_clients=False,
            logger=silent,
        )
        self._host = host

    def generate_id(self) -> str:
        """A secret that begins with the gateway's name, so that a balancer can route on it."""
        return f"{self._host.limits.name}.{new_id()}"

    async def _handle_connect(
        self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None
    ) -> Any:
        if jsonp_index is not None:
            return self._bad_request("JSONP is not served")
        request: web.Request = environ["aiohttp.request"]
        sid = self.generate_id()
        socket = self.sockets[sid] = EngineSocket(self._host, sid, request)
        handshake = {
            "sid": sid,
            "upgrades": ["websocket"] if transport == "polling" else [],
            # Whole numbers only: clients cannot do with others.
            "pingInterval": round(self.ping_interval * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "maxPayload": MAX_TRANSPORT_BYTES,
        }
        opening = Encoded.of([f"{OPEN}{json.dumps(handshake, separators=(',', ':'))}"])
        if transport == "websocket":
            return await socket.serve(request, opening)
        socket.connected = True
        socket.send(opening)
        return await socket.poll()

    def _ok(self, *_: Any, **__: Any) -> dict[str, Any]:
        """The answer to a POST, spelt as official servers do."""
        return {"status": "200 OK", "headers": [("Content-Type", "text/html")], "response": b"ok"}


class SocketServer:
    """All connections of this gateway."""

    def __init__(
        self,
        application: Application,
        *,
        limits: SocketLimits,
        new_guard: Callable[[], Guard],
        log: BoundLogger,
        metrics: Metrics,
    ) -> None:
        self.limits = limits
        self.new_guard = new_guard
        self._application = application
        self._log = log
        self._engine = _EngineServer(self)
        self._draining = False
        self._emptied = asyncio.Event()
        self._conflated = metrics.counter(
            "conflated_events", "superseded events that clients who were behind were not sent"
        )
        self._dropped = metrics.counter(
            "dropped_signals", "live signals that clients who were behind were not sent"
        )
        self._overflows = metrics.counter(
            "send_buffer_overflows", "clients closed since too much waited for them"
        )
        self._stalled = metrics.counter(
            "stalled_readers", "clients closed since they read nothing of what waited for them"
        )
        self._round_trips = metrics.histogram(
            "heartbeat_round_trip_seconds", "from a ping to its answer, as clients meet it"
        )
        self._missed = metrics.counter("heartbeats_missed", "clients that left a ping unanswered")
        self._malformed = metrics.counter(
            "malformed_packets", "clients closed for not speaking the protocol"
        )
        self._turned_away = metrics.counter("handshakes_turned_away", "clients asked to come later")
        metrics.gauge("sockets", "Engine.IO connections").set_function(
            lambda: len(self._engine.sockets)
        )

    def routes(self) -> list[web.RouteDef]:
        """Where Engine.IO is served."""
        return [web.route("*", path, self._handle) for path in PATHS]

    async def close(self, stagger_s: float = 0.0) -> None:
        """Take nobody in any more, and close all connections, evenly spread over ``stagger_s``.

        Each is sent what waits for it before. Clients come back elsewhere. Return once all are
        gone, or have had ``LINGER_S`` for it.
        """
        self._draining = True
        sockets = list(self._engine.sockets.values())
        loop = asyncio.get_running_loop()
        began_at_s = loop.time()
        for index, socket in enumerate(sockets):
            turn_at_s = began_at_s + stagger_s * index / len(sockets)
            await asyncio.sleep(turn_at_s - loop.time())
            socket.shut()
        if not self._engine.sockets:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._emptied.wait(), LINGER_S)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        # python-engineio takes an empty id for none, too.
        sid = request.query.get("sid") or None
        if sid is None and (reason := self._not_now()) is not None:
            # Not a CONNECT_ERROR, after which clients do not try again.
            self._turned_away.inc()
            return web.Response(
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                text=reason,
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        if request.method not in METHODS or "transport" not in request.query:
            # python-engineio would assume one, or answer with a status of its own.
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        socket: EngineSocket | None = self._engine.sockets.get(sid)
        if socket is not None and socket.leaving and request.method == "POST":
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        on_websocket = socket is not None and (socket.upgrading or socket.upgraded)
        if on_websocket and request.query["transport"] == "websocket":
            return await _turn_down(request)
        response: web.StreamResponse = await self._engine.handle_request(request)
        return response

    def _not_now(self) -> str | None:
        return (
            "This server is about to stop"
            if self._draining
            else self._application.refuse_handshake()
        )

    async def said(self, socket: EngineSocket, message: str | bytes) -> None:
        """Take what a client says; raise :class:`Malformed` if it makes no sense."""
        try:
            await self._read(socket, message)
        except Malformed:
            raise
        except Exception as error:
            self._log.exception("packet_failed")
            raise Malformed("the server failed to read it") from error

    def gone(self, socket: EngineSocket, ended: Ended) -> None:
        """A connection is over, and with it all that it carried."""
        self._engine.sockets.pop(socket.sid, None)
        if self._draining and not self._engine.sockets:
            self._emptied.set()
        socket.partial = None
        for namespace in list(socket.connections):
            self.end(socket, namespace, ended)

    def malformed(self, error: Exception) -> None:
        """A client does not speak the protocol, and is closed."""
        self._malformed.inc()
        reason = str(error) if isinstance(error, Malformed) else "no Engine.IO"
        self._log.info("packet_malformed", reason=reason)

    def spared(self, events: int, signals: int) -> None:
        """A client that is behind is not sent superseded events and live signals."""
        self._conflated.inc(events)
        self._dropped.inc(signals)

    def overflowed(self) -> None:
        """More waits for a client than may."""
        self._overflows.inc()

    def stalled(self) -> None:
        """A client that is behind does not read."""
        self._stalled.inc()

    def pinged(self, socket: EngineSocket) -> None:
        """A heartbeat is on its way."""
        for connection in socket.connections.values():
            if connection.stage is Stage.CONNECTED:
                self._application.pinged(connection)

    def ponged(self, socket: EngineSocket) -> None:
        """A heartbeat was answered."""
        if socket.round_trip_ms is not None:
            self._round_trips.observe(socket.round_trip_ms / 1000)
        for connection in socket.connections.values():
            if connection.stage is Stage.CONNECTED:
                self._application.ponged(connection)

    def heartbeat_missed(self) -> None:
        """A client did not answer a ping in time."""
        self._missed.inc()

    async def _read(self, socket: EngineSocket, message: str | bytes) -> None:
        partial: Incoming | None = socket.partial
        if isinstance(message, str):
            if partial is not None:
                raise Malformed("an attachment is missing")
            packet = Incoming(message, self.limits.max_message_bytes)
            if not packet.complete:
                socket.partial = packet
                loop = asyncio.get_running_loop()
                loop.call_later(ATTACHMENTS_TIMEOUT_S, self._give_up, socket, packet)
                return
        else:
            if partial is None:
                raise Malformed("an attachment of nothing")
            partial.attach(message)
            if partial.size_bytes > MAX_TRANSPORT_BYTES:
                raise Malformed("attachments too large")
            if not partial.complete:
                return
            packet, socket.partial = partial, None
        await self._dispatch(socket, packet)

    def _give_up(self, socket: EngineSocket, packet: Incoming) -> None:
        if socket.partial is packet:
            self._malformed.inc()
            socket.shut()

    async def _dispatch(self, socket: EngineSocket, packet: Incoming) -> None:
        connection: Connection | None = socket.connections.get(packet.namespace)
        if packet.kind == CONNECT:
            if connection is not None:
                raise Malformed("a namespace connected twice")
            await self._connect(socket, packet)
        elif connection is None:
            raise Malformed("a namespace not connected")
        elif packet.kind == DISCONNECT:
            self.end(socket, packet.namespace, Ended.GOODBYE)
        elif connection.stage is Stage.CONNECTING:
            raise Malformed("a namespace not connected yet")
        elif packet.kind in (EVENT, BINARY_EVENT):
            self._application.receive(connection, packet.event())
        # Anything else is an ack, of which none was asked for.

    async def _connect(self, socket: EngineSocket, packet: Incoming) -> None:
        namespace = packet.namespace
        # The first one was counted with its handshake, by address.
        if socket.has_asked and socket.count(CONNECT_COUNTS):
            self._turned_away.inc()
            socket.shut()
            return
        socket.has_asked = True
        connection = Connection(new_id(), namespace, socket)
        # Whatever else comes while the application decides finds the namespace taken.
        socket.connections[namespace] = connection
        refusal: Encoded | None = None
        admitted = False
        try:
            refusal = await self._ask(connection, packet.data)
            admitted = refusal is None
        except Unavailable:
            self._turned_away.inc()
            socket.shut()
        finally:
            if not admitted:
                self._forget(socket, connection)
        if refusal is not None:
            socket.send(refusal)
        elif admitted:
            self._answer(socket, connection)

    async def _ask(self, connection: Connection, auth: object) -> Encoded | None:
        """Ask whether a client may come in; its CONNECT_ERROR if it may not."""
        try:
            if connection.namespace not in NAMESPACES:
                raise _UNKNOWN_NAMESPACE
            await self._application.connect(connection, auth)
        except ConnectRefused as refused:
            data = {} if refused.data is None else {"data": refused.data}
            answer = {"message": refused.message, **data}
            return _control(CONNECT_ERROR, connection.namespace, answer)
        return None

    def _answer(self, socket: EngineSocket, connection: Connection) -> None:
        """Tell an accepted client, in the turn of the loop in which it was accepted."""
        if connection.closed:
            self._forget(socket, connection)
            self._application.abandoned(connection)
            return
        connection.stage = Stage.CONNECTED
        socket.established()
        known = {"pid": connection.pid} if connection.pid is not None else {}
        # What was missed follows only now: before, a client would not move its offset.
        socket.send(_control(CONNECT, connection.namespace, {"sid": connection.id, **known}))
        self._application.connected(connection)

    def end(self, socket: EngineSocket, namespace: str, ended: Ended) -> None:
        """A client's connection to a namespace is over."""
        connection: Connection | None = socket.connections.get(namespace)
        if connection is None:
            return
        if connection.stage is Stage.CONNECTED:
            self._forget(socket, connection)
            self._application.disconnected(connection, ended)
        else:
            # It keeps its name until the application has decided: one attempt at a time.
            connection.stage = Stage.CLOSED

    def _forget(self, socket: EngineSocket, connection: Connection) -> None:
        connection.stage = Stage.CLOSED
        if socket.connections.get(connection.namespace) is connection:
            del socket.connections[connection.namespace]
        if not socket.connections:
            socket.without_namespace()


def _control(kind: int, namespace: str, data: object) -> Encoded:
    place = "" if namespace == "/" else f"{namespace},"
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return Encoded.of([f"{MESSAGE}{kind}{place}{text}"])


async def _turn_down(request: web.Request) -> web.StreamResponse:
    """Close a second WebSocket of a session at once; the first one is not concerned."""
    websocket = WebSocket(request)
    await websocket.accept(request)
    await websocket.close()
    return websocket
