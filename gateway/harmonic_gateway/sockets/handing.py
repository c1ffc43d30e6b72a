"""Moves sessions between gateways: exports the state of one, and imports it into another."""

import asyncio

from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.handed import HandedSession
from harmonic_gateway.sockets.headers import Beginning
from harmonic_gateway.sockets.limits import MAX_HANDED_BYTES
from harmonic_gateway.sockets.outbox import Writer
from harmonic_gateway.sockets.polling import encoded_packets, text_of
from harmonic_gateway.sockets.steps import Do, Input


def hand_over(socket: EngineSocket) -> HandedSession | None:
    """Freeze a session and return its state.

    ``None`` if its client has not upgraded at another gateway, or if too many bytes wait for it.
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
    """Continue a handed-over session at a WebSocket, in a session that has not begun yet."""
    socket.take(Input.WEBSOCKET)
    socket.transport = "websocket"
    socket.outbox.go_over(transport, writer, deflates=deflates)
    for encoded in encoded_packets(handed.packets):
        socket.outbox.send(encoded, owed=True)
    socket.heartbeat.go_on(handed.heartbeat)
    if handed.connections:
        socket.in_use()
