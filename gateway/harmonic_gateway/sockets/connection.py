"""One client on one namespace, as the application sees it; and what it sees of the application."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from engineio.packet import MESSAGE
from pydantic_core import to_json
from socketio.packet import ACK, CONNECT_ERROR

from harmonic_gateway.sockets.ended import Ended, EndReason, end_reason
from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.frames import Encoded, Frame
from harmonic_gateway.sockets.limits import Guard
from harmonic_gateway.sockets.stages import Stage
from harmonic_protocol.value import value

#: Asked for every frame and member: to look a member of an enumeration up takes as long as a call.
_CONNECTED = Stage.CONNECTED
_GONE = frozenset({Stage.ABSENT, Stage.ABANDONED, Stage.MOVING})


@value
class Handshake:
    """The HTTP request that a client began with."""

    headers: Mapping[str, str]
    query: Mapping[str, str]


@value
class Received:
    """An event of a client.

    ``args`` is ``None`` where there is no telling: too large, or nested too deeply, to be read; or
    too ``wide``, with more values than any event has.
    """

    name: str
    args: tuple[object, ...] | None
    ack_id: int | None
    size_bytes: int
    wide: bool = False


class ConnectRefused(Exception):
    """A client is not let in: the text and the data of its CONNECT_ERROR."""

    def __init__(self, message: str, data: object) -> None:
        super().__init__(message)
        self.message = message
        self.data = data
        self._encoded: dict[str, Encoded] = {}

    def encoded(self, namespace: str) -> Encoded:
        """The packet that a client of a namespace is sent: the same for all that are refused so."""
        known = self._encoded.get(namespace)
        if known is None:
            answer = {"message": self.message, **({} if self.data is None else {"data": self.data})}
            known = self._encoded[namespace] = control(CONNECT_ERROR, namespace, answer)
        return known


def control(kind: int, namespace: str, data: object) -> Encoded:
    """A packet about a connection itself."""
    place = "" if namespace == "/" else f"{namespace},"
    return Encoded.of([f"{MESSAGE}{kind}{place}{to_json(data).decode()}"])


class ConnectUnavailable(Exception):
    """Whether a client may come in cannot be told now: it is closed, and tries again.

    With ``too_often``, nothing has failed here: the client is put off, since it comes too often.
    """

    def __init__(self, *, too_often: bool = False) -> None:
        super().__init__()
        self.too_often = too_often


class Connection:
    """A client on a namespace. ``session`` is the application's own.

    With a ``pid``, the client can come back with it over another connection; then it is sent
    offsets, followed by ``elsewhere``.
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
        """The request that the client began with."""
        return Handshake(self._socket.begun.headers, self._socket.begun.query)

    @property
    def transport(self) -> str:
        """How the client is connected, or was last: a value of ``TRANSPORTS``."""
        return self._socket.transport

    def end_reason(self, ended: Ended) -> EndReason:
        """Why a connection that ``ended`` did so."""
        return end_reason(self._socket.why, ended)

    @property
    def closed(self) -> bool:
        """Whether the client is gone."""
        return self.is_closed()

    def is_closed(self) -> bool:
        """Whether the client is gone by now: for after an await, where type checkers doubt it."""
        return self.stage in _GONE

    @property
    def is_owed(self) -> bool:
        """Whether anything still waits that was sent to bring the client up to date."""
        return self._outbox.is_owing

    @property
    def round_trip_ms(self) -> float | None:
        """How long the latest heartbeat took to be answered, if any was."""
        return self._socket.heartbeat.round_trip_ms

    @property
    def in_doubt(self) -> bool:
        """Whether a ping has not been answered yet."""
        return self._socket.heartbeat.in_doubt

    def ping_now(self) -> None:
        """Ping the client, unless a ping waits for its answer already.

        A client that does not answer is gone a ping timeout later.
        """
        if not self.is_closed():
            self._socket.heartbeat.ping_now()

    def count(self, events: int) -> float:
        """Count what the client sent as so many events, over all namespaces of its session.

        0 if it may be taken now, else the seconds until it may.
        """
        return self._guard.take(asyncio.get_running_loop().time(), counts=events)

    def charge_to(self, budget: object) -> None:
        """From now on, charge what the client's messages cost to this budget as well."""
        self._socket.pace.charge_to(budget)

    def count_refusal(self) -> bool:
        """Count a refused message; whether it is to have a line of its own in the log."""
        return self._socket.pace.refused(asyncio.get_running_loop().time())

    def write(self, encoded: Encoded) -> None:
        """Send what is encoded for this namespace, if the client is connected to it."""
        if self.stage is not _CONNECTED:
            return
        # For every frame and member: nearly all keep up, and are written to without another call.
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
        """Send what brings the client up to date: all of it, even if it falls behind.

        How much this may be is the caller's to bound. ``elsewhere`` follows their offsets.
        """
        if self.stage is Stage.CONNECTED:
            with self._outbox.together():
                for frame in frames:
                    self._outbox.send(frame.encoded(self.namespace, elsewhere), owed=True)

    def acknowledge(self, ack_id: int, answer: object) -> None:
        """Answer an event whose sender asked for an answer."""
        text = json.dumps([answer], separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        place = "" if self.namespace == "/" else f"{self.namespace},"
        self.write(Encoded.of([f"{MESSAGE}{ACK}{place}{ack_id}{text}"]))

    def close(self, ended: Ended = Ended.BROKEN) -> None:
        """Close the client's transport, after all that was sent before.

        The application is told at once that this connection ``ended``; the other connections of
        the same transport end with it, as broken. Unlike after a DISCONNECT packet, an official
        client connects anew by itself.
        """
        if self.stage is Stage.MOVING:
            return
        self._socket.why = self._socket.why or EndReason.CLOSED_HERE
        self._socket.upper.end(self.namespace, ended)
        self._socket.shut()


class Application(Protocol):
    """What the sockets are for."""

    def refuse_handshake(self) -> str | None:
        """Why no new client is taken at the moment, if none is: it will try again."""

    def refused_at_once(
        self, handshake: Handshake, transport: str, auth: object
    ) -> ConnectRefused | None:
        """Why a client is refused without anything being done for it, if it is."""

    async def connect(self, connection: Connection, auth: object) -> None:
        """Let a client in, or raise :class:`ConnectRefused` or :class:`ConnectUnavailable`."""

    def abandoned(self, connection: Connection) -> None:
        """The client disconnected after it was accepted and before CONNECT was sent."""

    def connected(self, connection: Connection) -> None:
        """The client knows that it is in."""

    def receive(self, connection: Connection, event: Received) -> None:
        """The client says something; must not block."""

    def disconnected(self, connection: Connection, ended: Ended) -> None:
        """The client is gone. Called once for each that was connected."""

    def exhausted(self, connection: Connection) -> None:
        """So many messages of the client were refused that it is closed after this call."""

    def pinged(self, connection: Connection) -> None:
        """A heartbeat is on its way to the client, after all that was sent before."""

    def ponged(self, connection: Connection) -> None:
        """It was answered: the client has all that was sent before it."""


class Mover(Protocol):
    """What the application does when a session moves from one gateway to another."""

    def is_settled(self, connection: Connection) -> bool:
        """Whether nothing is under way for the client that only this gateway could finish."""

    def hand_over(self, connection: Connection) -> Mapping[str, Any]:
        """What another gateway needs to go on. The client is told nothing here from now on."""

    def moved(self, connection: Connection) -> None:
        """The other gateway has the client; otherwise ``disconnected`` is called."""

    async def take_over(self, connection: Connection, kept: Mapping[str, Any]) -> None:
        """Prepare to go on with a client; raise :class:`ConnectUnavailable` if that cannot be.

        Followed by one of ``taken_over`` and ``not_taken``, unless it raised.
        """

    def taken_over(self, connection: Connection) -> None:
        """Go on with the client, which is connected here now."""

    def not_taken(self, connection: Connection) -> None:
        """The client is not here after all."""
