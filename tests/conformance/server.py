"""What the suites expect to speak to: echoes behind the gateway's own sockets and HTTP server."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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
    Ended,
    Frame,
    Received,
    SocketLimits,
    SocketServer,
    handshakes,
    limits,
    namespaces,
    server,
    socket_routes,
)
from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.frames import Encoded
from harmonic_gateway.sockets.server import Handle
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock
from harmonic_runtime.process.entropy import new_id

SETTINGS = GatewaySettings(
    jwt_secret=SecretStr("nobody shows a token here"),
    port=0,
    # That clients do not speak the protocol is what half of the tests are about.
    log_level="error",
)
LIMITS = SocketLimits(
    ping_interval_s=0.3,
    ping_timeout_s=0.2,
    max_buffer_bytes=1024 * 1024,
    max_message_bytes=128 * 1024,
)
#: Longer than any test may take but the one that waits for just this.
HANDSHAKE_TIMEOUT_S = 6.0


def behave_as_the_suites_expect() -> None:
    """Set what they take for granted and the product decides otherwise, for this process."""
    server.PATHS = ("/engine.io/", "/socket.io/")
    namespaces.NAMESPACES = ("/", "/custom")
    handshakes.MAX_TRANSPORT_BYTES = 1_000_000  # type: ignore[attr-defined]  # imported there
    # Clients of the product are told a code as well.
    namespaces._UNKNOWN_NAMESPACE = ConnectRefused("Invalid namespace", None)
    limits.HANDSHAKE_TIMEOUT_S = limits.LATE_TIMEOUT_S = HANDSHAKE_TIMEOUT_S


class SocketIoEcho:
    """The application of the Socket.IO suite."""

    def refuse_handshake(self) -> None:
        pass

    def refused_at_once(self, *_: object) -> None:
        """Nobody is."""

    async def connect(self, connection: Connection, auth: object) -> None:
        connection.session = auth or {}

    def connected(self, connection: Connection) -> None:
        connection.send(Frame.event("auth", _json(connection.session)))

    def receive(self, connection: Connection, event: Received) -> None:
        assert event.args is not None
        attachments: list[bytes] = []
        args = _json([_with_placeholders(arg, attachments) for arg in event.args])
        if event.name == "message":
            connection.send(Frame.binary("message-back", args[1:-1], attachments))
        elif event.name == "message-with-ack":
            kind = f"46{len(attachments)}-" if attachments else "43"
            place = "" if connection.namespace == "/" else f"{connection.namespace},"
            head = f"{kind}{place}{event.ack_id}{args.decode()}"
            connection.write(Encoded.of([head, *attachments]))

    def abandoned(self, connection: Connection) -> None:
        pass

    def disconnected(self, connection: Connection, ended: Ended) -> None:
        pass

    def exhausted(self, connection: Connection) -> None:
        pass

    def pinged(self, connection: Connection) -> None:
        pass

    def ponged(self, connection: Connection) -> None:
        pass


class EngineIoEcho(SocketServer):
    """The sockets of the Engine.IO suite, which speaks no Socket.IO."""

    async def said(self, socket: EngineSocket, message: str | bytes, cost_s: float) -> None:  # noqa: ARG002 -- the host's
        socket.in_use()
        socket.outbox.send(Encoded.of([message if isinstance(message, bytes) else f"4{message}"]))


def new_sockets(sockets: type[SocketServer], new_sid: Callable[[], str] = new_id) -> SocketServer:
    """Sockets with echoes behind them; session ids are made by ``new_sid``."""
    return sockets(
        SocketIoEcho(),
        limits=LIMITS,
        new_sid=new_sid,
        new_guard=lambda: FloodGuard(1000, 1000),
        new_pace=lambda: Pace(PaceLimits(100, 100, 1000, 1000)),
        log=SampledLog(get_log(), SystemClock()),
        metrics=Metrics(),
    )


@asynccontextmanager
async def serving(served: SocketServer, handle: Handle) -> AsyncIterator[int]:
    """Have requests handled on a port of its own, which the block is given."""
    app = web.Application()
    app.add_routes(socket_routes(handle))
    async with listening(app, SETTINGS, None) as port:
        try:
            yield port
        finally:
            await served.close()


@asynccontextmanager
async def echoing(sockets: type[SocketServer]) -> AsyncIterator[str]:
    """One gateway's sockets; the block is given the address."""
    served = new_sockets(sockets)
    async with serving(served, served.handle) as port:
        yield f"http://127.0.0.1:{port}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _with_placeholders(value: Any, attachments: list[bytes]) -> Any:
    match value:
        case bytes():
            attachments.append(value)
            return {"_placeholder": True, "num": len(attachments) - 1}
        case list():
            return [_with_placeholders(item, attachments) for item in value]
        case dict():
            return {key: _with_placeholders(item, attachments) for key, item in value.items()}
        case _:
            return value
