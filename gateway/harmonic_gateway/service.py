"""The gateway, composed in one place: started top down, stopped in reverse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from harmonic_gateway import metrics as table
from harmonic_gateway.admission.application import GatewayApplication
from harmonic_gateway.admission.arrivals import Arrivals
from harmonic_gateway.admission.crowding import Crowding
from harmonic_gateway.admission.describing import describing
from harmonic_gateway.admission.greeting import Greeting
from harmonic_gateway.admission.moving import ClientMover
from harmonic_gateway.admission.records import ConnectionRecords
from harmonic_gateway.admission.tokens import INTERVAL_S as TOKENS_INTERVAL_S
from harmonic_gateway.admission.tokens import TokenWatch
from harmonic_gateway.admission.unloading import Unloading
from harmonic_gateway.commands.mailbox import MailboxLimits
from harmonic_gateway.commands.opening import open_intake
from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.history import History
from harmonic_gateway.delivery.meter import DeliveryMeter
from harmonic_gateway.delivery.pieces import Pieces
from harmonic_gateway.failures import Failures
from harmonic_gateway.http.address_guard import AddressGuard
from harmonic_gateway.http.api import Api
from harmonic_gateway.http.api_answers import ApiAnswers
from harmonic_gateway.http.event_streams import EventStreams
from harmonic_gateway.http.followed_stream import StreamMeans
from harmonic_gateway.http.listening import listening, tls_context
from harmonic_gateway.http.shown import ShownStates
from harmonic_gateway.http.web_application import web_application
from harmonic_gateway.identity.fingerprints import Fingerprints
from harmonic_gateway.identity.opening import open_identities
from harmonic_gateway.identity.pids import Pids
from harmonic_gateway.identity.proofs import Proofs
from harmonic_gateway.identity.rotation import rotated_files
from harmonic_gateway.identity.session_ids import SessionIds
from harmonic_gateway.limits.allowances import open_allowances
from harmonic_gateway.limits.dead_tokens import DeadTokens
from harmonic_gateway.limits.debts import Debts
from harmonic_gateway.limits.paid_calls import PaidCalls
from harmonic_gateway.limits.switches import Switches
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.heads import OWNERS_INTERVAL_S
from harmonic_gateway.membership.joining import Joining
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.opening import open_heads, open_rooms
from harmonic_gateway.membership.rejoining import Rejoining
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_gateway.peers.exchange import Exchange
from harmonic_gateway.peers.front import Neighbours
from harmonic_gateway.peers.namesakes import LOOK_INTERVAL_S, Namesakes, announced
from harmonic_gateway.peers.opening import (
    ask_presence,
    event_guard,
    new_sockets,
    open_front,
    user_budgets,
)
from harmonic_gateway.recovery.missed import MissedReader
from harmonic_gateway.recovery.moving import RoomMoves
from harmonic_gateway.recovery.opening import open_recovery
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import socket_routes
from harmonic_operated.operated import operated
from harmonic_protocol import subjects
from harmonic_protocol.messages.connection import PROTOCOL_VERSION
from harmonic_runtime.bus.client import open_bus
from harmonic_runtime.bus.credentials import rotated_credentials
from harmonic_runtime.bus.directory import watch
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.bus.timebase import shared_clock
from harmonic_runtime.observability.ops import health_routes, ops_server
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.observability.tracing import open_tracer
from harmonic_runtime.process.lifecycle import Process, Tasks
from harmonic_runtime.process.rotation import keep_rotating
from harmonic_runtime.process.ticker import every

#: A gateway without a sign of life for this long counts as lost.
GATEWAY_TTL_S = 6.0


@asynccontextmanager
async def gateway(  # noqa: PLR0915 -- the composition, read top to bottom
    process: Process[GatewaySettings],
) -> AsyncIterator[None]:
    """Run a replica of the gateway while the block runs."""
    settings, log = process.settings, process.log
    metrics, own = process.metrics, process.clock
    gateway_id = settings.replica_id
    process.tell_build(PROTOCOL_VERSION)
    async with (
        ops_server(settings, process.readiness, metrics),
        open_bus(
            settings,
            name=f"gateway {settings.instance}",
            log=log,
            metrics=metrics,
            on_closed=lambda: process.fail("bus closed"),
            waiting_for=process.waiting_for,
        ) as bus,
        shared_clock(bus, own, subjects.REVOCATIONS_STREAM, metrics=metrics, log=log) as clock,
        watch(bus, "state") as replicas,
        watch(bus, "gateway", ttl_s=GATEWAY_TTL_S) as gateways,
        announced(bus, settings, gateway_id),
        Tasks(process) as tasks,
        operated(process, bus, tasks) as operators,
        open_tracer(settings, "gateway") as tracer,
    ):
        memberships = Memberships()
        asking = OwnerClient(bus, replicas, "state")
        owners = Owners(asking, clock, settings.request_timeout_s, memberships.logs)
        streams = Streams(bus, patience_s=settings.bus_start_timeout_s)
        sampled = SampledLog(log, clock)
        pieces = Pieces(streams, metrics, sampled)
        saved_sessions = Sessions(streams, clock=clock, metrics=metrics, log=sampled)
        proofs = Proofs(*settings.recovery_secrets)
        pids, sids = Pids(proofs), SessionIds(proofs, settings.session_prefix, gateway_id)
        # Tokens alone are checked against the host's clock: their issuer does not use the broker's.
        keys, service_keys, revocations, standing = open_identities(
            bus, settings, own, tasks=tasks, metrics=metrics, log=log
        )
        switches = Switches(bus, log)
        failures = Failures(log, sampled, metrics)
        meter = DeliveryMeter(clock, tracer, metrics)
        answers = Answers(failures, meter, metrics)
        sessions: dict[str, Session] = {}
        tokens = TokenWatch(
            sessions=sessions,
            standing=standing,
            answers=answers,
            clock=own,
            warning_s=settings.token_warning_s,
            grace_s=settings.token_grace_s,
        )
        revocations.on_news(tokens.look_at_revocations)
        allowances = open_allowances(streams, settings, gateway_id, clock, metrics)
        with process.waiting_for("the streams of limits"):
            await allowances.learn()
        tasks.start(allowances.keep_learning(), name="allowances")
        # Memberships of connections here whose seats were released.
        unseated: asyncio.Queue[Membership] = asyncio.Queue()
        history = History(bus, owners, pieces, gateway_id)
        exchange = Exchange(bus, gateway_id, tasks, log)
        ask_states = partial(ask_presence, exchange)
        rooms = open_rooms(
            bus,
            settings,
            gateways,
            gateway_id,
            ask=ask_states,
            memberships=memberships,
            history=history,
            unseated=unseated,
            answers=answers,
            sessions=saved_sessions,
            meter=meter,
            tasks=tasks,
            clock=clock,
            metrics=metrics,
            log=log,
        )
        heads = await open_heads(
            *(bus, replicas, gateway_id), rooms=rooms, owners=owners, tasks=tasks, metrics=metrics
        )
        departures = Departures(
            memberships=memberships,
            rooms=rooms,
            owners=owners,
            sessions=saved_sessions,
            tasks=tasks,
            grace_s=settings.departure_grace_s,
        )
        rejoining = Rejoining(
            unseated=unseated,
            memberships=memberships,
            rooms=rooms,
            owners=owners,
            answers=answers,
            sessions=saved_sessions,
            tasks=tasks,
        )
        tasks.start(rejoining.keep_rejoining(), name="rejoining")
        debts = Debts(settings.owed_bytes_per_user, settings.owed_frames_per_user)
        reader = MissedReader(history, debts, clock, metrics)
        pending, recovery = await open_recovery(
            bus,
            settings,
            gateways,
            gateway_id,
            sessions=sessions,
            saved=saved_sessions,
            pids=pids,
            owners=owners,
            memberships=memberships,
            rooms=rooms,
            departures=departures,
            reader=reader,
            answers=answers,
            log=sampled,
            tasks=tasks,
            clock=clock,
            metrics=metrics,
        )
        tasks.start(saved_sessions.keep_signing(gateway_id), name="sign of life")
        budgets = user_budgets(settings)
        intake = open_intake(
            bus,
            MailboxLimits.configured(settings, event_guard(settings).allowance),
            budgets,
            joining=Joining(
                memberships=memberships,
                rooms=rooms,
                owners=owners,
                sessions=saved_sessions,
                departures=departures,
                rooms_per_connection=settings.rooms_per_connection,
            ),
            memberships=memberships,
            rooms=rooms,
            owners=owners,
            cancel_return=pending.cancel,
            refresh=tokens.refresh,
            standing=standing,
            switches=switches,
            allowances=allowances,
            answers=answers,
            tasks=tasks,
            clock=clock,
            tracer=tracer,
            metrics=metrics,
            log=log,
        )
        crowding = Crowding(
            connections_per_user=settings.connections_per_user,
            ping_timeout_s=settings.ping_timeout_s,
            metrics=metrics,
        )
        dead = DeadTokens()
        arrivals = Arrivals(
            standing=standing,
            crowding=crowding,
            recovery=recovery,
            pids=pids,
            fingerprints=Fingerprints(settings.recovery_secrets[0]),
            departures=departures,
            gateway_id=gateway_id,
            records=ConnectionRecords(
                settings.recovery_secrets[0], failures, clock, dead=dead, metrics=metrics, log=log
            ),
        )
        revocations.on_news(arrivals.look_at_tokens)
        unloading = Unloading(sessions, bus, operators, process.readiness, tasks)
        operators.describe_with(describing(switches, keys, service_keys, proofs))
        application = GatewayApplication(
            sessions=sessions,
            arrivals=arrivals,
            greeting=Greeting(settings, allowances, clock),
            tokens=tokens,
            intake=intake,
            recovery=recovery,
            departures=departures,
            refuses=unloading.refusal,
        )
        await revocations.follower.follow(tasks.start, name="revocations")
        await switches.follower.follow(tasks.start, name="switches")
        with process.waiting_for("the keys of tokens"):
            await keys.loaded()
        sockets = new_sockets(application, settings, sids, log=sampled, metrics=metrics)
        following = StreamMeans(
            *(rooms, owners, history, standing, gateway_id, settings.send_buffer_bytes, budgets)
        )
        event_streams = EventStreams(
            *(following, crowding, application.refuse_handshake), metrics=metrics, log=sampled
        )
        revocations.on_news(event_streams.look_at_tokens)
        unloading.include(event_streams)
        metrics.gauge_from(table.CONNECTIONS, lambda: len(sessions) + len(event_streams))
        shown = ShownStates(ask_states)
        api = Api(
            standing=standing,
            calls=PaidCalls(allowances, budgets),
            owners=owners,
            answers=ApiAnswers(pieces, history, shown, event_streams, proofs=proofs, clock=clock),
            switches=switches,
            gateway_id=gateway_id,
            tracer=tracer,
            failures=failures,
        )
        moves = RoomMoves(
            memberships=memberships,
            rooms=rooms,
            owners=owners,
            reader=reader,
            pending=pending,
            answers=answers,
            recovery=recovery,
        )
        mover = ClientMover(
            sessions=sessions,
            crowding=crowding,
            tokens=tokens,
            intake=intake,
            moves=moves,
            departures=departures,
            gateway_id=gateway_id,
            clock=clock,
        )
        addresses = AddressGuard(settings, dead, metrics, clock, sampled)
        namesakes = Namesakes(gateways, settings, gateway_id, metrics=metrics, log=sampled)
        front = await open_front(
            *(sockets, exchange),
            Neighbours(gateways, gateway_id, sids),
            mover=mover,
            doorkeeper=addresses,
            presence=rooms.live.presence.answer,
            metrics=metrics,
        )
        routes = [*socket_routes(front.handle), *api.routes(), *health_routes(process.readiness)]
        app = web_application(
            settings, routes, addresses, keys, clock=own, failures=failures, log=log
        )
        with (
            every(OWNERS_INTERVAL_S, heads.look_at_owners),
            every(TOKENS_INTERVAL_S, tokens.look_at_times),
            every(TOKENS_INTERVAL_S, arrivals.look_at_tokens),
            every(TOKENS_INTERVAL_S, event_streams.look_at_tokens),
            every(LOOK_INTERVAL_S, namesakes.look),
        ):
            tls = tls_context(settings)
            rotated = [
                *rotated_files(settings, keys, service_keys, proofs, tls),
                *rotated_credentials(settings, bus),
            ]
            tasks.start(keep_rotating(rotated, metrics=metrics, log=log), name="rotation")
            async with listening(app, settings, tls) as port:
                log.info("listening", host=settings.host, port=port)
                yield
                # Accept no new client from here on; close the connections before the bus.
                over_s = settings.drain_stagger_s
                await asyncio.gather(sockets.close(over_s), event_streams.close(over_s))
                await application.close()
                exchange.tell_now()
