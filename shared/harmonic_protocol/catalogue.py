"""All declarations in one place: the only list that a new message is added to."""

from collections.abc import Mapping
from types import MappingProxyType

from harmonic_protocol.messages.audio import AudioAnalysis, AudioAnalyzed
from harmonic_protocol.messages.connection import (
    ConnectSuccess,
    ErrorReported,
    RefreshToken,
    TimeSync,
    TokenExpiring,
    TokenRefreshed,
)
from harmonic_protocol.messages.declaration import Command, Event
from harmonic_protocol.messages.music import GenerateMusic, MusicGenerated
from harmonic_protocol.messages.parameters import (
    MusicUpdated,
    PhysicsUpdated,
    UpdateMusic,
    UpdateParameters,
    UpdatePhysics,
    UpdateVisualization,
    VisualizationUpdated,
)
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
from harmonic_protocol.messages.universes import (
    CreateUniverse,
    DeleteUniverse,
    GetMusic,
    GetUniverse,
    ListUniverses,
    Operation,
    RemoveMember,
    SetMember,
    UpdateUniverse,
)

COMMANDS: Mapping[str, type[Command]] = MappingProxyType(
    {
        command.spec.name: command
        for command in (
            JoinRoom,
            LeaveRoom,
            UpdatePhysics,
            UpdateMusic,
            UpdateVisualization,
            UpdateParameters,
            GenerateMusic,
            AudioAnalysis,
            RefreshToken,
            TimeSync,
        )
    }
)

EVENTS: Mapping[str, type[Event]] = MappingProxyType(
    {
        event.spec.name: event
        for event in (
            ConnectSuccess,
            TokenExpiring,
            TokenRefreshed,
            RoomJoined,
            RoomLeft,
            RoomRefused,
            StateRecovered,
            ParticipantJoined,
            ParticipantLeft,
            PhysicsUpdated,
            MusicUpdated,
            VisualizationUpdated,
            MusicGenerated,
            AudioAnalyzed,
            ErrorReported,
        )
    }
)

OPERATIONS: Mapping[str, type[Operation]] = MappingProxyType(
    {
        operation.spec.name: operation
        for operation in (
            CreateUniverse,
            ListUniverses,
            GetUniverse,
            UpdateUniverse,
            DeleteUniverse,
            SetMember,
            RemoveMember,
            GetMusic,
        )
    }
)
