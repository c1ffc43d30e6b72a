"""Who may see a universe, who may edit it, and what services may do in it."""

from typing import assert_never

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
from harmonic_protocol.messages.endless import StartMusic, StopMusic
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.messages.universes import Operation
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import Mode
from harmonic_state.domain.universe import Universe
from harmonic_state.domain.universe_requests import UniverseRequest

BANNED = refused(Code.PERMISSION_DENIED, "You are banned from this universe", reason=Reason.BANNED)
_NOT_FOUND = refused(Code.NOT_FOUND, "Universe not found")
_NOT_FOR_SERVICES = refused(
    Code.PERMISSION_DENIED, "Services may not do this", reason=Reason.SERVICE
)


def allowed_mode(universe: Universe, user_id: str) -> Mode | None:
    """The highest mode in which a user may be in the room; ``None``: the user may not see it."""
    if universe.deleted or user_id in universe.bans:
        return None
    if user_id == universe.owner:
        return "edit"
    role = universe.members.get(user_id)
    if universe.visibility == "private":
        return role
    return "edit" if "edit" in (role, universe.public_mode) else "view"


def visible(universe: Universe | None, caller: Caller) -> Universe | Refused:
    """The universe, or ``NOT_FOUND``: the same for a hidden universe as for one that never existed.

    A banned user is told of the ban if anybody else would see the universe. Services see all.
    """
    if universe is None or universe.deleted:
        return _NOT_FOUND
    if not caller.service and allowed_mode(universe, caller.user_id) is None:
        return _NOT_FOUND if universe.visibility == "private" else BANNED
    return universe


def owned(universe: Universe | None, caller: Caller) -> Universe | Refused:
    """The universe, if the user owns it."""
    seen = visible(universe, caller)
    if isinstance(seen, Universe) and (caller.service or seen.owner != caller.user_id):
        return refused(
            Code.PERMISSION_DENIED, "Only the owner may do this", reason=Reason.NOT_OWNER
        )
    return seen


def moderated(universe: Universe | None, caller: Caller) -> Universe | Refused:
    """The universe, if the caller owns it or is a service."""
    return visible(universe, caller) if caller.service else owned(universe, caller)


def refusal_of_service(
    universe: Universe | None, request: UniverseRequest, caller: Caller
) -> Refused | None:
    """The refusal if a service may not make this request; ``None`` otherwise, and for users."""
    if not caller.service or _is_for_services(request):
        return None
    seen = visible(universe, caller)
    return seen if isinstance(seen, Refused) else _NOT_FOR_SERVICES


def _is_for_services(request: UniverseRequest) -> bool:
    match request:
        case Operation():
            return request.spec.services
        case ParameterCommand() | GenerateMusic():
            return True
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
            | InspectUniverse()
            | RemoveUser()
            | OperatorBan()
            | OperatorUnban()
            | EraseUser()
            | ForgetHistory()
        ):
            return False
        case unreachable:
            assert_never(unreachable)
