"""Opens the WebSockets of sessions: from the beginning, or as an upgrade from polling.

An upgrade takes place only if the client completes it by its packets on the WebSocket.
"""

import asyncio

from aiohttp import web
from engineio.packet import PING, PONG, UPGRADE

from harmonic_gateway.sockets import limits
from harmonic_gateway.sockets.engine import RESTART_CODE, EngineSocket
from harmonic_gateway.sockets.frames import Encoded
from harmonic_gateway.sockets.steps import Do, Input
from harmonic_gateway.sockets.websocket import WebSocket, turn_down

_PROBE = "probe"
#: The packets of an upgrade: the client's probe, the answer, and the client's upgrade.
PROBE, PROBE_ANSWER, GOES_OVER = f"{PING}{_PROBE}", f"{PONG}{_PROBE}", f"{UPGRADE}"


async def begin_websocket(
    socket: EngineSocket, request: web.Request, opening: Encoded
) -> web.StreamResponse:
    """Begin a session at a WebSocket."""
    websocket = WebSocket(request)
    try:
        attached = await websocket.accept(request, opening.raw)
    except BaseException:
        socket.take(Input.WEBSOCKET_ENDED)
        raise
    if socket.take(Input.WEBSOCKET) is not Do.SERVE:
        await websocket.close()
        return websocket
    socket.outbox.go_over(request.transport, attached, deflates=websocket.deflates)
    socket.listen(websocket, attached)
    return websocket


async def try_websocket(socket: EngineSocket, request: web.Request) -> web.StreamResponse:
    """Upgrade from polling to a WebSocket, if the client completes the upgrade in time."""
    if socket.take(Input.WEBSOCKET) is not Do.TRY:
        return await turn_down(request)
    websocket = WebSocket(request)
    do = Do.NOTHING
    patience = socket.trial = asyncio.timeout(limits.HANDSHAKE_TIMEOUT_S)
    try:
        async with patience:
            attached = await websocket.accept(request)
            message = await websocket.receive()
            if message.data == PROBE and socket.trial is patience:
                do = socket.take(Input.PROBE)
            if do is Do.ANSWER_PROBE:
                await websocket.send_str(PROBE_ANSWER)
                # The client waits for its poll to end before it upgrades.
                socket.outbox.release()
                message = await websocket.receive()
                wants = message.data == GOES_OVER
                do = socket.take(Input.UPGRADE if wants else Input.TRY_FAILED)
    except TimeoutError:
        do = Do.NOTHING
    finally:
        # If it was overtaken, it must not change the session any more.
        if socket.trial is patience:
            socket.trial = None
            if do not in {Do.GO_OVER, Do.GO_OVER_AND_SHUT}:
                socket.take(Input.TRY_FAILED)
    if do not in {Do.GO_OVER, Do.GO_OVER_AND_SHUT}:
        await websocket.close()
        return websocket
    socket.outbox.go_over(request.transport, attached, deflates=websocket.deflates)
    if do is Do.GO_OVER_AND_SHUT:
        socket.outbox.close(RESTART_CODE)
    socket.listen(websocket, attached)
    return websocket


def overtake(socket: EngineSocket) -> bool:
    """End an upgrade here that has not probed yet; return whether there was one.

    The session is then upgraded at another gateway, where its client has probed.
    """
    trial = socket.trial
    if trial is None or socket.would(Input.PROBE) is not Do.ANSWER_PROBE:
        return False
    socket.trial = None
    trial.reschedule(asyncio.get_running_loop().time())
    return True
