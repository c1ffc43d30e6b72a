"""``python -m load.large``: the sockets alone, as a server that sends pieces when it is told to."""

import argparse
import asyncio
import sys
from typing import Any

import uvloop
from aiohttp import web

from harmonic_gateway.limits.guards import FloodGuard
from harmonic_gateway.limits.pace import Pace, PaceLimits
from harmonic_gateway.sockets import (
    Connection,
    Ended,
    Frame,
    Received,
    SocketLimits,
    SocketServer,
    broadcast,
    socket_routes,
)
from harmonic_music.composing.piece import CompositionRequest
from harmonic_music.performing import perform
from harmonic_protocol.messages.music import MAX_DURATION_S
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock
from harmonic_runtime.process.entropy import new_id

#: What it says once it listens.
READY = "ready"
#: How often a piece is sent when one is asked for, so that it takes a while.
TIMES = 20
PING_INTERVAL_S, PING_TIMEOUT_S = 5, 4
KIB = 1024


def piece() -> bytes:
    """The longest piece that may be asked for, as JSON."""
    request = CompositionRequest(MusicParameters(), PhysicsParameters(), MAX_DURATION_S, 1)
    return b'{"universeId":"u","notes":' + perform(request).notes + b"}"


class Pieces:
    """Sends a piece to all its connections: one frame for all, or one for each."""

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._piece = piece()

    def refuse_handshake(self) -> str | None:
        """Never."""
        return None

    def refused_at_once(self, *_: object) -> None:
        """Nobody is."""

    async def connect(self, connection: Connection, auth: object) -> None:
        """Anyone may come in."""

    def connected(self, connection: Connection) -> None:
        """One more."""
        self._connections.add(connection)
        connection.send(Frame.event("connect_success", b"{}"))

    def receive(self, connection: Connection, event: Received) -> None:
        """Send the piece, then ``done``; answer anything else."""
        if event.name == "send_once":
            self._send([list(self._connections)])
        elif event.name == "send_each":
            self._send([[one] for one in self._connections])
        elif event.ack_id is not None:
            connection.acknowledge(event.ack_id, len(self._piece))

    def _send(self, groups: list[list[Connection]]) -> None:
        for _ in range(TIMES):
            for group in groups:
                frame = Frame.event("music_generated", self._piece, "u:1")
                for connection in group:
                    connection.send_all([frame])
        broadcast([Frame.event("done", b"1")], self._connections)

    def abandoned(self, connection: Connection) -> None:
        """Nothing was begun."""

    def exhausted(self, connection: Connection) -> None:
        """Nobody is refused."""

    def pinged(self, connection: Connection) -> None:
        """Nobody comes back."""

    def ponged(self, connection: Connection) -> None:
        """Nobody comes back."""

    def disconnected(self, connection: Connection, ended: Ended) -> None:  # noqa: ARG002 -- the protocol's
        """One less."""
        self._connections.discard(connection)


async def serve(port: int) -> None:
    """Serve until killed."""
    limits: dict[str, Any] = {"max_buffer_bytes": 1024 * KIB, "max_message_bytes": 128 * KIB}
    server = SocketServer(
        Pieces(),
        limits=SocketLimits(
            ping_interval_s=PING_INTERVAL_S,
            ping_timeout_s=PING_TIMEOUT_S,
            **limits,
        ),
        new_sid=new_id,
        new_guard=lambda: FloodGuard(1000, 1000),
        new_pace=lambda: Pace(PaceLimits(100, 100, 1000, 1000)),
        log=SampledLog(get_log(), SystemClock()),
        metrics=Metrics(),
    )
    app = web.Application()
    app.add_routes(socket_routes(server.handle))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="load.large", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
