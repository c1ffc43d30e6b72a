"""The gateway, composed in one place: started top down, stopped in reverse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from harmonic_gateway.answers import Answers
from harmonic_gateway.api import Api, error_middleware
from harmonic_gateway.commands import Commands
from harmonic_gateway.feed import LogTrimmed
from harmonic_gateway.front_door import FrontDoor
from harmonic_gateway.heads import OWNERS_INTERVAL_S, HeadWatch
from harmonic_gateway.identity import Verifier
from harmonic_gateway.owners import Owners
from harmonic_gateway.pids import Pids
from harmonic_gateway.pieces import Pieces
from harmonic_gateway.recovery import Recovery
from harmonic_gateway.rooms import Rooms
from harmonic_gateway.sessions import Sessions
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.signals import unpack
from harmonic_gateway.sockets import SocketLimits, SocketServer
from harmonic_protocol import subjects
from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import LogPart, ReadLog
from harmonic_protocol.log import HiddenEvent
from harmonic_protocol.messages.audio import MAX_AUDIO_MESSAGE_BYTES
from harmonic_protocol.messages.declaration import MAX_MESSAGE_BYTES
from harmonic_protocol.refusals import Code
from harmonic_runtime.bus import BusUnavailable, open_bus
from harmonic_runtime.directory import announce, watch
from harmonic_runtime.lifecycle import Process, Tasks
from harmonic_runtime.ops import SHUTDOWN_TIMEOUT_S, health_routes, ops_server
from harmonic_runtime.routing import OwnerClient
from harmonic_runtime.streams import Streams
from harmonic_runtime.ticker import every
from harmonic_runtime.wire import Message

#: How often a gateway says that it lives; owners wait for several of these.
ANNOUNCE_INTERVAL_S = 2.0
#: Gateways of which nothing is heard for so long have left their clients alone.
GATEWAY_TTL_S = 6.0
#: Connections that may wait to be taken. A client beyond them believes that it is connected, and
#: is heard half a minute later: thousands come at once where a gateway was restarted.
LISTEN_BACKLOG = 4096
#: Rooms whose missed records are asked for at the same time.
LOGS_READ_AT_ONCE = 32


@asynccontextmanager
async def gateway(process: Process[GatewaySettings]) -> AsyncIterator[None]:
    """Everything that a replica of the gateway consists of."""
    settings, log, metrics, clock = (
        process.settings,
        process.log,
        process.metrics,
        process.clock,
    )
    gateway_id = settings.replica_id
    async with (
        ops_server(settings, process.readiness, metrics),
        open_bus(
            settings,
            name=f"gateway {gateway_id}",
            log=log,
            metrics=metrics,
            on_closed=lambda: process.fail("bus closed"),
        ) as bus,
        watch(bus, "state") as replicas,
        watch(bus, "gateway", ttl_s=GATEWAY_TTL_S) as gateways,
        announce(
            bus,
            service="gateway",
            replica_id=gateway_id,
            interval_s=ANNOUNCE_INTERVAL_S,
            farewell=False,
        ),
        Tasks(process) as tasks,
    ):
        owners = Owners(OwnerClient(bus, replicas, "state"), clock, settings.request_timeout_s)
        streams = Streams(bus)
        pieces = Pieces(streams)
        saved_sessions = Sessions(streams, clock=clock, metrics=metrics, log=log)
        pids = Pids(settings.jwt_secret.get_secret_value())
        verifier = Verifier(settings.jwt_secret.get_secret_value())
        answers = Answers(log, metrics)

        reading = asyncio.Semaphore(LOGS_READ_AT_ONCE)

        async def read_log(universe_id: str, after_position: int) -> LogPart:
            request = ReadLog(universe_id=universe_id, after_position=after_position)
            caller = Caller("", "", gateway_id=gateway_id)
            async with reading:
                reply = await owners.ask(universe_id, request.operation(), request, caller)
            if reply.error is not None and reply.error.code is Code.NOT_FOUND:
                raise LogTrimmed
            if reply.error is not None:
                raise BusUnavailable(reply.error.message)
            return LogPart.model_validate(reply.result)

        def notice(universe_id: str, event: HiddenEvent) -> None:
            door.notice(universe_id, event)

        def signal(universe_id: str, message: Message) -> None:
            rooms.broadcast(universe_id, [unpack(message)])

        rooms = Rooms(
            bus=bus,
            read_log=read_log,
            fetch_notes=pieces.notes,
            on_notice=notice,
            on_signal=signal,
            tasks=tasks,
            metrics=metrics,
            log=log,
        )
        heads = HeadWatch(
            rooms=rooms, owners=owners, replicas=replicas, gateway_id=gateway_id, metrics=metrics
        )
        await bus.subscribe(subjects.HEADS, heads.hear)
        bus.on_reconnect(heads.compare_all)
        bus.on_gap(heads.compare_all)
        tasks.start(heads.keep_asking(), name="heads")
        commands = Commands(
            bus=bus,
            owners=owners,
            rooms=rooms,
            sessions=saved_sessions,
            answers=answers,
            clock=clock,
            rooms_per_connection=settings.rooms_per_connection,
        )
        recovery = Recovery(
            sessions=saved_sessions,
            pids=pids,
            owners=owners,
            rooms=rooms,
            answers=answers,
            gateways=gateways,
            read_log=read_log,
            fetch_notes=pieces.notes,
            window_s=settings.recovery_window_s,
            clock=clock,
            metrics=metrics,
        )
        door = FrontDoor(
            settings=settings,
            gateway_id=gateway_id,
            bus=bus,
            verifier=verifier,
            owners=owners,
            rooms=rooms,
            commands=commands,
            answers=answers,
            saved_sessions=saved_sessions,
            recovery=recovery,
            pids=pids,
            clock=clock,
            tasks=tasks,
            metrics=metrics,
            log=log,
        )
        sockets = SocketServer(door, limits=_limits(settings), log=log, metrics=metrics)
        api = Api(verifier=verifier, owners=owners, pieces=pieces, gateway_id=gateway_id, log=log)
        app = web.Application(
            client_max_size=MAX_MESSAGE_BYTES, middlewares=[error_middleware(log)]
        )
        app.add_routes([*sockets.routes(), *api.routes(), *health_routes(process.readiness)])
        with every(OWNERS_INTERVAL_S, heads.look_at_owners):
            async with _listening(app, settings) as port:
                log.info("listening", host=settings.host, port=port)
                yield
                # Nobody new from here on; those who are here go before the bus does.
                await sockets.close()
                await door.close()


def _limits(settings: GatewaySettings) -> SocketLimits:
    return SocketLimits(
        ping_interval_s=settings.ping_interval_s,
        ping_timeout_s=settings.ping_timeout_s,
        max_buffer_bytes=settings.send_buffer_bytes,
        max_message_bytes=MAX_AUDIO_MESSAGE_BYTES,
        allowed_origins=tuple(filter(None, settings.allowed_origins.split(","))),
        name=settings.gateway_name,
    )


@asynccontextmanager
async def _listening(app: web.Application, settings: GatewaySettings) -> AsyncIterator[int]:
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_TIMEOUT_S
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, backlog=LISTEN_BACKLOG)
        await site.start()
        port: int = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()
