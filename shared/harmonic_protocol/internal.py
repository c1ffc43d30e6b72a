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
from harmonic_protocol.values import FrameNumber, Mode


class CompareHeads(InternalRequest):
    """Ask which of these universes' logs go on after the positions that a gateway knows.

    ``owner`` is the replica that the gateway takes for their owner. If it is away, another replica
    may be asked in its place. ``marks`` are those of the records at these positions, and ``seqs``
    the numbers of the last frames up to there, as far as the gateway knows them. ``lost`` are the
    numbers of the last frames that members were sent of rooms that the gateway has lost since. A
    gateway of the version before sends neither of these.
    """

    name: ClassVar = "compare_heads"

    positions: dict[str, int]
    owner: str
    marks: dict[str, int] = Field(default_factory=dict)
    seqs: dict[str, FrameNumber] = Field(default_factory=dict)
    lost: dict[str, FrameNumber] = Field(default_factory=dict)


class CloseConnection(InternalUniverseRequest):
    """The caller's connection has ended: it leaves the room, if it is in it."""

    name: ClassVar = "close_connection"


class ResumeRoom(InternalUniverseRequest):
    """The caller has reconnected: it takes the seat of the connection that it ``replaces``.

    If that seat has ended already, it joins like anybody, in ``mode`` or the highest mode below it
    that is still allowed. With ``after_position``, it asks for what it missed since. A position
    that the log has not reached is refused. A session that ended in this room (the user left it, or
    was not allowed to see it for a time) is not continued: the reply says so, and has no records.
    The same applies to a position without a record, or with another one than ``after_record`` or
    ``after_mark`` names, if the owner has it in memory; otherwise, reading the log shows it.
    """

    name: ClassVar = "resume_room"

    mode: Mode
    replaces: str
    after_position: int | None = None
    after_record: str | None = None
    after_mark: int | None = None


class ReadLog(InternalUniverseRequest):
    """The records after a position of the log, for a gateway that missed some of them.

    It is refused as trimmed if no record is there, or another one than ``after_record`` or
    ``after_mark`` names. With ``inclusive``, the record there is the first in the reply.
    """

    name: ClassVar = "read_log"

    after_position: int
    after_record: str | None = None
    after_mark: int | None = None
    inclusive: bool = False


class ReadEvents(InternalUniverseRequest):
    """The records with frames above a number, up to a position; ``last_seq`` is its last frame."""

    name: ClassVar = "read_events"

    after_seq: int
    last_seq: int
    up_to_position: int


class ReleaseGateway(InternalUniverseRequest):
    """A gateway is gone: all its connections leave the room."""

    name: ClassVar = "release_gateway"

    gateway_id: str


class CompleteMusic(InternalUniverseRequest):
    """The notes of a requested piece are stored under the request's subject.

    Replicas before ``composer_version`` was added do not send it.
    """

    name: ClassVar = "complete_music"

    request_id: str
    tempo: float
    key: str
    scale: str
    composer_version: int | None = None


class ExpireMusic(InternalUniverseRequest):
    """A requested piece did not come in time."""

    name: ClassVar = "expire_music"

    request_id: str


class RecordBar(InternalUniverseRequest):
    """The next bar of the endless piece is due, or its end, if nobody is left to hear it.

    ``starts_us`` is when the bar before ends, in microseconds of Unix time. If another owner has
    recorded the next bar already, this does nothing.
    """

    name: ClassVar = "record_bar"

    stream_id: str
    bar: int
    starts_us: int
    state: str


#: Requests that arrive over the bus.
BusRequest = (
    CloseConnection
    | CompareHeads
    | ReadLog
    | ReadEvents
    | ResumeRoom
    | CompleteMusic
    | Intervention
)
#: Requests that an owner makes itself.
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

    ``records`` are the ids of the records there. ``turned_back``, in an answer, are the logs that
    end before a position that the gateway was sent, or have another record there: they have lost
    records. ``deferred``, in an answer, are the universes that the owner could not queue to be
    loaded: the gateway asks about them again. ``settled``, in an answer, are the lost rooms whose
    universes will use no number again that the gateway named; a replica of the version before names
    none.
    """

    heads: dict[str, int]
    records: dict[str, str] = Field(default_factory=dict)
    turned_back: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()


class LoggedRecord(ServiceModel):
    """A record of the log at its position, as in the answer to :class:`ReadLog`."""

    position: int
    record: Record


class LogPart(ServiceModel):
    """Records in order; ``complete``: to the log's end; ``first_seq``: its first frame's number."""

    records: tuple[LoggedRecord, ...]
    complete: bool
    first_seq: int | None = None


class JoinResult(ServiceModel):
    """What a gateway needs to tell a connection that joined.

    ``announcement`` is the event that the room was sent, if it was sent one: the new connection
    gets it before ``room``, and all records above the reply's position after it. A connection that
    returned gets ``current`` and ``missed`` in between; ``missed`` is absent if the owner does not
    have it in memory. ``continued`` is false if the earlier connection's session ended in this
    room, so that nothing of it may be replayed; a replica of the version before leaves it out.
    ``record`` is the id of the record at the reply's position, if known. ``gateways`` are those of
    the room's members; such a replica leaves them out too.
    """

    room: RoomJoined
    announcement: ParticipantJoined | None = None
    current: CurrentValues | None = None
    missed: LogPart | None = None
    continued: bool | None = None
    record: str | None = None
    gateways: tuple[str, ...] | None = None


class JoinTold(ServiceModel):
    """:class:`JoinResult` for a gateway that only relays the events, as unparsed values.

    Parsing and serializing them would be the largest cost of a join to a large room.
    """

    room: dict[str, Any]
    announcement: dict[str, Any] | None = None
    record: str | None = None
    gateways: tuple[str, ...] | None = None

    @property
    def universe_id(self) -> str:
        """The id of the room's universe."""
        return str(self.room["universeId"])

    @property
    def mode(self) -> Mode:
        """The connection's mode in the room."""
        return "edit" if self.room["mode"] == "edit" else "view"


#: The header that names a signal's event, ...
SIGNAL_EVENT = "Hu-Event"
#: ... and the value for the question up to which position a gateway was sent a universe's log.
LOG_END_ASKED = "log_end_asked"


class LogEndSeen(ServiceModel):
    """The answer of a gateway that has, or lost, members of a universe.

    They may have seen records that the log has lost. ``position`` is 0 before any record, or if the
    log is not followed; ``seq`` is the number of the last frame that they were sent, 0 if that is
    not known. A gateway of the version before does not send it.
    """

    gateway_id: str
    position: int
    seq: FrameNumber = 0


class SavedRoom(ServiceModel):
    """A room of a session: its mode, and the position of its log from which to replay.

    ``mark`` is that of the record at the position, if it is known.
    """

    mode: Mode
    position: int
    frames: int | None = None
    mark: int | None = None


class SavedSession(ServiceModel):
    """A stored session, from which any gateway can continue it.

    ``acknowledged`` are the positions up to which the client has certainly received each room's
    log, by its heartbeats; ``marks`` are those of the records there, as far as known. ``ended_ms``
    is Unix time: ``None`` while the session lives, or if its gateway died. A client that
    ``said_goodbye`` resumes it by its ``pid`` only, and not as the user's latest session. The same
    applies to a client with another ``fingerprint``, which a gateway of the version before does not
    store.
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
    """When a gateway was last alive, in Unix time: its sessions have not ended before."""

    alive_ms: int


class ConnectionCheck(ServiceModel):
    """Ask a gateway whether one of its connections answers a ping sent after this request."""

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

    ``acknowledged`` are the positions up to which the client of a broken connection received each
    room's log, and ``marks`` those of the records there, as far as known.
    """

    liveness: Liveness
    acknowledged: dict[str, int] = Field(default_factory=dict)
    marks: dict[str, int] = Field(default_factory=dict)
