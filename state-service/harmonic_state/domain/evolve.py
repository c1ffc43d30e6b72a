"""How an event changes a universe. Total: every event of the log applies to what precedes it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from harmonic_protocol.log import (
    ActionNoted,
    BarRecorded,
    ConnectionJoined,
    ConnectionLeft,
    ConnectionModeChanged,
    HistoryForgotten,
    HistoryLost,
    MemberRemoved,
    MemberSet,
    MusicFailed,
    MusicRequested,
    MusicStored,
    OperationApplied,
    OwnerChanged,
    SettingsChanged,
    UniverseCreated,
    UniverseDeleted,
    UserBanned,
    UserUnbanned,
)
from harmonic_protocol.messages.endless import MusicStarted, MusicStopped
from harmonic_protocol.messages.rooms import ParticipantJoined, ParticipantLeft
from harmonic_protocol.messages.sets import ParametersUpdated
from harmonic_protocol.messages.universes import UniverseUpdated, UserErased
from harmonic_state.domain.absences import absences_after, allowed_absences
from harmonic_state.domain.bounds import seat_bytes
from harmonic_state.domain.events import LogEvent, UnknownEvent
from harmonic_state.domain.operations import remember
from harmonic_state.domain.pieces import with_piece
from harmonic_state.domain.placeholders import without_user
from harmonic_state.domain.universe import (
    AppliedOperation,
    EndlessState,
    LastAction,
    LastChange,
    Seat,
    Universe,
)


def fold(universe: Universe | None, events: Iterable[LogEvent | UnknownEvent]) -> Universe | None:
    """The universe after ``events``."""
    for event in events:
        universe = evolve(universe, event)
    return universe


def evolve(  # noqa: C901, PLR0911, PLR0912 -- the one table of what each event does
    universe: Universe | None, event: LogEvent | UnknownEvent
) -> Universe | None:
    """The universe after one event; ``None`` only before its creation."""
    if universe is None:
        return _created(event) if isinstance(event, UniverseCreated) else None
    match event:
        case ParametersUpdated():
            return _parameters_updated(universe, event)
        case ParticipantJoined() | ParticipantLeft():
            return _heard_by(universe, event).later(seq=event.seq, updated_at=event.timestamp)
        case MusicStarted() | BarRecorded() | MusicStopped():
            return _endless(universe, event)
        case UniverseUpdated() | HistoryLost():
            return universe.later(seq=event.seq, updated_at=event.timestamp)
        case ConnectionJoined() | ConnectionLeft() | ConnectionModeChanged():
            return _seats(universe, event)
        case MusicRequested() | MusicFailed() | MusicStored():
            return _music(universe, event)
        case OperationApplied():
            return _operation_applied(universe, event)
        case ActionNoted():
            action = LastAction(event.id, event.timestamp)
            return universe.later(last_action=action, updated_at=event.timestamp)
        case SettingsChanged() | MemberSet() | MemberRemoved():
            return _settings(universe, event)
        case OwnerChanged():
            return replace(universe, owner=event.owner, updated_at=event.timestamp)
        case UserBanned() | UserUnbanned():
            return _bans(universe, event)
        case UserErased():
            return without_user(universe, event)
        case HistoryForgotten():
            return universe.later(updated_at=event.timestamp)
        case UniverseDeleted():
            return _tombstone(universe, event)
        case UnknownEvent():
            return _unknown(universe, event)
        case UniverseCreated():
            # A log begins with it, once.
            return universe
        case unreachable:
            assert_never(unreachable)


def _created(event: UniverseCreated) -> Universe:
    return Universe(
        id=event.universe_id,
        owner=event.owner,
        name=event.title,
        visibility=event.visibility,
        public_mode=event.public_mode,
        max_participants=event.max_participants,
        created_at=event.timestamp,
        updated_at=event.timestamp,
    )


def _tombstone(universe: Universe, event: UniverseDeleted) -> Universe:
    return Universe(
        id=universe.id,
        owner=universe.owner,
        name="",
        visibility="private",
        public_mode="view",
        max_participants=universe.max_participants,
        created_at=universe.created_at,
        updated_at=event.timestamp,
        seq=universe.seq,
        deleted=True,
        last_action=universe.last_action,
    )


def _parameters_updated(universe: Universe, event: ParametersUpdated) -> Universe:
    name = event.set_name
    last = LastChange(event.user_id, event.timestamp)
    return universe.later(
        parameters=universe.parameters.revised({name: event.parameters}),
        last_changes={**universe.last_changes, name: last},
        seq=universe.seq if event.seq is None else event.seq,
        updated_at=event.timestamp,
    )


def _unknown(universe: Universe, event: UnknownEvent) -> Universe:
    """Apply what is common to all events: the frame's number, the time, and the set's values."""
    seq, at, values = (event.data.get(name) for name in ("seq", "timestamp", "parameters"))
    if isinstance(seq, int):
        universe = replace(universe, seq=max(universe.seq, seq))
    if isinstance(at, str):
        universe = replace(universe, updated_at=max(universe.updated_at, at))
    set_name = event.name.removesuffix("_updated")
    if set_name == event.name or not isinstance(values, dict):
        return universe
    last = LastChange(str(event.data.get("userId", "")), universe.updated_at)
    return replace(
        universe,
        parameters=universe.parameters.model_copy(update={set_name: values}),
        last_changes={**universe.last_changes, set_name: last},
    )


def _seats(
    universe: Universe, event: ConnectionJoined | ConnectionLeft | ConnectionModeChanged
) -> Universe:
    name = event.connection_id
    changed, size = dict(universe.connections), universe.seats_bytes
    seat = changed.get(name)
    match event:
        case ConnectionJoined():
            taken = changed[name] = Seat(
                event.user_id, event.username, event.mode, event.gateway_id, event.replaces
            )
            size += seat_bytes(name, taken) - (seat_bytes(name, seat) if seat else 0)
        case ConnectionLeft():
            if seat is not None:
                del changed[name]
                size -= seat_bytes(name, seat)
        case ConnectionModeChanged():
            if seat is not None:
                changed[name] = replace(seat, mode=event.mode)
        case unreachable:
            assert_never(unreachable)
    absences = absences_after(universe, event)
    return universe.later(connections=changed, seats_bytes=size, absences=absences)


def _music(universe: Universe, event: MusicRequested | MusicFailed | MusicStored) -> Universe:
    pending = dict(universe.pending_music)
    match event:
        case MusicRequested():
            pending[event.job.request_id] = event
            return replace(universe, pending_music=pending, updated_at=event.timestamp)
        case MusicFailed():
            pending.pop(event.request_id, None)
            return replace(universe, pending_music=pending)
        case MusicStored():
            pending.pop(event.request_id, None)
            return replace(
                universe,
                pending_music=pending,
                pieces=with_piece(universe.pieces, event),
                seq=event.seq,
                updated_at=event.timestamp,
            )
        case unreachable:
            assert_never(unreachable)


def _endless(universe: Universe, event: MusicStarted | BarRecorded | MusicStopped) -> Universe:
    piece = universe.endless
    match event:
        case MusicStarted():
            begun = EndlessState(
                event.stream_id, event.user_id, event.style, event.seed, event.timestamp
            )
            return universe.later(endless=begun, seq=event.seq, updated_at=event.timestamp)
        case MusicStopped():
            return universe.later(endless=None, seq=event.seq, updated_at=event.timestamp)
        case BarRecorded():
            if piece is None or piece.stream_id != event.stream_id:
                return universe
            return universe.later(endless=replace(piece, latest=event))


def _heard_by(universe: Universe, event: ParticipantJoined | ParticipantLeft) -> Universe:
    """Note whether anybody is in the room to hear the endless piece, if one is played."""
    piece = universe.endless
    if piece is None:
        return universe
    since = None if universe.connections else event.timestamp
    return universe.later(endless=replace(piece, empty_since=since))


def _operation_applied(universe: Universe, event: OperationApplied) -> Universe:
    applied = AppliedOperation(event.user_id, event.op_id, event.digest, event.seq, event.timestamp)
    operations, added_bytes = remember(universe.operations, applied)
    return replace(
        universe,
        operations=operations,
        operations_bytes=universe.operations_bytes + added_bytes,
        updated_at=event.timestamp,
    )


def _settings(universe: Universe, event: SettingsChanged | MemberSet | MemberRemoved) -> Universe:
    members = dict(universe.members)
    match event:
        case MemberSet():
            members[event.user_id] = event.role
        case MemberRemoved():
            members.pop(event.user_id, None)
        case SettingsChanged():
            universe = replace(
                universe,
                name=universe.name if event.title is None else event.title,
                visibility=event.visibility or universe.visibility,
                public_mode=event.public_mode or universe.public_mode,
                max_participants=event.max_participants or universe.max_participants,
            )
        case unreachable:
            assert_never(unreachable)
    changed = replace(universe, members=members, updated_at=event.timestamp)
    return replace(changed, absences=allowed_absences(changed))


def _bans(universe: Universe, event: UserBanned | UserUnbanned) -> Universe:
    bans = {user_id: since for user_id, since in universe.bans.items() if user_id != event.user_id}
    if isinstance(event, UserBanned):
        bans[event.user_id] = event.timestamp
    changed = replace(universe, bans=bans, updated_at=event.timestamp)
    return replace(changed, absences=allowed_absences(changed))
