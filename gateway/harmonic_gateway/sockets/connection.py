"""One client on one namespace, as the application sees it; and what it sees of the application."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from engineio.packet import MESSAGE
from socketio.packet import ACK

from harmonic_gateway.sockets.engine import EngineSocket
from harmonic_gateway.sockets.frames import Encoded, Frame


@dataclass(frozen=True, slots=True)
class Handshake:
    """The HTTP request that a client began with."""

    headers: Mapping[str, str]
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Received:
    """An event of a client.

    ``args`` is ``None`` where there is no telling: too large, or nested too deeply, to be read.
    """

    name: str
    args: tuple[object, ...] | None
    ack_id: int | None
    size_bytes: int


class Refused(Exception):
    """A client is not let in: the text and the data of its CONNECT_ERROR."""

    def __init__(self, message: str, data: object) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class Unavailable(Exception):
    """Whether a client may come in cannot be told now: it is closed, and tries again."""


class Connection:
    """A client on a namespace. ``session`` is the application's own.

    With a ``pid``, the client can come back with it over another connection; then it is sent
    offsets, followed by ``elsewhere``.
    """

    __slots__ = ("closed", "elsewhere", "id", "namespace", "pid", "session", "socket")

    def __init__(self, connection_id: str, namespace: str, socket: EngineSocket) -> None:
        self.id = connection_id
        self.namespace = namespace
        self.socket = socket
        self.session: Any = None
        self.pid: str | None = None
        self.elsewhere: str | None = None
        self.closed = False

    @property
    def handshake(self) -> Handshake:
        """The request that the client began with."""
        return Handshake(self.socket.headers, self.socket.query)

    def is_closed(self) -> bool:
        """Whether the client is gone by now."""
        return self.closed

    @property
    def round_trip_ms(self) -> float | None:
        """How long the latest heartbeat took to be answered, if any was."""
        return self.socket.round_trip_ms

    def write(self, encoded: Encoded) -> None:
        """Send what is encoded for this namespace."""
        if not self.closed:
            self.socket.send(encoded)

    def send(self, frame: Frame) -> None:
        """Send an event, after all that was sent before."""
        self.write(frame.encoded(self.namespace, self.elsewhere))

    def send_all(self, frames: Iterable[Frame], elsewhere: str | None = None) -> None:
        """Send what brings the client up to date: all of it, even if it falls behind.

        How much this may be is the caller's to bound. ``elsewhere`` follows their offsets.
        """
        if self.closed:
            return
        for frame in frames:
            self.socket.send(frame.encoded(self.namespace, elsewhere), owed=True)

    def disconnect(self) -> None:
        """End it, and have the client stay away until it has reason to come back."""
        self.socket.disconnect(self.namespace)

    def acknowledge(self, ack_id: int, answer: object) -> None:
        """Answer an event whose sender asked for an answer."""
        text = json.dumps([answer], separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        place = "" if self.namespace == "/" else f"{self.namespace},"
        self.write(Encoded.of([f"{MESSAGE}{ACK}{place}{ack_id}{text}"]))


class Application(Protocol):
    """What the sockets are for."""

    def refuse_handshake(self) -> str | None:
        """Why no new client is taken at the moment, if none is: it will try again."""

    async def connect(self, connection: Connection, auth: object) -> None:
        """Let a client in, or raise :class:`Refused` or :class:`Unavailable`."""

    def abandoned(self, connection: Connection) -> None:
        """A client that was let in was gone before it could be told."""

    def connected(self, connection: Connection) -> None:
        """The client knows that it is in."""

    def receive(self, connection: Connection, event: Received) -> None:
        """The client says something; must not block."""

    def disconnected(self, connection: Connection, *, clean: bool) -> None:
        """The client is gone; ``clean`` if it said so. Once for each that was connected."""

    def pinged(self, connection: Connection) -> None:
        """A heartbeat is on its way to the client, after all that was sent before."""

    def ponged(self, connection: Connection) -> None:
        """It was answered: the client has all that was sent before it."""
