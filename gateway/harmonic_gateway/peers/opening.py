"""The parts of a gateway that know of the others, put together."""

from harmonic_gateway.allowlists import ANY
from harmonic_gateway.peers.exchange import Exchange, Listener
from harmonic_gateway.peers.front import Doorkeeper, Front, Neighbours
from harmonic_gateway.peers.serving import Serving
from harmonic_gateway.peers.taking import Takeovers
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import Mover, SocketLimits, SocketServer
from harmonic_protocol.catalogue import COMMANDS
from harmonic_runtime.observability.metrics import Metrics


async def open_front(
    sockets: SocketServer,
    exchange: Exchange,
    neighbours: Neighbours,
    *,
    mover: Mover,
    doorkeeper: Doorkeeper,
    metrics: Metrics,
) -> Front:
    """Answer other gateways about the sessions here; what clients are to be answered by."""
    serving = Serving(sockets, mover)
    await exchange.listen(Listener(serving.answer, serving.hear, serving.lost))
    return Front(
        sockets=sockets,
        exchange=exchange,
        neighbours=neighbours,
        takeovers=Takeovers(sockets, exchange, mover, metrics),
        doorkeeper=doorkeeper,
        metrics=metrics,
    )


def socket_limits(settings: GatewaySettings, gateway_id: str) -> SocketLimits:
    """The bounds of the sockets. Session ids begin with the gateway's name, and its own id."""
    return SocketLimits(
        ping_interval_s=settings.ping_interval_s,
        ping_timeout_s=settings.ping_timeout_s,
        max_buffer_bytes=settings.send_buffer_bytes,
        max_message_bytes=max(command.spec.max_bytes for command in COMMANDS.values()),
        # Others were refused before: python-engineio knows no patterns.
        allowed_origins=(ANY,),
        # For balancers, which route on it; and for gateways, which pass requests on by it.
        name=f"{settings.session_prefix}.{gateway_id}",
    )
