"""Which requests the audit log notes: moderation, settings, and services' actions."""

from typing import Any, NamedTuple, assert_never

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import (
    CloseConnection,
    CompleteMusic,
    ExpireMusic,
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
from harmonic_protocol.log import ActionNoted
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
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe_requests import UniverseRequest


class _Noting(NamedTuple):
    """What is noted of a request: the target user, and the values set, by their wire names.

    ``operator`` says that operators alone make such requests.
    """

    target: str | None = None
    #: Values without users' names: those have fields of their own.
    details: dict[str, Any] | None = None
    operator: bool = False


def is_noted(request: UniverseRequest, caller: Caller) -> bool:
    """Whether a request is noted if it makes events; it needs a fresh id then."""
    return _noting(request, caller) is not None


def noted(request: UniverseRequest, caller: Caller, moment: DecisionInputs) -> list[ActionNoted]:
    """The notes of a request that made events."""
    noting = _noting(request, caller)
    if noting is None:
        return []
    return [
        ActionNoted(
            id=moment.fresh_id,
            action=request.operation(),
            user_id=caller.user_id,
            operator=noting.operator or None,
            service=caller.service or None,
            target=noting.target,
            details=noting.details or None,
            timestamp=moment.timestamp,
        )
    ]


def _noting(  # noqa: C901, PLR0911 -- the one table of what is noted
    request: UniverseRequest, caller: Caller
) -> _Noting | None:
    match request:
        # The most frequent first: each arm that does not match costs time.
        case ParameterCommand() | GenerateMusic() | CreateUniverse() if not caller.service:
            # Users' are in the log, and too many.
            return None
        case ParameterCommand():
            return _Noting(details={"sets": list(request.changes())})
        case GenerateMusic():
            return _Noting()
        case (
            JoinRoom()
            | LeaveRoom()
            | ResumeRoom()
            | CloseConnection()
            | ReleaseGateway()
            | CompleteMusic()
            | ExpireMusic()
            | StartMusic()
            | StopMusic()
            | RecordBar()
            | GetUniverse()
            | GetParticipants()
            | ListEvents()
            | FollowUniverse()
            | LinkStream()
            | ListMusic()
            | GetMusic()
            | ListAudit()
            | InspectUniverse()
            | ForgetHistory()
        ):
            # These change nothing, or nothing that an owner would look for.
            return None
        case CreateUniverse() | UpdateUniverse():
            return _Noting(request.owner, _settings(request))
        case DeleteUniverse():
            return _Noting()
        case SetMember():
            return _Noting(request.user_id, {"role": request.role})
        case RemoveMember() | RemoveParticipant() | BanUser() | UnbanUser():
            return _Noting(request.user_id)
        case RemoveUser() | OperatorBan() | OperatorUnban():
            return _Noting(request.user_id, operator=True)
        case EraseUser():
            # No note may name the erased user.
            return _Noting(operator=True)
        case unreachable:
            assert_never(unreachable)


def _settings(request: CreateUniverse | UpdateUniverse) -> dict[str, Any]:
    sent = request.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {name: sent[name] for name in sent.keys() - {"universeId", "id", "owner"}}
