"""The records of a universe's log, and the events in them that clients never see.

A record is one message of the log: what one append stored. Its events are declared messages
(:mod:`harmonic_protocol.messages`) or the hidden ones below. ``music_generated`` refers to its
notes instead of containing them. A reader that does not know an event's name ignores the event; an
owner keeps the number of its frame, and the values of a parameter set.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, get_args

from harmonic_protocol.pieces import MusicJob
from harmonic_protocol.refusals import Refused
from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import (
    Mode,
    MusicParameters,
    PhysicsParameters,
    Timestamp,
    Visibility,
)


class LoggedEvent(ServiceModel):
    """An event by its name, in its wire form."""

    name: str
    data: dict[str, Any]


class Record(ServiceModel):
    """What one append stored. By ``id``, a writer recognises its own record of unknown outcome.

    ``after`` is the id of the record before it, if the writer knew it: a log that lost its end uses
    positions again, and never ids.
    """

    id: str
    after: str | None = None
    at: Timestamp
    events: tuple[LoggedEvent, ...]


#: The least mark of a record, and how many there are: six digits, so that no mark is a count.
FIRST_MARK, MARKS = 100_000, 900_000


def record_mark(record_id: str) -> int:
    """A record's mark: the part of its id that an offset contains, beside its position."""
    digest = hashlib.blake2b(record_id.encode(), digest_size=8).digest()
    return FIRST_MARK + int.from_bytes(digest) % MARKS


class HiddenEvent(ServiceModel):
    """An event that the log stores and no client is sent as such.

    ``service`` is the name of the service that did it, if no user did.
    """

    name: ClassVar[str]


class UniverseCreated(HiddenEvent):
    """The first event of every log."""

    name: ClassVar = "universe_created"

    universe_id: str
    owner: str
    title: str
    visibility: Visibility
    public_mode: Mode
    max_participants: int
    timestamp: Timestamp
    service: str | None = None


class SettingsChanged(HiddenEvent):
    """The owner changed the settings that are set here."""

    name: ClassVar = "settings_changed"

    title: str | None = None
    visibility: Visibility | None = None
    public_mode: Mode | None = None
    max_participants: int | None = None
    timestamp: Timestamp


class OwnerChanged(HiddenEvent):
    """The universe has a new owner."""

    name: ClassVar = "owner_changed"

    owner: str
    former_owner: str
    timestamp: Timestamp


class MemberSet(HiddenEvent):
    """A user has a role."""

    name: ClassVar = "member_set"

    user_id: str
    role: Mode
    timestamp: Timestamp


class MemberRemoved(HiddenEvent):
    """A user has no role any more."""

    name: ClassVar = "member_removed"

    user_id: str
    timestamp: Timestamp


class UserBanned(HiddenEvent):
    """A user is banned."""

    name: ClassVar = "user_banned"

    user_id: str
    timestamp: Timestamp
    service: str | None = None


class UserUnbanned(HiddenEvent):
    """A ban was lifted."""

    name: ClassVar = "user_unbanned"

    user_id: str
    timestamp: Timestamp
    service: str | None = None


class UniverseDeleted(HiddenEvent):
    """The last event of a log: a tombstone is left. Gateways close the room."""

    name: ClassVar = "universe_deleted"

    timestamp: Timestamp


class HistoryForgotten(HiddenEvent):
    """The log begins anew here: earlier records are not kept, and a snapshot replaces them."""

    name: ClassVar = "history_forgotten"

    timestamp: Timestamp


class HistoryLost(HiddenEvent):
    """Earlier records of the log were lost, or other records took their positions.

    The records before it are not continued by those after it: no replay may contain both. ``seq``
    is above all numbers that members may have seen.
    """

    name: ClassVar = "history_lost"

    seq: int
    timestamp: Timestamp


class ConnectionJoined(HiddenEvent):
    """A connection is in the room, or changed its mode there.

    With ``replaces``, it continues the session of that earlier connection.
    """

    name: ClassVar = "connection_joined"

    connection_id: str
    gateway_id: str
    user_id: str
    username: str
    mode: Mode
    replaces: str | None = None


class ConnectionLeft(HiddenEvent):
    """A connection is not in the room any more.

    With ``refusal``, it was removed: its gateway tells it so in a ``room_error``. With
    ``released``, its gateway was taken for dead: if that lives after all, it takes the seat again.
    With ``moved``, its client resumed over another connection, which replaces this one. With
    ``away_since``, the transport was lost, and the client may resume its session. With ``user_id``,
    all of that user's connections were removed: the user's streams end as well.
    """

    name: ClassVar = "connection_left"

    connection_id: str
    refusal: Refused | None = None
    released: bool | None = None
    moved: bool | None = None
    away_since: Timestamp | None = None
    user_id: str | None = None


class ConnectionModeChanged(HiddenEvent):
    """A connection may do no more than this mode allows from now on; its gateway enforces it."""

    name: ClassVar = "connection_mode_changed"

    connection_id: str
    mode: Mode


class OperationApplied(HiddenEvent):
    """A command with an ``opId`` was carried out: a repetition gets the same answer."""

    name: ClassVar = "operation_applied"

    user_id: str
    op_id: str
    digest: str
    seq: int
    timestamp: Timestamp


class MusicRequested(HiddenEvent):
    """A piece is being made; the universe's owner publishes the job."""

    name: ClassVar = "music_requested"

    job: MusicJob
    connection_id: str
    op_id: str | None = None
    timestamp: Timestamp


class MusicFailed(HiddenEvent):
    """No piece came in time: the requester's gateway sends it an ``error``."""

    name: ClassVar = "music_failed"

    request_id: str
    connection_id: str
    refusal: Refused


class MusicStored(HiddenEvent):
    """``music_generated`` as the log stores it: without the notes, which have their own stream."""

    name: ClassVar = "music_generated"

    universe_id: str
    timestamp: Timestamp
    request_id: str
    user_id: str
    seed: int
    duration: float
    tempo: float
    key: str
    scale: str
    seq: int
    play_at: Timestamp | None = None
    composer_version: int | None = None
    service: str | None = None


class BarRecorded(HiddenEvent):
    """A bar of the universe's endless piece: its notes depend on this record alone.

    ``starts_us`` is its begin in whole microseconds of Unix time, so that errors do not add up.
    ``as_of`` is the ``seq`` of the universe whose parameters it uses. ``state`` is the composer's
    state after the bar before; the first bar has none.
    """

    name: ClassVar = "bar_recorded"

    stream_id: str
    bar: int
    starts_us: int
    as_of: int
    music: MusicParameters
    physics: PhysicsParameters
    state: str | None = None


class ActionNoted(HiddenEvent):
    """Who caused the events beside it: an entry of the audit log, see ``auditing``.

    ``user_id`` is a user, a service, or, with ``operator``, the name of an operator. ``target`` is
    the user that was acted on, if there is one.
    """

    name: ClassVar = "action_noted"

    id: str
    action: str
    user_id: str
    operator: bool | None = None
    service: str | None = None
    target: str | None = None
    details: dict[str, Any] | None = None
    timestamp: Timestamp


#: Hidden events on which gateways act.
Notice = (
    ConnectionLeft
    | ConnectionModeChanged
    | MemberSet
    | MemberRemoved
    | MusicFailed
    | SettingsChanged
    | UserBanned
    | UniverseDeleted
    | HistoryLost
)
#: Hidden events that concern only a universe's owner.
OwnersNote = (
    UniverseCreated
    | OwnerChanged
    | UserUnbanned
    | ConnectionJoined
    | OperationApplied
    | MusicRequested
    | BarRecorded
    | ActionNoted
    | HistoryForgotten
)

NOTICES: Mapping[str, type[Notice]] = MappingProxyType(
    {event.name: event for event in get_args(Notice)}
)
OWNERS_NOTES: Mapping[str, type[OwnersNote]] = MappingProxyType(
    {event.name: event for event in get_args(OwnersNote)}
)
