"""Sessions that go on at another gateway: taken apart there, put together here."""

import asyncio

from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.handed import HandedSession
from harmonic_gateway.sockets.headers import Beginning
from harmonic_gateway.sockets.limits import MAX_HANDED_BYTES
from harmonic_gateway.sockets.outbox import Writer
from harmonic_gateway.sockets.polling import encoded_packets, text_of
from harmonic_gateway.sockets.steps import Do, Input


def hand_over(socket: EngineSocket) -> HandedSession | None:
    """Hand over what is a session's own, and let nothing happen here any more.

    ``None`` where its client has not gone over elsewhere, or where too much waits for it.
    """
    if socket.would(Input.HAND_OVER) is Do.REFUSE_REQUEST:
        return None
    if socket.outbox.backlog_bytes > MAX_HANDED_BYTES:
        socket.give_up()
        return None
    packets = text_of(socket.outbox.take(whole=True)).decode()
    heartbeat = socket.heartbeat.hand_over()
    begun = Beginning(socket.begun.headers, dict(socket.begun.query), socket.begun.address)
    is_shut = socket.take(Input.HAND_OVER) is not Do.FREEZE
    return HandedSession(begun, packets, heartbeat, is_shut)


def go_on(
    socket: EngineSocket,
    handed: HandedSession,
    transport: asyncio.Transport | None,
    writer: Writer,
    *,
    deflates: bool,
) -> None:
    """Go on at a WebSocket with what was handed over, in a session that has not begun yet."""
    socket.take(Input.WEBSOCKET)
    socket.transport = "websocket"
    socket.outbox.go_over(transport, writer, deflates=deflates)
    for encoded in encoded_packets(handed.packets):
        socket.outbox.send(encoded, owed=True)
    socket.heartbeat.go_on(handed.heartbeat)
    if handed.connections:
        socket.in_use()
