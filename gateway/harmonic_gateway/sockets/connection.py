"""One client on one namespace, and the interface of the application that serves it."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from engineio.packet import MESSAGE
from pydantic_core import to_json
from socketio.packet import ACK, CONNECT_ERROR

from harmonic_gateway.sockets.ended import Ended, EndReason, end_reason
from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.frames import Encoded, Frame
from harmonic_gateway.sockets.limits import Guard, ReadingPace
from harmonic_gateway.sockets.stages import Stage
from harmonic_protocol.value import value

#: Needed for every frame and member: looking up a member of an enumeration costs as much as a call.
_CONNECTED = Stage.CONNECTED
_ACK = f"{MESSAGE}{ACK}".encode()
_GONE = frozenset({Stage.ABSENT, Stage.ABANDONED, Stage.MOVING})


@value
class Handshake:
    """The HTTP request that began a session."""

    headers: Mapping[str, str]
    query: Mapping[str, str]


@value
class Received:
    """An event of a client.

    ``args`` is ``None`` if they were not read: they are too large, nested too deeply, or too
    ``wide``, with more values than any declared event.
    """

    name: str
    args: tuple[object, ...] | None
    ack_id: int | None
    size_bytes: int
    wide: bool = False


class ConnectRefused(Exception):
    """A client is refused, with the text and the data of its CONNECT_ERROR."""

    def __init__(self, message: str, data: object) -> None:
        super().__init__(message)
        self.message = message
        self.data = data
        self._encoded: dict[str, Encoded] = {}

    def encoded(self, namespace: str) -> Encoded:
        """The packet for clients of a namespace, encoded once for all that get this refusal."""
        known = self._encoded.get(namespace)
        if known is None:
            answer = {"message": self.message, **({} if self.data is None else {"data": self.data})}
            known = self._encoded[namespace] = control(CONNECT_ERROR, namespace, answer)
        return known


def control(kind: int, namespace: str, data: object) -> Encoded:
    """A CONNECT or CONNECT_ERROR packet."""
    place = "" if namespace == "/" else f"{namespace},"
    return Encoded.of([f"{MESSAGE}{kind}{place}{to_json(data).decode()}"])


class ConnectUnavailable(Exception):
    """Whether to accept a client cannot be decided now: it is closed, and tries again.

    With ``too_often``, nothing has failed: the client connects too often and is delayed.
    """

    def __init__(self, *, too_often: bool = False) -> None:
        super().__init__()
        self.too_often = too_often


class Connection:
    """A client on a namespace. ``session`` belongs to the application.

    A client with a ``pid`` can resume over another connection. It is sent offsets, each followed
    by ``elsewhere``.
    """

    __slots__ = (
        "_guard",
        "_outbox",
        "_socket",
        "elsewhere",
        "id",
        "namespace",
        "pid",
        "session",
        "stage",
    )

    def __init__(
        self, connection_id: str, namespace: str, socket: EngineSocket, guard: Guard
    ) -> None:
        self.id = connection_id
        self.namespace = namespace
        self.stage = Stage.CONNECTING
        self.session: Any = None
        self.pid: str | None = None
        self.elsewhere: str | None = None
        self._socket = socket
        self._outbox = socket.outbox
        self._guard = guard

    @property
    def handshake(self) -> Handshake:
        """The request that began the session."""
        return Handshake(self._socket.begun.headers, self._socket.begun.query)

    @property
    def transport(self) -> str:
        """The current or last transport of the client: a value of ``TRANSPORTS``."""
        return self._socket.transport

    def end_reason(self, ended: Ended) -> EndReason:
        """The reason of this connection's end, which was of the kind ``ended``."""
        return end_reason(self._socket.why, ended)

    @property
    def closed(self) -> bool:
        """Whether the client is gone."""
        return self.is_closed()

    def is_closed(self) -> bool:
        """As :attr:`closed`, after an await: type checkers take a property for unchanged."""
        return self.stage in _GONE

    @property
    def is_owed(self) -> bool:
        """Whether missed events that were sent to the client still wait."""
        return self._outbox.is_owing

    @property
    def round_trip_ms(self) -> float | None:
        """Milliseconds from the latest answered ping to its answer, if there was one."""
        return self._socket.heartbeat.round_trip_ms

    @property
    def in_doubt(self) -> bool:
        """Whether a ping is unanswered."""
        return self._socket.heartbeat.in_doubt

    def ping_now(self) -> None:
        """Ping the client, unless a ping is unanswered.

        A client that does not answer is closed after the ping timeout.
        """
        if not self.is_closed():
            self._socket.heartbeat.ping_now()

    def count(self, events: int) -> float:
        """Count a message as so many ``events``, over all namespaces of the session.

        Return 0 if the message may be taken now, or the seconds until it may.
        """
        return self._guard.take(time.monotonic(), counts=events)

    @property
    def pace(self) -> ReadingPace:
        """The pace at which the client is read, to which what it costs is charged."""
        return self._socket.pace

    def count_refusal(self) -> bool:
        """Count a refused message; return whether it is to have its own line in the log."""
        return self._socket.pace.refused(time.monotonic())

    def write(self, encoded: Encoded) -> None:
        """Send a packet that is encoded for this namespace, if the client is connected to it."""
        if self.stage is not _CONNECTED:
            return
        # Runs for every frame and member. Nearly all clients keep up: write to them directly.
        transport = self._outbox.direct
        if (
            transport is None
            or encoded.compressible
            or transport.get_write_buffer_size()
            or transport.is_closing()
        ):
            self._outbox.send(encoded)
        else:
            transport.write(encoded.raw)

    def send(self, frame: Frame) -> None:
        """Send an event, after all that was sent before."""
        self.write(frame.encoded(self.namespace, self.elsewhere))

    def send_all(self, frames: Iterable[Frame], elsewhere: str | None = None) -> None:
        """Send missed events: all of them, even if the client falls behind.

        The caller has to bound their size. ``elsewhere`` follows their offsets.
        """
        if self.stage is Stage.CONNECTED:
            with self._outbox.together():
                for frame in frames:
                    self._outbox.send(frame.encoded(self.namespace, elsewhere), owed=True)

    def acknowledge(self, ack_id: int, answer: object) -> None:
        """Acknowledge an event of the client."""
        place = "" if self.namespace == "/" else f"{self.namespace},"
        text = to_json(answer, inf_nan_mode="null")
        self.write(Encoded.text(b"%b%b%d[%b]" % (_ACK, place.encode(), ack_id, text)))

    def close(self, ended: Ended = Ended.BROKEN) -> None:
        """Close the client's transport, after all that was sent before.

        The application is told at once that this connection ``ended``. The other connections of the
        same transport end as broken. Official clients then reconnect by themselves, which they do
        not after a DISCONNECT packet.
        """
        if self.stage is Stage.MOVING:
            return
        self._socket.why = self._socket.why or EndReason.CLOSED_HERE
        self._socket.upper.end(self.namespace, ended)
        self._socket.shut()


class Application(Protocol):
    """The application that the sockets serve."""

    def refuse_handshake(self) -> str | None:
        """Why no new client is accepted at the moment, if none is. The client will try again."""

    def refused_at_once(
        self, handshake: Handshake, transport: str, auth: object
    ) -> ConnectRefused | None:
        """Why a client is refused before any work is done for it, if it is."""

    async def connect(self, connection: Connection, auth: object) -> None:
        """Accept a client, or raise :class:`ConnectRefused` or :class:`ConnectUnavailable`."""

    def abandoned(self, connection: Connection) -> None:
        """The client disconnected after it was accepted and before CONNECT was sent."""

    def connected(self, connection: Connection) -> None:
        """CONNECT was sent to the client."""

    def receive(self, connection: Connection, event: Received) -> None:
        """Handle an event of the client; must not block."""

    def disconnected(self, connection: Connection, ended: Ended) -> None:
        """The connection has ended. Called once for each client that was connected."""

    def exhausted(self, connection: Connection) -> None:
        """Too many messages of the client were refused; it is closed after this call."""

    def pinged(self, connection: Connection) -> None:
        """A ping was sent to the client, after all that was sent before."""

    def ponged(self, connection: Connection) -> None:
        """The client answered the ping: it has received all that was sent before it."""


class Mover(Protocol):
    """The application's part when a session moves from one gateway to another."""

    def is_settled(self, connection: Connection) -> bool:
        """Whether no operation of the client is pending that only this gateway can finish."""

    def hand_over(self, connection: Connection) -> Mapping[str, Any]:
        """The state for another gateway to continue with. Send the client nothing after this."""

    def moved(self, connection: Connection) -> None:
        """The other gateway has taken the client over; otherwise ``disconnected`` is called."""

    async def take_over(self, connection: Connection, kept: Mapping[str, Any]) -> None:
        """Prepare to continue with a client; raise :class:`ConnectUnavailable` if impossible.

        Unless it raises, a call of ``taken_over`` or ``not_taken`` follows.
        """

    def taken_over(self, connection: Connection) -> None:
        """Continue with the client, which is connected here now."""

    def not_taken(self, connection: Connection) -> None:
        """Drop the prepared client: it was not taken over."""
