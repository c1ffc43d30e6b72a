"""What a universe's owner does about users in it: put them out of the room, and keep them out."""

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
from harmonic_state.domain.permissions import BANNED, owned
from harmonic_state.domain.presence import DecisionInputs, put_out
from harmonic_state.domain.registry import with_consequences
from harmonic_state.domain.universe import Universe

_PUT_OUT = refused(
    Code.PERMISSION_DENIED, "The owner removed you from the room", reason=Reason.KICKED
)


def remove(
    universe: Universe | None, request: RemoveParticipant, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Put a user out of the room, who may join again."""
    mine = owned(universe, caller.user_id)
    if isinstance(mine, Refused):
        return mine
    return put_out(mine, request.user_id, _PUT_OUT, moment)


def ban(
    universe: Universe | None, request: BanUser, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Keep a user out from now on, who loses role and seats; done again, it changes nothing."""
    mine = owned(universe, caller.user_id)
    if isinstance(mine, Refused):
        return mine
    return keep_out(mine, request.user_id, moment)


def keep_out(mine: Universe, user_id: str, moment: DecisionInputs) -> list[LogEvent] | Refused:
    """Ban a user, whoever may decide that."""
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
    causes: list[LogEvent] = [UserBanned(user_id=user_id, timestamp=moment.timestamp)]
    if user_id in mine.members:
        causes.append(MemberRemoved(user_id=user_id, timestamp=moment.timestamp))
    return with_consequences(mine, causes, moment, BANNED)


def unban(
    universe: Universe | None, request: UnbanUser, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Lift a ban."""
    mine = owned(universe, caller.user_id)
    if isinstance(mine, Refused):
        return mine
    return let_in(mine, request.user_id, moment)


def let_in(mine: Universe, user_id: str, moment: DecisionInputs) -> list[LogEvent] | Refused:
    """Lift a ban, whoever may decide that."""
    if user_id not in mine.bans:
        return refused(Code.NOT_FOUND, "The user is not banned")
    return [UserUnbanned(user_id=user_id, timestamp=moment.timestamp)]
