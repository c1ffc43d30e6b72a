"""What of what is done goes to the audit log: moderation, settings, and services' acts."""

from typing import Any

from harmonic_protocol.envelope import Caller
from harmonic_protocol.intervening import EraseUser, OperatorBan, OperatorUnban, RemoveUser
from harmonic_protocol.log import ActionNoted
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.messages.universes import (
    BanUser,
    CreateUniverse,
    DeleteUniverse,
    RemoveMember,
    RemoveParticipant,
    SetMember,
    UnbanUser,
    UpdateUniverse,
)
from harmonic_state.domain.presence import DecisionInputs

#: Noted whoever does it.
_ALWAYS = (
    UpdateUniverse,
    DeleteUniverse,
    SetMember,
    RemoveMember,
    RemoveParticipant,
    BanUser,
    UnbanUser,
)
#: What operators change of a universe. Of an erasure nothing is noted that names the user.
_BY_OPERATORS = (RemoveUser, OperatorBan, OperatorUnban, EraseUser)
_NOTED = (*_ALWAYS, *_BY_OPERATORS)
#: Noted where a service does it: users' are in the log, and too many.
_BY_SERVICES = (CreateUniverse, ParameterCommand, GenerateMusic)


def is_noted(request: object, caller: Caller) -> bool:
    """Whether a request is noted if something comes of it: then it needs a fresh id."""
    return isinstance(request, _NOTED) or (
        bool(caller.service) and isinstance(request, _BY_SERVICES)
    )


def noted(request: object, caller: Caller, moment: DecisionInputs) -> list[ActionNoted]:
    """What is noted of a request of which something came."""
    if not is_noted(request, caller):
        return []
    operation = getattr(request, "operation", None)
    return [
        ActionNoted(
            id=moment.fresh_id,
            action=operation() if operation is not None else "",
            user_id=caller.user_id,
            operator=True if isinstance(request, _BY_OPERATORS) else None,
            service=caller.service or None,
            target=_target(request),
            details=_details(request) or None,
            timestamp=moment.timestamp,
        )
    ]


def _target(request: object) -> str | None:
    """The user to whom it is done."""
    match request:
        case (
            SetMember()
            | RemoveMember()
            | RemoveParticipant()
            | BanUser()
            | UnbanUser()
            | RemoveUser()
            | OperatorBan()
            | OperatorUnban()
        ):
            return request.user_id
        case CreateUniverse() | UpdateUniverse():
            return request.owner
    return None


def _details(request: object) -> dict[str, Any]:
    """What is set, by the names of the request: nothing that names a user."""
    match request:
        case UpdateUniverse() | CreateUniverse():
            sent = request.model_dump(mode="json", by_alias=True, exclude_unset=True)
            return {name: sent[name] for name in sent.keys() - {"universeId", "id", "owner"}}
        case SetMember():
            return {"role": request.role}
        case ParameterCommand():
            return {"sets": list(request.changes())}
    return {}
