"""Erases a user from a universe: a placeholder replaces the user."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from harmonic_protocol.intervening import EraseUser, ErasureDone
from harmonic_protocol.log import (
    ConnectionLeft,
    HistoryForgotten,
    MemberRemoved,
    OwnerChanged,
    UniverseDeleted,
    UserUnbanned,
)
from harmonic_protocol.messages.universes import UniverseUpdated, UserErased
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.operating import NO_UNIVERSE
from harmonic_state.domain.presence import DecisionInputs, put_out
from harmonic_state.domain.registry import shown
from harmonic_state.domain.universe import Universe

_ERASED = refused(
    Code.PERMISSION_DENIED, "What was stored of you here was erased", reason=Reason.REMOVED
)


def traced(universe: Universe, user_id: str) -> dict[str, Any]:
    """The parts of a universe that name a user; empty if none does."""
    seats, endless = universe.connections.items(), universe.endless
    found: dict[str, Any] = {
        "isOwner": universe.owner == user_id,
        "role": universe.members.get(user_id),
        "bannedSince": universe.bans.get(user_id),
        "connections": [
            {"connectionId": name, "username": seat.username, "mode": seat.mode}
            for name, seat in seats
            if seat.user_id == user_id
        ],
        "absences": {
            name: absence.since
            for name, absence in universe.absences.items()
            if absence.user_id == user_id
        },
        "lastChanges": {
            name: change.timestamp
            for name, change in universe.last_changes.items()
            if change.user_id == user_id
        },
        "pieces": [asdict(piece) for piece in universe.pieces if piece.user_id == user_id],
        "pendingMusic": [
            request_id
            for request_id, piece in universe.pending_music.items()
            if piece.job.user_id == user_id
        ],
        "endlessPiece": endless.stream_id if endless and endless.user_id == user_id else None,
        "operations": [
            {"opId": each.op_id, "timestamp": each.timestamp}
            for each in universe.operations.values()
            if each.user_id == user_id
        ],
    }
    return {name: value for name, value in found.items() if value}


def erase(
    universe: Universe | None, request: EraseUser, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Replace a user by a placeholder; no events if the universe does not name the user."""
    if universe is None:
        return NO_UNIVERSE
    user_id, at = request.user_id, moment.timestamp
    if not traced(universe, user_id):
        return []
    events: list[LogEvent] = []
    if not universe.deleted:
        events += _bequeathed(universe, request, at)
        events += _without_rights(universe, user_id, at)
        left = put_out(_after(universe, events), user_id, _ERASED, moment)
        events += () if isinstance(left, Refused) else left
    erased = UserErased(
        universe_id=universe.id,
        user_id=user_id,
        placeholder=request.placeholder,
        timestamp=at,
        seq=_after(universe, events).seq + 1,
    )
    events.append(erased)
    if request.bequest == "deleted" and universe.owner == user_id and not universe.deleted:
        events.append(UniverseDeleted(timestamp=at))
    return events


def forget(universe: Universe | None, moment: DecisionInputs) -> list[LogEvent] | Refused:
    """Begin the log anew, without its history; also that of a deleted universe."""
    return NO_UNIVERSE if universe is None else [HistoryForgotten(timestamp=moment.timestamp)]


def erasure_done(events: Sequence[LogEvent]) -> ErasureDone:
    """The result of an erasure, for the operator."""
    owners = [event.owner for event in events if isinstance(event, OwnerChanged)]
    return ErasureDone(
        erased=bool(events),
        connections=sum(isinstance(event, ConnectionLeft) for event in events),
        owner=owners[0] if owners else None,
        deleted=any(isinstance(event, UniverseDeleted) for event in events),
    )


def _after(universe: Universe, events: Iterable[LogEvent]) -> Universe:
    after = fold(universe, events)
    if after is None:
        raise RuntimeError("a universe cannot end by its own events")
    return after


def _bequeathed(universe: Universe, request: EraseUser, at: str) -> list[LogEvent]:
    """Transfer what the user owned to the first member who may edit, or to the placeholder."""
    if universe.owner != request.user_id:
        return []
    editors = [user for user, role in universe.members.items() if role == "edit"]
    heir = editors[0] if editors and request.bequest == "member" else request.placeholder
    events: list[LogEvent] = [OwnerChanged(owner=heir, former_owner=request.user_id, timestamp=at)]
    if heir in universe.members:
        events.append(MemberRemoved(user_id=heir, timestamp=at))
    told: list[UniverseUpdated] = shown(universe, events, request.placeholder, at)
    return [*events, *told]


def _without_rights(universe: Universe, user_id: str, at: str) -> list[LogEvent]:
    events: list[LogEvent] = []
    if user_id in universe.members:
        events.append(MemberRemoved(user_id=user_id, timestamp=at))
    if user_id in universe.bans:
        events.append(UserUnbanned(user_id=user_id, timestamp=at))
    return events
