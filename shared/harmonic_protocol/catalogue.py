"""All declarations in one place: the only list to which a new message is added.

A family of messages that is dispatched on is closed: a union names its members, and a dispatch over
it ends in ``assert_never``. If a listed message is missing from its family, or a dispatch does not
handle it, that is a type error. In a union, a base class stands for everything that is declared
from it: parameter sets, and live signals.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from harmonic_protocol.messages.audio import AudioAnalysis, AudioAnalyzed
from harmonic_protocol.messages.auditing import ListAudit
from harmonic_protocol.messages.connection import (
    ConnectSuccess,
    ErrorReported,
    RefreshToken,
    TimeSync,
    TokenExpiring,
    TokenRefreshed,
)
from harmonic_protocol.messages.declaration import MAX_MESSAGE_BYTES, Event, LiveSignal, by_name
from harmonic_protocol.messages.endless import (
    MusicBar,
    MusicStarted,
    MusicStopped,
    StartMusic,
    StopMusic,
)
from harmonic_protocol.messages.extensions import EXTENSIONS
from harmonic_protocol.messages.following import (
    FollowUniverse,
    LinkStream,
    StateReset,
    StreamEnded,
    UniverseState,
)
from harmonic_protocol.messages.music import GenerateMusic, MusicGenerated
from harmonic_protocol.messages.parameters import PARAMETER_SETS, UpdateParameters
from harmonic_protocol.messages.presence import PresenceStates, UpdatePresence
from harmonic_protocol.messages.previews import PreviewParameters
from harmonic_protocol.messages.reading import GetParticipants, ListEvents, ListMusic
from harmonic_protocol.messages.rooms import (
    JoinRoom,
    LeaveRoom,
    ParticipantJoined,
    ParticipantLeft,
    RoomJoined,
    RoomLeft,
    RoomRefused,
    StateRecovered,
)
from harmonic_protocol.messages.services import ChangeParameters, ComposeMusic
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.messages.universes import (
    BanUser,
    CreateUniverse,
    DeleteUniverse,
    GetMusic,
    GetUniverse,
    ListUniverses,
    RemoveMember,
    RemoveParticipant,
    RoleChanged,
    SetMember,
    UnbanUser,
    UniverseUpdated,
    UpdateUniverse,
    UserErased,
)

#: All requests that owners of universes decide.
StateCommand = JoinRoom | LeaveRoom | ParameterCommand | GenerateMusic | StartMusic | StopMusic
#: All commands of clients.
ClientCommand = StateCommand | LiveSignal | RefreshToken | TimeSync
#: All operations of the HTTP API on a universe that there is, which its owner decides.
UniverseOperation = (
    GetUniverse
    | UpdateUniverse
    | DeleteUniverse
    | SetMember
    | RemoveMember
    | RemoveParticipant
    | BanUser
    | UnbanUser
    | GetParticipants
    | ListEvents
    | FollowUniverse
    | LinkStream
    | ListMusic
    | GetMusic
    | ListAudit
)
#: All operations that a caller of the HTTP API may ask the owners of universes for.
OwnerOperation = CreateUniverse | ListUniverses | UniverseOperation
#: All operations of the HTTP API; the last ones reach owners as commands.
ApiOperation = OwnerOperation | ChangeParameters | ComposeMusic

_STATE_COMMANDS: tuple[type[StateCommand], ...] = (
    JoinRoom,
    LeaveRoom,
    *(one.command for one in PARAMETER_SETS.values()),
    UpdateParameters,
    GenerateMusic,
    StartMusic,
    StopMusic,
)
_SIGNALS: tuple[type[LiveSignal], ...] = (
    AudioAnalysis,
    PreviewParameters,
    UpdatePresence,
    *EXTENSIONS.signals(),
)
_EVENTS: tuple[type[Event], ...] = (
    ConnectSuccess,
    TokenExpiring,
    TokenRefreshed,
    RoomJoined,
    RoomLeft,
    RoomRefused,
    StateRecovered,
    ParticipantJoined,
    ParticipantLeft,
    UniverseUpdated,
    UserErased,
    RoleChanged,
    *(one.event for one in PARAMETER_SETS.values()),
    MusicGenerated,
    MusicStarted,
    MusicStopped,
    MusicBar,
    *(signal.event for signal in _SIGNALS),
    PresenceStates,
    ErrorReported,
)

STATE_COMMANDS: Mapping[str, type[StateCommand]] = MappingProxyType(
    by_name((command.spec.name, command) for command in _STATE_COMMANDS)
)

SIGNALS: Mapping[str, type[LiveSignal]] = MappingProxyType(
    by_name((signal.spec.name, signal) for signal in _SIGNALS)
)

#: The kind of a live signal that names no event: version 0.2 knew one kind.
UNNAMED_SIGNAL = AudioAnalyzed.spec.name

COMMANDS: Mapping[str, type[ClientCommand]] = MappingProxyType(
    by_name(
        (
            *STATE_COMMANDS.items(),
            *SIGNALS.items(),
            *((command.spec.name, command) for command in (RefreshToken, TimeSync)),
        )
    )
)

#: The size limits of the commands that may be larger than others, in bytes.
LARGER_MESSAGES_BYTES: Mapping[str, int] = MappingProxyType(
    {
        name: command.spec.max_bytes
        for name, command in COMMANDS.items()
        if command.spec.max_bytes > MAX_MESSAGE_BYTES
    }
)

EVENTS: Mapping[str, type[Event]] = MappingProxyType(
    by_name((event.spec.name, event) for event in _EVENTS)
)
#: The events of a stream of server-sent events besides those of the room.
STREAM_EVENTS: Mapping[str, type[Event]] = MappingProxyType(
    by_name((event.spec.name, event) for event in (UniverseState, StateReset, StreamEnded))
)
OWNER_OPERATIONS: Mapping[str, type[OwnerOperation]] = MappingProxyType(
    by_name((operation.spec.name, operation) for operation in get_args(OwnerOperation))
)
OPERATIONS: Mapping[str, type[ApiOperation]] = MappingProxyType(
    by_name((operation.spec.name, operation) for operation in get_args(ApiOperation))
)
