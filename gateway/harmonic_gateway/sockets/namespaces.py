"""Socket.IO on one session: its namespaces, its packets, and the calls of the application.

The driver of the table in ``stages``.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from socketio.packet import (
    BINARY_EVENT,
    CONNECT,
    DISCONNECT,
    EVENT,
)

from harmonic_gateway.sockets.connection import (
    Application,
    Connection,
    ConnectRefused,
    ConnectUnavailable,
    Handshake,
    Mover,
    control,
)
from harmonic_gateway.sockets.counters import SocketCounters
from harmonic_gateway.sockets.ended import Ended, EndReason
from harmonic_gateway.sockets.engine import RESTART_CODE, TRY_LATER_CODE, EngineSocket
from harmonic_gateway.sockets.frames import Encoded
from harmonic_gateway.sockets.handed import HandedConnection, HandedSession
from harmonic_gateway.sockets.limits import (
    ATTACHMENTS_TIMEOUT_S,
    CONNECT_COUNTS,
    MAX_SHORT_COST_S,
    MAX_TRANSPORT_BYTES,
    SHORT_CHARACTERS,
    Guard,
    SocketLimits,
)
from harmonic_gateway.sockets.packets import Incoming, Malformed
from harmonic_gateway.sockets.stages import Effect, NamespaceEvent, Stage, follow
from harmonic_protocol.refusals import Code
from harmonic_runtime.process.entropy import new_id

NAMESPACES = ("/ws", "/")

_UNKNOWN_NAMESPACE = ConnectRefused(
    "Unknown namespace", {"error": "Unknown namespace", "code": Code.NOT_FOUND.value}
)
_EVENTS = {
    CONNECT: NamespaceEvent.CONNECT,
    DISCONNECT: NamespaceEvent.DISCONNECT,
    EVENT: NamespaceEvent.EVENT,
    BINARY_EVENT: NamespaceEvent.EVENT,
}


class Namespaces:
    """The namespaces of one session; ``connections`` are by namespace."""

    __slots__ = (
        "_application",
        "_counters",
        "_guard",
        "_has_asked",
        "_limits",
        "_partial",
        "_socket",
        "connections",
    )

    def __init__(
        self,
        socket: EngineSocket,
        application: Application,
        *,
        guard: Guard,
        limits: SocketLimits,
        counters: SocketCounters,
    ) -> None:
        self._socket = socket
        self._application = application
        self._guard = guard
        self._limits = limits
        self._counters = counters
        self._has_asked = False
        self._partial: Incoming | None = None
        self.connections: dict[str, Connection] = {}

    def said(self, message: str | bytes, cost_s: float) -> Coroutine[Any, Any, None] | None:
        """Take a message of the client; raise :class:`Malformed` if it is not valid.

        Receiving it took ``cost_s`` CPU seconds. If the application has to be asked, a coroutine is
        returned, which must be awaited before the next message is taken.
        """
        is_short = isinstance(message, str) and len(message) <= SHORT_CHARACTERS
        began_s = time.monotonic() if is_short else time.thread_time()
        packet = self._read(message)
        asks = packet is not None and self._follow(packet) and not self._is_refused(packet)
        now_s = time.monotonic()
        took_s = (
            min(now_s - began_s, MAX_SHORT_COST_S) if is_short else time.thread_time() - began_s
        )
        self._socket.pace.took(cost_s + took_s, now_s)
        return self._connect(packet) if packet is not None and asks else None

    def end(self, namespace: str, ended: Ended) -> None:
        """End the connection to a namespace."""
        self._step(namespace, NamespaceEvent.ENDED, ended)

    def end_all(self, ended: Ended) -> None:
        """End all connections: the session has ended."""
        self._partial = None
        for namespace in list(self.connections):
            self.end(namespace, ended)

    def is_settled(self, mover: Mover) -> bool:
        """Whether no operation is pending that only this gateway can finish."""
        return self._partial is None and all(
            connection.stage is Stage.CONNECTED and mover.is_settled(connection)
            for connection in self.connections.values()
        )

    def hand_over(self, session: HandedSession, mover: Mover) -> None:
        """Add the session's connections to its handed-over state."""
        for connection in tuple(self.connections.values()):
            self._step(connection.namespace, NamespaceEvent.HANDED_OVER)
            kept = mover.hand_over(connection)
            known = (connection.id, connection.namespace, connection.pid, connection.elsewhere)
            session.connections.append(HandedConnection(*known, kept))
        now_s = time.monotonic()
        session.has_asked = self._has_asked
        session.busy_s = self._guard.busy_s(now_s)
        session.cost_s = self._socket.pace.busy_s(now_s)

    def moved(self) -> None:
        """Forget all connections: another gateway has taken them over."""
        for namespace in list(self.connections):
            self._step(namespace, NamespaceEvent.MOVED)

    def take_over(self, session: HandedSession) -> list[tuple[Connection, HandedConnection]]:
        """The connections of a session that is being taken over; each has to be accepted."""
        self._has_asked = session.has_asked
        now_s = time.monotonic()
        self._guard.go_on(now_s, session.busy_s)
        self._socket.pace.go_on(now_s, session.cost_s)
        taken = []
        for handed in session.connections:
            connection = Connection(handed.id, handed.namespace, self._socket, self._guard)
            connection.pid, connection.elsewhere = handed.pid, handed.elsewhere
            self.connections[handed.namespace] = connection
            taken.append((connection, handed))
        return taken

    def let_in(self, connection: Connection) -> bool:
        """Accept a connection that was taken over; return whether its session still exists."""
        return self._step(connection.namespace, NamespaceEvent.ACCEPTED) is Effect.ANSWER

    def tell(self, what: Callable[[Connection], None]) -> None:
        """Call ``what`` for each connection that the application knows as connected."""
        for connection in tuple(self.connections.values()):
            if connection.stage is Stage.CONNECTED:
                what(connection)

    def _read(self, message: str | bytes) -> Incoming | None:
        """The packet that a message completes, if any."""
        partial = self._partial
        if isinstance(message, str):
            if partial is not None:
                raise Malformed("an attachment is missing")
            limits = self._limits
            packet = Incoming(message, limits.max_message_bytes, limits.larger_messages_bytes)
            if not packet.complete:
                self._partial = packet
                loop = asyncio.get_running_loop()
                loop.call_later(ATTACHMENTS_TIMEOUT_S, self._give_up, packet)
                return None
            return packet
        if partial is None:
            raise Malformed("an attachment of nothing")
        partial.attach(message)
        if partial.size_bytes > MAX_TRANSPORT_BYTES:
            raise Malformed("attachments too large")
        if not partial.complete:
            return None
        self._partial = None
        return partial

    def _give_up(self, packet: Incoming) -> None:
        if self._partial is packet:
            self._counters.malformed.inc()
            self._socket.why = EndReason.MALFORMED
            self._socket.shut()

    def _follow(self, packet: Incoming) -> bool:
        """Handle a packet; return whether the application has to be asked."""
        event = _EVENTS.get(packet.kind, NamespaceEvent.ACK)
        connection = self.connections.get(packet.namespace)
        match self._step(packet.namespace, event, Ended.GOODBYE):
            case Effect.ASK:
                return True
            case Effect.RECEIVE if connection is not None:
                self._application.receive(connection, packet.event())
            case Effect.MALFORMED:
                raise Malformed("a packet that does not fit its namespace")
            case Effect.NOTHING | Effect.RECEIVE | Effect.REPORT_END:
                pass
            case Effect.ANSWER | Effect.REFUSE | Effect.ABANDON as decided:
                raise AssertionError(f"a packet decides nothing: {decided}")
        return False

    def _step(self, namespace: str, event: NamespaceEvent, ended: Ended = Ended.BROKEN) -> Effect:
        """Move a connection to its next stage; report its end if it has ended."""
        connection = self.connections.get(namespace)
        if connection is None:
            return follow(Stage.ABSENT, event).effect
        connection.stage, effect = follow(connection.stage, event)
        if connection.stage is Stage.ABSENT:
            del self.connections[namespace]
            if not self.connections:
                self._socket.expect_use()
        if effect is Effect.REPORT_END:
            self._counters.disconnected(connection.end_reason(ended))
            self._application.disconnected(connection, ended)
        return effect

    def _is_refused(self, packet: Incoming) -> bool:
        """Refuse a CONNECT that needs no decision of the application, and return whether it was."""
        # The first CONNECT of a session was counted with its handshake, per address.
        if self._has_asked and self._guard.take(time.monotonic(), counts=CONNECT_COUNTS):
            self._turn_away(TRY_LATER_CODE)
            return True
        self._has_asked = True
        if packet.namespace not in NAMESPACES:
            refused: ConnectRefused | None = _UNKNOWN_NAMESPACE
        else:
            begun = Handshake(self._socket.begun.headers, self._socket.begun.query)
            refused = self._application.refused_at_once(begun, self._socket.transport, packet.data)
        if refused is None:
            return False
        self._socket.outbox.send(refused.encoded(packet.namespace))
        return True

    async def _connect(self, packet: Incoming) -> None:
        """Ask the application for a decision. The namespace counts as taken meanwhile."""
        connection = Connection(new_id(), packet.namespace, self._socket, self._guard)
        self.connections[packet.namespace] = connection
        decision, refusal = NamespaceEvent.REFUSED, None
        try:
            await self._application.connect(connection, packet.data)
            decision = NamespaceEvent.ACCEPTED
        except ConnectRefused as refused:
            refusal = refused.encoded(packet.namespace)
        except ConnectUnavailable as unavailable:
            self._turn_away(TRY_LATER_CODE if unavailable.too_often else RESTART_CODE)
        finally:
            effect = self._step(packet.namespace, decision)
        self._tell(connection, effect, refusal)

    def _tell(self, connection: Connection, effect: Effect, refusal: Encoded | None) -> None:
        """Send a decision to the client, in the turn of the loop in which it was made."""
        match effect:
            case Effect.REFUSE:
                if refusal is not None:
                    self._socket.outbox.send(refusal)
            case Effect.ABANDON:
                self._application.abandoned(connection)
            case Effect.ANSWER:
                self._socket.in_use()
                known = {"pid": connection.pid} if connection.pid is not None else {}
                answer = {"sid": connection.id, **known}
                # Missed events follow CONNECT: before it, a client would not update its offset.
                with self._socket.outbox.together():
                    self._socket.outbox.send(control(CONNECT, connection.namespace, answer))
                    self._application.connected(connection)
            case Effect.NOTHING:
                pass
            case Effect.ASK | Effect.RECEIVE | Effect.MALFORMED | Effect.REPORT_END as other:
                raise AssertionError(f"a decision leads to no {other}")

    def _turn_away(self, code: int) -> None:
        """Close the session, so that its client reconnects later; ``code`` is for a WebSocket."""
        self._counters.turned_away.inc()
        self._socket.shut(code)
