"""Harmonic Universe in Python: shared parameters, people, music and a common clock."""

from harmonic_client.changes import (
    Changes,
    MusicChanges,
    PhysicsChanges,
    UniverseParameters,
    VisualizationChanges,
)
from harmonic_client.client import Client, connect
from harmonic_client.clock import Quality
from harmonic_client.connection import GetToken, Status
from harmonic_client.errors import (
    FieldRefusal,
    HarmonicError,
    MissedEventsError,
    NotConnectedError,
    RefusedError,
    UnansweredError,
)
from harmonic_client.events import AnyEvent, NewerEvent
from harmonic_client.merge import Presences, Previews
from harmonic_client.room import RoomStatus
from harmonic_client.timekeeping import ServerClock
from harmonic_client.universe import SharedUniverse
from harmonic_protocol.messages.audio import AudioAnalyzed
from harmonic_protocol.messages.connection import ErrorReported, Limits
from harmonic_protocol.messages.declaration import Event
from harmonic_protocol.messages.endless import (
    EndlessPiece,
    MusicBar,
    MusicStarted,
    MusicStopped,
)
from harmonic_protocol.messages.music import MusicGenerated
from harmonic_protocol.messages.presence import PresenceStates, PresenceUpdated
from harmonic_protocol.messages.previews import ParametersPreviewed
from harmonic_protocol.messages.rooms import (
    ParticipantJoined,
    ParticipantLeft,
    RoomJoined,
    RoomLeft,
    RoomRefused,
    StateRecovered,
)
from harmonic_protocol.messages.sets import ParametersUpdated
from harmonic_protocol.messages.universes import RoleChanged, UniverseUpdated, UserErased
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code
from harmonic_protocol.values import (
    Mode,
    MusicParameters,
    Note,
    Participant,
    PhysicsParameters,
    VisualizationParameters,
)

__all__ = [
    "AnyEvent",
    "AudioAnalyzed",
    "Changes",
    "Client",
    "Code",
    "EndlessPiece",
    "ErrorReported",
    "Event",
    "FieldRefusal",
    "GetToken",
    "HarmonicError",
    "Limits",
    "MissedEventsError",
    "Mode",
    "MusicBar",
    "MusicChanges",
    "MusicGenerated",
    "MusicParameters",
    "MusicStarted",
    "MusicStopped",
    "NewerEvent",
    "NotConnectedError",
    "Note",
    "ParametersPreviewed",
    "ParametersUpdated",
    "Participant",
    "ParticipantJoined",
    "ParticipantLeft",
    "PhysicsChanges",
    "PhysicsParameters",
    "PresenceStates",
    "PresenceUpdated",
    "Presences",
    "Previews",
    "Quality",
    "Reason",
    "RefusedError",
    "RoleChanged",
    "RoomJoined",
    "RoomLeft",
    "RoomRefused",
    "RoomStatus",
    "ServerClock",
    "SharedUniverse",
    "StateRecovered",
    "Status",
    "UnansweredError",
    "UniverseParameters",
    "UniverseUpdated",
    "UserErased",
    "VisualizationChanges",
    "VisualizationParameters",
    "connect",
]  # fmt: skip
