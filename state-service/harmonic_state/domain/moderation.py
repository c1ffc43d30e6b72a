"""Moderation of a universe's users: removal from the room, and bans.

Its owner may do so, and services may to anybody but the owner.
"""

from typing import assert_never

from harmonic_protocol.envelope import Caller
from harmonic_protocol.log import MemberRemoved, UserBanned, UserUnbanned
from harmonic_protocol.messages.universes import (
    MAX_BANS,
    BanUser,
    RemoveParticipant,
    UnbanUser,
)
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.permissions import BANNED, moderated
from harmonic_state.domain.presence import DecisionInputs, put_out
from harmonic_state.domain.registry import with_consequences
from harmonic_state.domain.universe import Universe

_PUT_OUT = refused(
    Code.PERMISSION_DENIED, "The owner removed you from the room", reason=Reason.KICKED
)
_OWNER_STAYS = refused(
    Code.INVALID_PARAMETERS, "Services cannot remove the owner", reason=Reason.OWNER
)


def _put_out_by(caller: Caller) -> Refused:
    if not caller.service:
        return _PUT_OUT
    return refused(
        Code.PERMISSION_DENIED,
        "A service removed you from the room",
        reason=Reason.KICKED,
        service=caller.service,
    )


def moderate(
    universe: Universe | None,
    request: RemoveParticipant | BanUser | UnbanUser,
    caller: Caller,
    moment: DecisionInputs,
) -> list[LogEvent] | Refused:
    """Remove a user, who may join again; ban one; or lift a ban."""
    mine = moderated(universe, caller)
    if isinstance(mine, Refused):
        return mine
    match request:
        case RemoveParticipant():
            if caller.service and request.user_id == mine.owner:
                return _OWNER_STAYS
            return put_out(mine, request.user_id, _put_out_by(caller), moment)
        case BanUser():
            return keep_out(mine, request.user_id, moment, caller.service or None)
        case UnbanUser():
            return let_in(mine, request.user_id, moment, caller.service or None)
        case unreachable:
            assert_never(unreachable)


def keep_out(
    mine: Universe, user_id: str, moment: DecisionInputs, service: str | None = None
) -> list[LogEvent] | Refused:
    """Ban a user, who loses role and seats; a second ban changes nothing.

    The caller has checked the permission. ``service`` names the service that bans, if one does.
    """
    if user_id == mine.owner:
        return refused(Code.INVALID_PARAMETERS, "The owner cannot be banned", reason=Reason.OWNER)
    if user_id in mine.bans:
        return []
    if len(mine.bans) >= MAX_BANS:
        return refused(
            Code.INVALID_PARAMETERS,
            f"A universe has at most {MAX_BANS} bans",
            reason=Reason.TOO_MANY_BANS,
            limit=MAX_BANS,
        )
    banned = UserBanned(user_id=user_id, timestamp=moment.timestamp, service=service)
    causes: list[LogEvent] = [banned]
    if user_id in mine.members:
        causes.append(MemberRemoved(user_id=user_id, timestamp=moment.timestamp))
    return with_consequences(mine, causes, moment, BANNED)


def let_in(
    mine: Universe, user_id: str, moment: DecisionInputs, service: str | None = None
) -> list[LogEvent] | Refused:
    """Lift a ban; the caller has checked the permission."""
    if user_id not in mine.bans:
        return refused(Code.NOT_FOUND, "The user is not banned")
    return [UserUnbanned(user_id=user_id, timestamp=moment.timestamp, service=service)]
