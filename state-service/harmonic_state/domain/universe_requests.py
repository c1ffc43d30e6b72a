"""All requests that are decided on one universe: a closed family."""

from typing import assert_never

from harmonic_protocol.catalogue import StateCommand, UniverseOperation
from harmonic_protocol.internal import (
    CloseConnection,
    CompleteMusic,
    ExpireMusic,
    OwnRequest,
    RecordBar,
    ReleaseGateway,
    ResumeRoom,
)
from harmonic_protocol.intervening import (
    EraseUser,
    ForgetHistory,
    InspectUniverse,
    OperatorBan,
    OperatorUnban,
    RemoveUser,
)
from harmonic_protocol.messages.auditing import ListAudit
from harmonic_protocol.messages.endless import StartMusic, StopMusic
from harmonic_protocol.messages.following import FollowUniverse, LinkStream
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.reading import GetParticipants, ListEvents, ListMusic
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.messages.universes import (
    BanUser,
    CreateUniverse,
    DeleteUniverse,
    GetMusic,
    GetUniverse,
    RemoveMember,
    RemoveParticipant,
    SetMember,
    UnbanUser,
    UpdateUniverse,
)

#: A function that dispatches on this ends in ``assert_never``.
UniverseRequest = (
    StateCommand
    | ResumeRoom
    | CloseConnection
    | CompleteMusic
    | InspectUniverse
    | RemoveUser
    | OperatorBan
    | OperatorUnban
    | EraseUser
    | ForgetHistory
    | OwnRequest
    | CreateUniverse
    | UniverseOperation
)


def never_grows(request: UniverseRequest) -> bool:
    """Whether a request can only make a universe smaller: an almost full log still stores it."""
    match request:
        case (
            LeaveRoom()
            | CloseConnection()
            | ReleaseGateway()
            | RemoveMember()
            | RemoveParticipant()
            | RemoveUser()
            | DeleteUniverse()
            | EraseUser()
            | ForgetHistory()
            | CompleteMusic()
            | ExpireMusic()
            | StopMusic()
        ):
            return True
        case (
            ParameterCommand()
            | GenerateMusic()
            | StartMusic()
            | RecordBar()
            | JoinRoom()
            | ResumeRoom()
            | CreateUniverse()
            | UpdateUniverse()
            | SetMember()
            | BanUser()
            | UnbanUser()
            | OperatorBan()
            | OperatorUnban()
            | GetUniverse()
            | GetParticipants()
            | ListEvents()
            | FollowUniverse()
            | LinkStream()
            | ListMusic()
            | GetMusic()
            | ListAudit()
            | InspectUniverse()
        ):
            return False
        case unreachable:
            assert_never(unreachable)
