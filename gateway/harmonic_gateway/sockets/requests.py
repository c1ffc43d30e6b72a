"""The requests of a session that there is already: polls, what a client says, and its probing."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from engineio.exceptions import EngineIOError

from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.polling import BAD_REQUEST, TAKEN, PollAnswer
from harmonic_gateway.sockets.steps import Do, Input

METHODS = ("GET", "POST", "OPTIONS")
POLLING, WEBSOCKET = TRANSPORTS = ("polling", "websocket")
#: The version of Engine.IO that is spoken.
_PROTOCOL = ["4"]


def is_websocket(request: web.Request) -> bool:
    """Whether a request is to become a WebSocket."""
    return WEBSOCKET in request.headers.get("Upgrade", "").lower()


def is_fit(request: web.Request) -> bool:
    """Whether a request is one of Engine.IO: python-engineio would assume what it does not say."""
    return request.method in METHODS and request.query.get("transport") in TRANSPORTS


def plain_opening(request: web.Request) -> str | None:
    """The transport of a request that opens a session, and says no more than it has to.

    python-engineio would take it, but reads each request as one of a server of another kind, which
    takes longer than all else that a session is begun with. What it might refuse is none.
    """
    query = request.query
    transport = query.get("transport")
    if request.method != "GET" or transport not in TRANSPORTS or "j" in query:
        return None
    if query.getall("EIO", ()) != _PROTOCOL or len(query.getall("transport")) > 1:
        return None
    is_upgrade = request.headers.get("Upgrade", "").lower() == WEBSOCKET
    return transport if transport == POLLING or is_upgrade else None


async def answer_request(
    socket: EngineSocket, method: str, read: Callable[[], Awaitable[str]]
) -> PollAnswer:
    """The answer to a request of HTTP polling; ``read`` reads what the client says.

    A client that makes a mistake is answered with a bad request, and its session ends.
    """
    if method == "OPTIONS":
        return TAKEN
    # Of a session that is shut, or at a WebSocket by now: no mistake that should end it.
    is_late = method == "POST" and socket.would(Input.POST) is Do.REFUSE_REQUEST
    if is_late or socket.upgraded or method not in METHODS:
        return BAD_REQUEST
    try:
        if method == "GET":
            return await socket.poll()
        await socket.post(read)
    except EngineIOError:
        socket.take(Input.MISTAKE)
        return BAD_REQUEST
    return TAKEN
