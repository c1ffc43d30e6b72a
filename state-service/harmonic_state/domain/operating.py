"""What operators ask of a universe: who is in its room, and that somebody leaves it."""

from collections.abc import Sequence

from harmonic_protocol.intervening import (
    OccupiedSeat,
    OperatorBan,
    OperatorUnban,
    RemoveUser,
    UniverseInspected,
    UserRemoved,
)
from harmonic_protocol.log import ConnectionLeft
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.moderation import keep_out, let_in
from harmonic_state.domain.presence import DecisionInputs, put_out
from harmonic_state.domain.universe import Universe

KICKED = refused(
    Code.PERMISSION_DENIED, "An operator removed you from the room", reason=Reason.KICKED
)
NO_UNIVERSE = refused(Code.NOT_FOUND, "Universe not found")


def existing(universe: Universe | None) -> Universe | Refused:
    """The universe, whoever may see it; ``NOT_FOUND`` where there is none, or none any more."""
    return NO_UNIVERSE if universe is None or universe.deleted else universe


def remove_user(
    universe: Universe | None, request: RemoveUser, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """All of a user's connections leave the room, and none of its sessions is continued there."""
    known = existing(universe)
    if isinstance(known, Refused):
        return known
    return put_out(known, request.user_id, KICKED, moment)


def ban(
    universe: Universe | None, request: OperatorBan, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Keep a user out, as the universe's owner may."""
    known = existing(universe)
    return known if isinstance(known, Refused) else keep_out(known, request.user_id, moment)


def unban(
    universe: Universe | None, request: OperatorUnban, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Lift a ban, as the universe's owner may."""
    known = existing(universe)
    return known if isinstance(known, Refused) else let_in(known, request.user_id, moment)


def removed(events: Sequence[LogEvent]) -> UserRemoved:
    """What an operator is told of a removal."""
    left = [event for event in events if isinstance(event, ConnectionLeft) and event.refusal]
    return UserRemoved(connections=len(left))


def inspected(universe: Universe) -> UniverseInspected:
    """A universe as an operator may see it: as its owner does, with the connections."""
    return UniverseInspected(
        universe=universe.public_view(viewer=universe.owner),
        seats=tuple(
            OccupiedSeat(
                connection_id=connection_id,
                gateway_id=seat.gateway_id,
                user_id=seat.user_id,
                username=seat.username,
                mode=seat.mode,
            )
            for connection_id, seat in universe.connections.items()
        ),
        away=tuple(sorted({absence.user_id for absence in universe.absences.values()})),
    )
