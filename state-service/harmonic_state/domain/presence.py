"""Who is in the room: the log knows connections, members see one participant per user."""

from collections.abc import Sequence

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import ReleaseGateway, ResumeRoom
from harmonic_protocol.log import ConnectionJoined, ConnectionLeft, ConnectionModeChanged
from harmonic_protocol.messages.rooms import JoinRoom, ParticipantJoined, ParticipantLeft
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.value import value
from harmonic_protocol.values import Mode
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.permissions import allowed_mode, visible
from harmonic_state.domain.universe import Seat, Universe

NOT_THERE = refused(Code.NOT_FOUND, "The user is not in the room")
_SEAT_EVENTS = (ConnectionJoined, ConnectionLeft, ConnectionModeChanged)


@value
class DecisionInputs:
    """The inputs of a decision from outside: the time, and for music a fresh id and seed.

    ``hashed`` says that operations are stored as hashes, so that more of them fit.
    """

    timestamp: str
    unix_ms: int
    fresh_id: str = ""
    fresh_seed: int = 0
    hashed: bool = False


def join(
    universe: Universe | None, request: JoinRoom, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Take a seat, or change the mode of the one that the connection has."""
    seen = visible(universe, caller)
    if isinstance(seen, Refused):
        return seen
    if request.mode == "edit" and allowed_mode(seen, caller.user_id) != "edit":
        return refused(
            Code.PERMISSION_DENIED, "You may only view this universe", allowedMode="view"
        )
    full = _is_full(seen, caller)
    if full is not None:
        return full
    seated = seen.connections.get(caller.connection_id)
    replaces = seated.replaces if seated is not None else None
    if seated == Seat(caller.user_id, caller.username, request.mode, caller.gateway_id, replaces):
        return []
    return with_frames(seen, [_joined(caller, request.mode, replaces)], moment)


def _is_full(universe: Universe, caller: Caller) -> Refused | None:
    present = {seat.user_id for seat in universe.connections.values()}
    if caller.user_id in present or len(present) < universe.max_participants:
        return None
    return refused(Code.ROOM_FULL, "The room is full", maxParticipants=universe.max_participants)


def _joined(caller: Caller, mode: Mode, replaces: str | None = None) -> ConnectionJoined:
    return ConnectionJoined(
        connection_id=caller.connection_id,
        gateway_id=caller.gateway_id,
        user_id=caller.user_id,
        username=caller.username,
        mode=mode,
        replaces=replaces,
    )


def resume(
    universe: Universe | None, request: ResumeRoom, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Continue the session of an earlier connection of the same user, or join anew.

    The session is continued if the earlier connection has its seat or is absent; its seat becomes
    the caller's. A repeated request finds the session continued already. A connection whose seat
    was released with its gateway continues its own session.
    """
    seen = visible(universe, caller)
    if isinstance(seen, Refused):
        return seen
    allowed = allowed_mode(seen, caller.user_id)
    mode: Mode = "edit" if request.mode == allowed == "edit" else "view"
    earlier = seen.connections.get(request.replaces) or seen.absences.get(request.replaces)
    is_again = continues(seen, request, caller)
    if is_again or earlier is None or earlier.user_id != caller.user_id:
        join_again = JoinRoom.model_construct(universe_id=seen.id, mode=mode)
        return join(seen, join_again, caller, moment)
    full = _is_full(seen, caller)
    if full is not None:
        return full
    joined = _joined(caller, mode, request.replaces)
    if request.replaces == caller.connection_id:
        return with_frames(seen, [joined], moment)
    moved = ConnectionLeft(connection_id=request.replaces, moved=True, away_since=moment.timestamp)
    return with_frames(seen, [moved, joined], moment)


def continues(universe: Universe, request: ResumeRoom, caller: Caller) -> bool:
    """Whether the caller's seat continues the session that it asked for."""
    seat = universe.connections.get(caller.connection_id)
    return seat is not None and seat.replaces == request.replaces


def leave(
    universe: Universe | None, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """End the connection's seat."""
    seen = visible(universe, caller)
    if isinstance(seen, Refused):
        return seen
    seated = seat_of(seen, caller)
    if isinstance(seated, Refused):
        return seated
    return with_frames(seen, [ConnectionLeft(connection_id=caller.connection_id)], moment)


def close_connection(
    universe: Universe | None, caller: Caller, moment: DecisionInputs
) -> list[LogEvent]:
    """End a lost connection's seat, if it has one; its session may be continued.

    A gateway cannot close a connection that has been continued at another gateway.
    """
    seat = universe.connections.get(caller.connection_id) if universe is not None else None
    if universe is None or seat is None or seat.gateway_id != caller.gateway_id:
        return []
    left = ConnectionLeft(connection_id=caller.connection_id, away_since=moment.timestamp)
    return with_frames(universe, [left], moment)


def release_gateway(
    universe: Universe | None, request: ReleaseGateway, moment: DecisionInputs
) -> list[LogEvent]:
    """End all seats of a gateway, in one record."""
    if universe is None:
        return []
    left = [
        ConnectionLeft(connection_id=connection_id, released=True, away_since=moment.timestamp)
        for connection_id, seat in universe.connections.items()
        if seat.gateway_id == request.gateway_id
    ]
    return with_frames(universe, left, moment)


def put_out(
    universe: Universe, user_id: str, refusal: Refused, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """End all of a user's seats in the room; none of its sessions may be continued there.

    Their clients are told ``refusal``. So are absent ones, since a gateway that was taken for dead
    may still have them. Gateways end the user's streams of the universe.
    """
    hidden: list[LogEvent] = [
        ConnectionLeft(connection_id=connection_id, refusal=refusal, user_id=user_id)
        for known in (universe.connections, universe.absences)
        for connection_id, one in known.items()
        if one.user_id == user_id
    ]
    return with_frames(universe, hidden, moment) if hidden else NOT_THERE


def seat_of(universe: Universe, caller: Caller) -> Seat | Refused:
    """The caller's seat in the room."""
    seat = universe.connections.get(caller.connection_id)
    if seat is None:
        return refused(Code.PERMISSION_DENIED, "Join the room first", reason=Reason.NOT_IN_ROOM)
    return seat


def editable(universe: Universe | None, caller: Caller) -> Universe | Refused:
    """The universe, if the caller's connection may edit it; services need no seat."""
    seen = visible(universe, caller)
    if not isinstance(seen, Universe) or caller.service:
        return seen
    seat = seat_of(seen, caller)
    if not isinstance(seat, Seat):
        return seat
    if seat.mode != "edit":
        return refused(Code.PERMISSION_DENIED, "You are only viewing", reason=Reason.VIEW_ONLY)
    return seen


def with_frames(
    universe: Universe,
    hidden: Sequence[LogEvent],
    moment: DecisionInputs,
) -> list[LogEvent]:
    """``hidden`` events, and then the frames that tell the room what they changed."""
    events: list[LogEvent] = [*hidden]
    after = fold(universe, events)
    if after is None:
        return events
    # These events change nobody else's presence, and a room may be large.
    changed = [event.connection_id for event in hidden if isinstance(event, _SEAT_EVENTS)]
    users = {
        seat.user_id
        for seats in (universe.connections, after.connections)
        for name in changed
        if (seat := seats.get(name)) is not None
    }
    before, now = universe.participants(users), after.participants(users)
    seq = after.seq
    for user_id in before:
        if user_id not in now:
            seq += 1
            events.append(
                ParticipantLeft(
                    universe_id=universe.id,
                    user_id=user_id,
                    timestamp=moment.timestamp,
                    seq=seq,
                )
            )
    for user_id, participant in now.items():
        if before.get(user_id) != participant:
            seq += 1
            events.append(
                ParticipantJoined(
                    universe_id=universe.id,
                    participant=participant,
                    timestamp=moment.timestamp,
                    seq=seq,
                )
            )
    return events
