"""Requests of operators about a universe: who is in its room, removals, and bans."""

from collections.abc import Sequence
from typing import assert_never

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
    """The universe, visible or not; ``NOT_FOUND`` if it does not exist or is deleted."""
    return NO_UNIVERSE if universe is None or universe.deleted else universe


def intervene(
    universe: Universe | None,
    request: RemoveUser | OperatorBan | OperatorUnban,
    moment: DecisionInputs,
) -> list[LogEvent] | Refused:
    """Remove a user from the room, ban one, or lift a ban, as the universe's owner may.

    Of a user who is put out, all connections leave, and no session is continued there.
    """
    known = existing(universe)
    if isinstance(known, Refused):
        return known
    match request:
        case RemoveUser():
            return put_out(known, request.user_id, KICKED, moment)
        case OperatorBan():
            return keep_out(known, request.user_id, moment)
        case OperatorUnban():
            return let_in(known, request.user_id, moment)
        case unreachable:
            assert_never(unreachable)


def removed(events: Sequence[LogEvent]) -> UserRemoved:
    """The result of a removal, for the operator."""
    left = [event for event in events if isinstance(event, ConnectionLeft) and event.refusal]
    return UserRemoved(connections=len(left))


def inspected(universe: Universe) -> UniverseInspected:
    """A universe as an operator sees it: as its owner does, with the connections."""
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
