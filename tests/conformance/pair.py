"""Two gateways' sockets that are asked in turn, request by request, with a broker between them."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from conformance.server import SETTINGS, new_sockets, serving
from harmonic_gateway.identity.proofs import Proofs
from harmonic_gateway.identity.session_ids import SessionIds
from harmonic_gateway.peers.exchange import Exchange
from harmonic_gateway.peers.front import Neighbours
from harmonic_gateway.peers.opening import open_front
from harmonic_gateway.sockets import Connection, SocketServer
from harmonic_runtime.bus.directory import announce, watch
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.lifecycle import Process, Tasks
from harness.broker import Broker, connected, running_broker
from recovery.proxy import proxy

LINGER_S = 1.0


class EchoMover:
    """Moves echoes: all that there is of one is what its client said when it connected."""

    def is_settled(self, connection: Connection) -> bool:
        return connection.session is not None

    def hand_over(self, connection: Connection) -> Mapping[str, Any]:
        return {"session": connection.session}

    def moved(self, connection: Connection) -> None:
        pass

    async def take_over(self, connection: Connection, kept: Mapping[str, Any]) -> None:
        connection.session = kept["session"]

    def taken_over(self, connection: Connection) -> None:
        pass

    def not_taken(self, connection: Connection) -> None:
        pass


class OpenDoor:
    """Lets everybody ask for any session."""

    def look(self, request: web.Request) -> None:
        pass

    def blame(self, request: web.Request) -> None:
        pass


@asynccontextmanager
async def echoing_in_turn(sockets: type[SocketServer]) -> AsyncIterator[str]:
    """Two gateways' sockets behind plain round robin; the block is given the address."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = await stack.enter_async_context(running_broker(data))
        ports = [
            await stack.enter_async_context(_gateway(broker, sockets, name))
            for name in ("first", "second")
        ]
        balancer = await stack.enter_async_context(proxy(ports, [], linger_s=LINGER_S, plain=True))
        yield balancer.url


@asynccontextmanager
async def _gateway(broker: Broker, sockets: type[SocketServer], name: str) -> AsyncIterator[int]:
    process = Process(SETTINGS, "gateway")
    sids = SessionIds(Proofs("the gateways' secret"), "conformance", name)
    served = new_sockets(sockets, sids.issue)
    async with (
        connected(broker.url) as bus,
        announce(bus, service="gateway", replica_id=name),
        watch(bus, "gateway") as gateways,
        Tasks(process) as tasks,
    ):
        front = await open_front(
            served,
            Exchange(bus, name, tasks, get_log()),
            Neighbours(gateways, name, sids),
            mover=EchoMover(),
            doorkeeper=OpenDoor(),
            presence=lambda _: b"",
            metrics=Metrics(),
        )
        async with serving(served, front.handle) as port:
            yield port
