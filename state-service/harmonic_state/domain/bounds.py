"""How much a universe may hold, in bytes of its stored form, so that a snapshot always fits.

A snapshot is one message. Members with bans, seats, and pieces under way each have a share of it.
Operations have the rest, which is never less than :data:`OPERATION_BYTES`. Events that would exceed
these shares are refused; events that make a universe smaller never are.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
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
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.operations import (
    REMEMBERED_S,
    TEXT_OVERHEAD_BYTES,
    forgettable,
    stored_bytes,
    text_bytes,
)
from harmonic_state.domain.universe import Absence, Piece, Seat, Universe

KIB = 1024
#: A stored universe: below the broker's limit of a message, with room for headers.
MAX_STATE_BYTES = 1_000_000
#: Members and bans together.
MAX_MEMBER_BYTES = 128 * KIB
MAX_SEAT_BYTES = 448 * KIB
MAX_ABSENCE_BYTES = 200 * KIB
MAX_PENDING_BYTES = 52 * KIB
MAX_PIECE_BYTES = 8 * KIB
#: An endless piece with its latest bar, whose composer state is escaped in the stored form.
ENDLESS_BYTES = 12 * KIB
#: The least that operations have.
OPERATION_BYTES = 120 * KIB
#: An operation that is stored as a hash.
HASHED_OPERATION_BYTES = 36

#: All parts of a universe without a share of their own: names, settings, parameters.
_FIXED_BYTES = 8 * KIB
_MEMBER_OVERHEAD_BYTES = 10
_SEAT_OVERHEAD_BYTES = 100
_ABSENCE_OVERHEAD_BYTES = 30
_PENDING_OVERHEAD_BYTES = 800
_PIECE_OVERHEAD_BYTES = 230


def overflow(  # noqa: C901 -- the one table of what needs space
    universe: Universe | None, events: Sequence[LogEvent], now: str, *, hashed: bool
) -> Refused | None:
    """The refusal of ``events`` that would make a universe too large; ``None`` if they fit.

    ``hashed`` says that operations are stored as hashes.
    """
    if universe is None:
        return None
    for event in events:
        refusal: Refused | None = None
        match event:
            # The most frequent first: each arm that does not match costs time.
            case ParametersUpdated():
                pass
            case ConnectionJoined():
                refusal = _seats_overflow(universe, event)
            case MemberSet():
                refusal = _members_overflow(universe, event, events)
            case UserBanned():
                refusal = _bans_overflow(universe, event, events)
            case MusicRequested():
                refusal = _pending_overflow(universe, event)
            case OperationApplied():
                refusal = _operations_overflow(universe, event, now, hashed=hashed)
            case (
                ParticipantJoined()
                | ParticipantLeft()
                | UniverseUpdated()
                | ConnectionLeft()
                | ConnectionModeChanged()
                | UserErased()
                | HistoryForgotten()
                | HistoryLost()
                | MusicFailed()
                | MusicStored()
                | MusicStarted()
                | MusicStopped()
                | BarRecorded()
                | SettingsChanged()
                | OwnerChanged()
                | MemberRemoved()
                | UserUnbanned()
                | UniverseCreated()
                | UniverseDeleted()
                | ActionNoted()
            ):
                # These need no more than the fixed part.
                pass
            case unreachable:
                assert_never(unreachable)
        if refusal is not None:
            return refusal
    return None


def seat_bytes(name: str, seat: Seat) -> int:
    """Bytes of one seat."""
    return _SEAT_OVERHEAD_BYTES + text_bytes(
        name, seat.user_id, seat.username, seat.gateway_id, seat.replaces or ""
    )


def seats_bytes(seats: Mapping[str, Seat]) -> int:
    """Bytes of all seats."""
    return sum(seat_bytes(name, seat) for name, seat in seats.items())


def member_bytes(members: Iterable[str]) -> int:
    """Bytes of all members."""
    return sum(_MEMBER_OVERHEAD_BYTES + text_bytes(member) for member in members)


def ban_bytes(bans: Mapping[str, str]) -> int:
    """Bytes of all bans."""
    return sum(_MEMBER_OVERHEAD_BYTES + text_bytes(*ban) for ban in bans.items())


def absence_bytes(name: str, absence: Absence) -> int:
    """Bytes of one absence."""
    return _ABSENCE_OVERHEAD_BYTES + text_bytes(name, absence.user_id, absence.since)


def pending_bytes(pieces: Iterable[MusicRequested]) -> int:
    """Bytes of the pieces under way."""
    return sum(
        _PENDING_OVERHEAD_BYTES
        + text_bytes(piece.job.user_id, piece.connection_id, piece.op_id or "")
        + (text_bytes(piece.job.service) if piece.job.service else 0)
        for piece in pieces
    )


def piece_bytes(pieces: Iterable[Piece]) -> int:
    """Bytes of the remembered pieces."""
    return sum(
        _PIECE_OVERHEAD_BYTES + text_bytes(piece.request_id, piece.user_id) for piece in pieces
    )


def _seats_overflow(universe: Universe, event: ConnectionJoined) -> Refused | None:
    if event.connection_id in universe.connections:
        return None
    joined = Seat(event.user_id, event.username, event.mode, event.gateway_id, event.replaces)
    if universe.seats_bytes + seat_bytes(event.connection_id, joined) <= MAX_SEAT_BYTES:
        return None
    return refused(
        Code.ROOM_FULL,
        "The room has no space for another connection",
        reason=Reason.NO_SPACE,
        limitBytes=MAX_SEAT_BYTES,
    )


def _staying(universe: Universe, events: Sequence[LogEvent]) -> set[str]:
    """The members whom no event removes: a transfer, or a ban of a member, makes room."""
    gone = {event.user_id for event in events if isinstance(event, MemberRemoved)}
    return universe.members.keys() - gone


def _members_overflow(
    universe: Universe, event: MemberSet, events: Sequence[LogEvent]
) -> Refused | None:
    if event.user_id in universe.members:
        return None
    members = {*_staying(universe, events), event.user_id}
    taken = member_bytes(members) + ban_bytes(universe.bans)
    if taken <= MAX_MEMBER_BYTES:
        return None
    return refused(
        Code.INVALID_PARAMETERS,
        "The universe has no space for another member",
        reason=Reason.NO_SPACE,
        limitBytes=MAX_MEMBER_BYTES,
    )


def _bans_overflow(
    universe: Universe, event: UserBanned, events: Sequence[LogEvent]
) -> Refused | None:
    bans = {**universe.bans, event.user_id: event.timestamp}
    if member_bytes(_staying(universe, events)) + ban_bytes(bans) <= MAX_MEMBER_BYTES:
        return None
    return refused(
        Code.INVALID_PARAMETERS,
        "The universe has no space for another ban",
        reason=Reason.NO_SPACE,
        limitBytes=MAX_MEMBER_BYTES,
    )


def _pending_overflow(universe: Universe, event: MusicRequested) -> Refused | None:
    if pending_bytes([*universe.pending_music.values(), event]) <= MAX_PENDING_BYTES:
        return None
    return refused(
        Code.RATE_LIMITED,
        "Too many pieces are being made for this universe",
        reason=Reason.BUSY,
        retryAfterMs=1000,
    )


def _operations_overflow(
    universe: Universe, event: OperationApplied, now: str, *, hashed: bool
) -> Refused | None:
    old = forgettable(universe.operations, now)
    if hashed:
        after = (len(universe.operations) - len(old) + 1) * HASHED_OPERATION_BYTES
    else:
        freed = sum(stored_bytes(universe.operations[name]) for name in old)
        added = TEXT_OVERHEAD_BYTES + text_bytes(event.user_id, event.op_id)
        after = universe.operations_bytes - freed + added
    if after <= OPERATION_BYTES or after <= MAX_STATE_BYTES - _other_bytes(universe):
        return None
    oldest = next(iter(universe.operations.values()))
    age = datetime.fromisoformat(now) - datetime.fromisoformat(oldest.timestamp)
    return refused(
        Code.RATE_LIMITED,
        "Too many commands with an opId were carried out in this universe lately",
        reason=Reason.TOO_MANY_OPERATIONS,
        windowMs=REMEMBERED_S * 1000,
        retryAfterMs=max(1, int(REMEMBERED_S * 1000 - age.total_seconds() * 1000) + 1),
    )


def _other_bytes(universe: Universe) -> int:
    """Bytes of everything except the operations."""
    absences = sum(absence_bytes(name, each) for name, each in universe.absences.items())
    pending = pending_bytes(universe.pending_music.values())
    members = member_bytes(universe.members) + ban_bytes(universe.bans)
    pieces = piece_bytes(universe.pieces)
    endless = ENDLESS_BYTES if universe.endless is not None else 0
    return _FIXED_BYTES + members + universe.seats_bytes + absences + pending + pieces + endless
