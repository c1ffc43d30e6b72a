"""The sockets alone, with an application that notes down what reaches it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from harmonic_gateway.http.listening import listening
from harmonic_gateway.limits.guards import FloodGuard
from harmonic_gateway.limits.pace import Pace, PaceLimits
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import (
    Connection,
    ConnectRefused,
    ConnectUnavailable,
    Ended,
    Frame,
    Received,
    SocketLimits,
    SocketServer,
    socket_routes,
)
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock
from harmonic_runtime.process.entropy import new_id

PATIENCE_S = 20.0
PACE_LIMITS = PaceLimits(
    connection_percent=5, user_percent=10, refusals_per_s=60, refusals_burst=600
)


@dataclass
class Door:
    """Lets everybody in but those whose auth is ``{"refuse": …}``; echoes and acknowledges."""

    connections: list[Connection] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    exhaustions: list[Connection] = field(default_factory=list)
    left: list[tuple[Connection, bool]] = field(default_factory=list)
    #: What requests were not answered for, but failed with.
    failures: list[Exception] = field(default_factory=list)
    closed_for: str | None = None
    #: Why nobody is let in for the moment, if so.
    puts_off: str | None = None
    #: Why everybody is refused without being asked for.
    at_once: ConnectRefused | None = None
    #: Events that count as refused.
    refuses: set[str] = field(default_factory=set)
    url: str = ""
    server: Any = None
    metrics: Metrics = field(default_factory=Metrics)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def refuse_handshake(self) -> str | None:
        return self.closed_for

    def refused_at_once(self, *_: object) -> ConnectRefused | None:
        return self.at_once

    async def connect(self, connection: Connection, auth: object) -> None:
        if isinstance(auth, dict) and "refuse" in auth:
            raise ConnectRefused("Not today", {"error": "Not today", "code": auth["refuse"]})
        if self.puts_off is not None:
            raise ConnectUnavailable(too_often=self.puts_off == "too often")
        connection.session = auth

    def connected(self, connection: Connection) -> None:
        self.connections.append(connection)
        connection.send(Frame.event("connect_success", b'{"hello":true}'))
        self._tell()

    def receive(self, connection: Connection, event: Received) -> None:
        self.received.append(event)
        if event.name in self.refuses:
            connection.count_refusal()
        if event.ack_id is not None:
            connection.acknowledge(event.ack_id, {"ok": True})
        if event.name == "echo" and event.args:
            connection.send(Frame.event("echoed", json.dumps(event.args[0]).encode()))
        self._tell()

    def abandoned(self, connection: Connection) -> None:
        self.left.append((connection, False))

    def exhausted(self, connection: Connection) -> None:
        self.exhaustions.append(connection)

    def pinged(self, connection: Connection) -> None:
        pass

    def ponged(self, connection: Connection) -> None:
        pass

    def disconnected(self, connection: Connection, ended: Ended) -> None:
        self.left.append((connection, ended is Ended.GOODBYE))
        self._tell()

    async def until(self, what: str, count: int) -> Any:
        """Wait until a list of notes has so many; its last one."""
        async with asyncio.timeout(PATIENCE_S), self.news:
            await self.news.wait_for(lambda: len(getattr(self, what)) >= count)
        return getattr(self, what)[count - 1]

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"harmonic_{name}", labels) or 0.0

    def _tell(self) -> None:
        async def notify() -> None:
            async with self.news:
                self.news.notify_all()

        self._telling = asyncio.ensure_future(notify())


@asynccontextmanager
async def opened(*, pace: PaceLimits = PACE_LIMITS, **limits: Any) -> AsyncIterator[Door]:
    """A door on a port of its own."""
    chosen = {
        "ping_interval_s": 20,
        "ping_timeout_s": 20,
        "max_buffer_bytes": 256 * 1024,
        "max_message_bytes": 64 * 1024,
        "larger_messages_bytes": {"audio_analysis": 128 * 1024},
        **limits,
    }
    door = Door()
    door.server = SocketServer(
        door,
        limits=SocketLimits(**chosen),
        new_sid=lambda: f"g7.{new_id()}",
        new_guard=lambda: FloodGuard(50, 100),
        new_pace=lambda: Pace(pace),
        log=SampledLog(get_log(), SystemClock()),
        metrics=door.metrics,
    )

    @web.middleware
    async def noting_failures(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except Exception as error:
            door.failures.append(error)
            raise

    app = web.Application(middlewares=[noting_failures])
    app.add_routes(socket_routes(door.server.handle))
    settings = GatewaySettings(jwt_secret=SecretStr("nobody shows a token here"), port=0)
    async with listening(app, settings, None) as port:
        door.url = f"http://127.0.0.1:{port}"
        try:
            yield door
        finally:
            await door.server.close()
