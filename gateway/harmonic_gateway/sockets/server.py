"""All sessions of a gateway, and the requests that begin them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import TypeAlias

from aiohttp import web

from harmonic_gateway.sockets.answering import AnswerComposer
from harmonic_gateway.sockets.attached import OpenWebSockets
from harmonic_gateway.sockets.connection import Application
from harmonic_gateway.sockets.counters import SocketCounters
from harmonic_gateway.sockets.ended import Ended, EndReason
from harmonic_gateway.sockets.engine import POLICY_CODE, EngineSocket
from harmonic_gateway.sockets.handed import HandedSession
from harmonic_gateway.sockets.handshakes import Handshakes, Opening
from harmonic_gateway.sockets.headers import Beginning
from harmonic_gateway.sockets.heartbeat import Heartbeat
from harmonic_gateway.sockets.lateness import LateClients
from harmonic_gateway.sockets.limits import (
    LINGER_S,
    Guard,
    ReadingPace,
    SocketLimits,
)
from harmonic_gateway.sockets.namespaces import Namespaces
from harmonic_gateway.sockets.packets import Malformed
from harmonic_gateway.sockets.polling import BAD_REQUEST, read_body
from harmonic_gateway.sockets.recent import RecentSessions
from harmonic_gateway.sockets.requests import (
    POLLING,
    WEBSOCKET,
    answer_request,
    is_fit,
    is_websocket,
)
from harmonic_gateway.sockets.turns import Turns
from harmonic_gateway.sockets.upgrading import begin_websocket, try_websocket
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.deadlines import GRAIN_S, Deadlines
from harmonic_runtime.process.ticker import spread

#: The paths of Engine.IO, and an alias. Some clients, and proxies, omit the last slash.
PATHS: Sequence[str] = ("/socket.io/", "/socket.io", "/ws/", "/ws")
Handle: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Seconds that a client is asked to wait if it cannot be accepted at the moment.
RETRY_AFTER_S = 1


def socket_routes(handle: Handle) -> list[web.RouteDef]:
    """The routes of Engine.IO."""
    return [web.route("*", path, handle) for path in PATHS]


#: A heartbeat is late by at most this fraction (1/n) of its interval.
GRAINS_PER_BEAT = 1000


class SocketServer:
    """Serves sessions on the routes of an aiohttp application, and handles their reports."""

    def __init__(
        self,
        application: Application,
        *,
        limits: SocketLimits,
        new_sid: Callable[[], str],
        new_guard: Callable[[], Guard],
        new_pace: Callable[[], ReadingPace],
        log: SampledLog,
        metrics: Metrics,
    ) -> None:
        self.limits = limits
        self._application = application
        self._new_guard = new_guard
        self._new_pace = new_pace
        self._log = log
        self._new_sid = new_sid
        self._opening = Opening(limits)
        self._handshakes = Handshakes(self._begin)
        self._composer = AnswerComposer()
        self._sessions: dict[str, EngineSocket] = {}
        self._draining = False
        self.recent = RecentSessions()
        self.turns = Turns()
        # Shorter heartbeats need a finer grain.
        self.beats = Deadlines(
            Heartbeat.come_due, min(GRAIN_S, limits.ping_interval_s / GRAINS_PER_BEAT)
        )
        self._emptied = asyncio.Event()
        self.open_websockets = OpenWebSockets()
        self.late = LateClients(limits.late_per_address)
        self.tally = SocketCounters(metrics, self._sessions, self.late)

    def find(self, sid: str) -> EngineSocket | None:
        """The session with this id here, if it has begun."""
        socket = self._sessions.get(sid)
        return None if socket is None or socket.opening else socket

    async def close(self, stagger_s: float = 0.0) -> None:
        """Accept no new session, and close all, evenly spread over ``stagger_s``.

        Each client is first sent its waiting packets, and reconnects to another gateway. Return
        once all are gone, or after another ``LINGER_S``.
        """
        self._draining = True
        async for socket in spread(list(self._sessions.values()), stagger_s):
            socket.why = EndReason.DRAINING
            socket.shut()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                if self._sessions:
                    await self._emptied.wait()
                # Clients may not have read their close frames yet.
                await self.open_websockets.closed()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request of a session that is here, or begin a session."""
        sid = request.query.get("sid")
        if not sid and (reason := self.not_now()) is not None:
            # Clients do not try again after a CONNECT_ERROR, so refuse the handshake.
            self.tally.turned_away.inc()
            self._log.info("handshake_turned_away", kind=reason, reason=reason)
            return web.Response(
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                text=reason,
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        if not is_fit(request):
            return BAD_REQUEST.to_response()
        if not sid:
            return await self._handshakes.answer(request)
        socket = self.find(sid)
        if socket is not None and is_websocket(request):
            return await try_websocket(socket, request)
        if socket is None or request.query["transport"] != POLLING:
            return BAD_REQUEST.to_response()
        answer = await answer_request(socket, request.method, lambda: read_body(request))
        return self._composer.response(request, answer)

    async def _begin(self, request: web.Request, transport: str) -> web.StreamResponse:
        """Begin a session, and serve it until the request is answered."""
        sid = self._new_sid()
        socket = self._sessions[sid] = self._new_session(sid, Beginning.of(request))
        opening = self._opening.packet(sid, transport)
        if transport == WEBSOCKET:
            return await begin_websocket(socket, request, opening)
        return self._composer.response(request, await socket.poll(opening))

    def begin_taking_over(self, sid: str, handed: HandedSession) -> EngineSocket | None:
        """A new session to take over one of another gateway; ``None`` if that is not possible."""
        if self._draining or sid in self._sessions:
            return None
        socket = self._sessions[sid] = self._new_session(sid, handed.begun)
        return socket

    def not_now(self) -> str | None:
        """Why no session is accepted at the moment, if none is."""
        return (
            "This server is about to stop"
            if self._draining
            else self._application.refuse_handshake()
        )

    def _new_session(self, sid: str, begun: Beginning) -> EngineSocket:
        socket = EngineSocket(self, sid, begun, self._new_pace())
        socket.upper = Namespaces(
            socket,
            self._application,
            guard=self._new_guard(),
            limits=self.limits,
            counters=self.tally,
        )
        return socket

    def said(
        self, socket: EngineSocket, message: str | bytes, cost_s: float
    ) -> Awaitable[None] | None:
        """Take a client's message; raise :class:`Malformed` if it is not valid."""
        try:
            asking: Awaitable[None] | None = socket.upper.said(message, cost_s)
        except Malformed:
            raise
        except Exception as error:
            raise self._failed() from error
        return None if asking is None else self._asked(asking)

    async def _asked(self, asking: Awaitable[None]) -> None:
        try:
            await asking
        except Exception as error:
            raise self._failed() from error

    def _failed(self) -> Malformed:
        """The error that ends a session after this server failed to handle its packet."""
        self._log.exception("packet_failed")
        return Malformed("the server failed to read it")

    def gone(self, socket: EngineSocket, ended: Ended) -> None:
        """Forget a session that has ended, and end its connections."""
        self._forget(socket)
        if ended is Ended.GOODBYE and not socket.upgraded and not socket.outbox.is_polled:
            self.recent.left(socket.sid)
        socket.upper.end_all(ended)

    def moved(self, socket: EngineSocket) -> None:
        """Forget a session that moved to another gateway."""
        self._forget(socket)
        self.recent.moved(socket.sid)
        socket.upper.moved()

    def _forget(self, socket: EngineSocket) -> None:
        self._sessions.pop(socket.sid, None)
        if self._draining and not self._sessions:
            self._emptied.set()

    def malformed(self, error: Exception) -> None:
        """Count and log a client that violated the protocol and is closed."""
        self.tally.malformed.inc()
        reason = str(error) if isinstance(error, Malformed) else "no Engine.IO"
        self._log.info("packet_malformed", kind=reason, reason=reason)

    def exhausted(self, socket: EngineSocket) -> None:
        """Close a client of which too many messages were refused."""
        socket.why = EndReason.REFUSALS
        socket.upper.tell(self._application.exhausted)
        socket.shut(POLICY_CODE)

    def pinged(self, socket: EngineSocket) -> None:
        """Report a ping to the application."""
        socket.upper.tell(self._application.pinged)

    def ponged(self, socket: EngineSocket) -> None:
        """Report an answered ping to the application, and its round trip to the metrics."""
        if socket.heartbeat.round_trip_ms is not None:
            self.tally.round_trips.observe(socket.heartbeat.round_trip_ms / 1000)
        try:
            socket.upper.tell(self._application.ponged)
        except Exception:
            self._log.exception("heartbeat_failed")
            raise
