"""Requests of an existing session: polls, POSTs, and WebSockets."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from engineio.exceptions import EngineIOError

from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.polling import BAD_REQUEST, TAKEN, PollAnswer
from harmonic_gateway.sockets.steps import Do, Input

METHODS = ("GET", "POST", "OPTIONS")
POLLING, WEBSOCKET = TRANSPORTS = ("polling", "websocket")


def is_websocket(request: web.Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return WEBSOCKET in request.headers.get("Upgrade", "").lower()


def is_fit(request: web.Request) -> bool:
    """Whether a request has a valid method and transport; python-engineio would assume defaults."""
    return request.method in METHODS and request.query.get("transport") in TRANSPORTS


async def answer_request(
    socket: EngineSocket, method: str, read: Callable[[], Awaitable[str]]
) -> PollAnswer:
    """The answer to a request of HTTP polling; ``read`` reads its body.

    A request that violates the protocol is answered with 400, and its session ends.
    """
    if method == "OPTIONS":
        return TAKEN
    # A POST to a session that was shut or has upgraded is late, and does not end the session.
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
