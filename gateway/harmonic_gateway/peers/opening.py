"""Composes the parts of a gateway that talk to other gateways."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from harmonic_gateway.identity.session_ids import SessionIds
from harmonic_gateway.limits.guards import FloodGuard
from harmonic_gateway.limits.pace import Pace, PaceLimits, UserBudgets
from harmonic_gateway.peers.exchange import FAILED, Exchange, Listener, Said
from harmonic_gateway.peers.front import Doorkeeper, Front, Neighbours
from harmonic_gateway.peers.questions import ALLOWED, Asked
from harmonic_gateway.peers.serving import Serving
from harmonic_gateway.peers.taking import Takeovers
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import Application, Mover, SocketLimits, SocketServer
from harmonic_protocol.catalogue import LARGER_MESSAGES_BYTES
from harmonic_protocol.messages.declaration import MAX_MESSAGE_BYTES
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog

#: How long a gateway may take to tell what participants show.
PRESENCE_TIMEOUT_S = 2.0


async def open_front(
    sockets: SocketServer,
    exchange: Exchange,
    neighbours: Neighbours,
    *,
    mover: Mover,
    doorkeeper: Doorkeeper,
    presence: Callable[[bytes], bytes],
    metrics: Metrics,
) -> Front:
    """Answer other gateways about the sessions here; what clients are to be answered by.

    ``presence`` answers what is asked of participants' states.
    """
    serving = Serving(sockets, mover)

    def answer(asked: Said) -> Said | Coroutine[Any, Any, Said]:
        if asked.kind == Asked.PRESENCE:
            return Said(ALLOWED, body=presence(asked.body))
        return serving.answer(asked)

    await exchange.listen(Listener(answer, serving.hear, serving.lost))
    return Front(
        sockets=sockets,
        exchange=exchange,
        neighbours=neighbours,
        takeovers=Takeovers(sockets, exchange, mover, metrics),
        doorkeeper=doorkeeper,
        metrics=metrics,
    )


async def ask_presence(exchange: Exchange, gateway_id: str, body: bytes) -> bytes:
    """A gateway's answer about participants' states; raise :class:`BusUnavailable` without one.

    One of a version that knows of none has none.
    """
    asked = Said(Asked.PRESENCE, body=body)
    answer = await exchange.ask(gateway_id, asked, timeout_s=PRESENCE_TIMEOUT_S)
    if answer.kind == FAILED:
        raise BusUnavailable("the gateway could not tell")
    return answer.body if answer.kind == ALLOWED else b""


def new_sockets(
    application: Application,
    settings: GatewaySettings,
    session_ids: SessionIds,
    *,
    log: SampledLog,
    metrics: Metrics,
) -> SocketServer:
    """The sockets, within the bounds that are configured."""
    limits = SocketLimits(
        ping_interval_s=settings.ping_interval_s,
        ping_timeout_s=settings.ping_timeout_s,
        max_buffer_bytes=settings.send_buffer_bytes,
        max_message_bytes=MAX_MESSAGE_BYTES,
        late_per_address=settings.late_clients_per_address,
        larger_messages_bytes=LARGER_MESSAGES_BYTES,
    )
    return SocketServer(
        application,
        limits=limits,
        new_sid=session_ids.issue,
        new_guard=partial(event_guard, settings),
        new_pace=partial(Pace, pace_limits(settings)),
        log=log,
        metrics=metrics,
    )


def event_guard(settings: GatewaySettings) -> FloodGuard:
    """How many events a connection may send."""
    return FloodGuard(settings.events_per_s, settings.events_burst)


def user_budgets(settings: GatewaySettings) -> UserBudgets:
    """What the messages and calls of users may cost."""
    return UserBudgets(pace_limits(settings))


def pace_limits(settings: GatewaySettings) -> PaceLimits:
    """What a client's messages may cost, and how many of them may be refused."""
    return PaceLimits(
        settings.connection_cpu_percent,
        settings.user_cpu_percent,
        settings.refusals_per_s,
        settings.refusals_burst,
    )
