"""Requests between services that no client can make."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field

from harmonic_protocol.intervening import INTERVENTIONS, Intervention
from harmonic_protocol.log import Record
from harmonic_protocol.messages.parameters import CurrentValues
from harmonic_protocol.messages.rooms import ParticipantJoined, RoomJoined
from harmonic_protocol.request import InternalRequest, InternalUniverseRequest
from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import Mode


class CompareHeads(InternalRequest):
    """Which of these universes' logs go on after the positions that a gateway knows.

    ``owner`` is the replica that the gateway takes for their owner; it may be away, and another
    one may be asked in its place. ``marks`` are those of the records at these positions, as far as
    the gateway knows them.
    """

    name: ClassVar = "compare_heads"

    positions: dict[str, int]
    owner: str
    marks: dict[str, int] = Field(default_factory=dict)


class CloseConnection(InternalUniverseRequest):
    """The caller's connection is gone: it leaves the room, if it is in it."""

    name: ClassVar = "close_connection"


class ResumeRoom(InternalUniverseRequest):
    """The caller is back: the seat of the connection that it ``replaces`` is its own now.

    Where that seat is given up already, it joins as anybody would, in ``mode`` or what is left
    of it. With ``after_position``, it wants to know what it missed since; a position that the
    log has not reached is refused. A session that ended in this room (the user left it, or was
    not allowed to see it for a time) is not continued: the reply says so, and holds no records.
    So is a position where no record stands, or another one than ``after_record`` or that of
    ``after_mark``, as far as the owner has it in memory; reading the log tells of the others.
    """

    name: ClassVar = "resume_room"

    mode: Mode
    replaces: str
    after_position: int | None = None
    after_record: str | None = None
    after_mark: int | None = None


class ReadLog(InternalUniverseRequest):
    """The records after a position of the log, for a gateway that missed some of them.

    Refused as trimmed where another record stands there than ``after_record`` or that of
    ``after_mark``, or none. With ``inclusive``, the record there is the first that is told.
    """

    name: ClassVar = "read_log"

    after_position: int
    after_record: str | None = None
    after_mark: int | None = None
    inclusive: bool = False


class ReadEvents(InternalUniverseRequest):
    """The records with frames above a number, up to a position: ``last_seq`` is its last one."""

    name: ClassVar = "read_events"

    after_seq: int
    last_seq: int
    up_to_position: int


class ReleaseGateway(InternalUniverseRequest):
    """A gateway is gone: all connections that it had in the room leave it."""

    name: ClassVar = "release_gateway"

    gateway_id: str


class CompleteMusic(InternalUniverseRequest):
    """The notes of a requested piece are stored under the request's subject.

    A replica of a version before ``composer_version`` does not say it.
    """

    name: ClassVar = "complete_music"

    request_id: str
    tempo: float
    key: str
    scale: str
    composer_version: int | None = None


class ExpireMusic(InternalUniverseRequest):
    """The time of a requested piece is over."""

    name: ClassVar = "expire_music"

    request_id: str


class RecordBar(InternalUniverseRequest):
    """The next bar of the endless piece is due, or its end, if nobody is left to hear it.

    ``starts_us`` is when the bar before ends, in Unix time. Where another owner has recorded that
    bar, nothing is done.
    """

    name: ClassVar = "record_bar"

    stream_id: str
    bar: int
    starts_us: int
    state: str


#: What arrives over the bus.
BusRequest = (
    CloseConnection
    | CompareHeads
    | ReadLog
    | ReadEvents
    | ResumeRoom
    | CompleteMusic
    | Intervention
)
#: What an owner asks of itself.
OwnRequest = ReleaseGateway | ExpireMusic | RecordBar

INTERNAL_REQUESTS: Mapping[str, type[BusRequest]] = MappingProxyType(
    {
        request.name: request
        for request in (
            CloseConnection,
            CompareHeads,
            ReadLog,
            ReadEvents,
            ResumeRoom,
            CompleteMusic,
            *INTERVENTIONS,
        )
    }
)


class Heads(ServiceModel):
    """The positions at which universes' logs end: announced, and the answer to a comparison.

    ``records`` are the ids of the records there. An answer names in ``turned_back`` the logs that
    end before a position that the gateway was sent, or have another record there: records were
    lost.
    """

    heads: dict[str, int]
    records: dict[str, str] = Field(default_factory=dict)
    turned_back: tuple[str, ...] = ()


class LoggedRecord(ServiceModel):
    """A record of the log at its position, as :class:`ReadLog` is answered."""

    position: int
    record: Record


class LogPart(ServiceModel):
    """Records in order; ``complete``: to the log's end; ``first_seq``: its first frame's number."""

    records: tuple[LoggedRecord, ...]
    complete: bool
    first_seq: int | None = None


class JoinResult(ServiceModel):
    """What a gateway tells a connection that joined.

    ``announcement`` is what the room was told of it, if it was told anything: the new connection
    gets it before ``room``, and all records above the reply's position after. For one that is
    back, ``current`` and ``missed`` come in between; ``missed`` is absent where the owner does
    not have it at hand. ``continued`` is false where the earlier connection's session ended in
    this room, so that nothing of it may be sent again; a replica of the version before does not
    say it. ``record`` is the id of the record at the reply's position, if it is known.
    ``gateways`` are those that the room's members are at; such a replica does not say them either.
    """

    room: RoomJoined
    announcement: ParticipantJoined | None = None
    current: CurrentValues | None = None
    missed: LogPart | None = None
    continued: bool | None = None
    record: str | None = None
    gateways: tuple[str, ...] | None = None


class JoinTold(ServiceModel):
    """The same for a gateway that only passes the events on: they stay as the owner has told them.

    To read them and to write them again would cost the most in a room of many.
    """

    room: dict[str, Any]
    announcement: dict[str, Any] | None = None
    record: str | None = None
    gateways: tuple[str, ...] | None = None

    @property
    def universe_id(self) -> str:
        """The universe whose room it is."""
        return str(self.room["universeId"])

    @property
    def mode(self) -> Mode:
        """What the connection may do in the room."""
        return "edit" if self.room["mode"] == "edit" else "view"


#: Where a signal says which event it is, ...
SIGNAL_EVENT = "Hu-Event"
#: ... and the one that is a question: how far a gateway with members was sent a universe's log.
LOG_END_ASKED = "log_end_asked"


class LogEndSeen(ServiceModel):
    """The answer of a gateway that has members in a universe; ``position`` is 0 before any record.

    What the log has lost, its members may have seen all the same.
    """

    gateway_id: str
    position: int


class SavedRoom(ServiceModel):
    """A room of a session: in which mode, and from which place of its log on.

    ``mark`` is that of the record at the position, if it is known.
    """

    mode: Mode
    position: int
    frames: int | None = None
    mark: int | None = None


class SavedSession(ServiceModel):
    """What is kept of a session so that any gateway can go on with it.

    ``acknowledged`` says how far the client had certainly come in each room, by its heartbeats;
    ``marks`` are those of the records there, as far as they are known.
    ``ended_ms`` is Unix time: ``None`` while it lives, or if its gateway died. A client that
    ``said_goodbye`` comes back if it knows its ``pid``, and not by its user alone; nor does one
    with another ``fingerprint``, which a gateway of the version before does not say.
    """

    connection_id: str
    gateway_id: str
    rooms: dict[str, SavedRoom]
    acknowledged: dict[str, int] = Field(default_factory=dict)
    marks: dict[str, int] = Field(default_factory=dict)
    saved_ms: int
    ended_ms: int | None = None
    said_goodbye: bool = False
    taken_over: bool = False
    fingerprint: str | None = None


class GatewaySign(ServiceModel):
    """When a gateway was alive, in Unix time: its sessions have not ended before."""

    alive_ms: int


class ConnectionCheck(ServiceModel):
    """Asks a gateway whether one of its connections answers a ping that is sent from now on."""

    connection_id: str


class Liveness(StrEnum):
    """What a gateway knows of a connection that it was asked about."""

    ALIVE = "alive"
    """it answered, or is not to be disturbed"""
    BROKEN = "broken"
    """it did not answer in time, or its transport ended without a goodbye"""
    GOODBYE = "goodbye"
    """its client ended it meanwhile"""
    UNKNOWN = "unknown"
    """there is no such connection here"""


class ConnectionChecked(ServiceModel):
    """The answer to :class:`ConnectionCheck`.

    ``acknowledged`` says how far the client of a broken connection had come in each room, and
    ``marks`` which records stand there, as far as that is known.
    """

    liveness: Liveness
    acknowledged: dict[str, int] = Field(default_factory=dict)
    marks: dict[str, int] = Field(default_factory=dict)
