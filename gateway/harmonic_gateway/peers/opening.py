"""The parts of a gateway that know of the others, put together."""

from harmonic_gateway.peers.exchange import Exchange, Listener
from harmonic_gateway.peers.front import Doorkeeper, Front, Neighbours
from harmonic_gateway.peers.serving import Serving
from harmonic_gateway.sockets import SocketServer
from harmonic_runtime.observability.metrics import Metrics


async def open_front(
    sockets: SocketServer,
    exchange: Exchange,
    neighbours: Neighbours,
    doorkeeper: Doorkeeper,
    metrics: Metrics,
) -> Front:
    """Answer other gateways about the sessions here; what clients are to be answered by."""
    serving = Serving(sockets)
    await exchange.listen(Listener(serving.answer, serving.hear, serving.lost))
    return Front(
        sockets=sockets,
        exchange=exchange,
        neighbours=neighbours,
        doorkeeper=doorkeeper,
        metrics=metrics,
    )
