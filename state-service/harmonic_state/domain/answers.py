"""The result that a caller gets for a request that was carried out."""

from collections.abc import Sequence
from typing import assert_never

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import (
    CloseConnection,
    CompleteMusic,
    ExpireMusic,
    JoinResult,
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
from harmonic_protocol.log import MusicRequested
from harmonic_protocol.messages.auditing import ListAudit
from harmonic_protocol.messages.endless import StartMusic, StopMusic
from harmonic_protocol.messages.following import (
    FollowUniverse,
    LinkStream,
    UniverseFollowed,
    UniverseState,
)
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.parameters import PARAMETER_SETS, CurrentValues
from harmonic_protocol.messages.reading import (
    GetParticipants,
    ListEvents,
    ListMusic,
    LocatedParticipants,
    PresentParticipant,
)
from harmonic_protocol.messages.rooms import (
    JoinRoom,
    LeaveRoom,
    ParticipantJoined,
    RoomJoined,
    RoomLeft,
)
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.messages.universes import (
    BanUser,
    CreateUniverse,
    DeleteUniverse,
    GetMusic,
    GetUniverse,
    MemberRole,
    RemoveMember,
    RemoveParticipant,
    SetMember,
    UnbanUser,
    UpdateUniverse,
)
from harmonic_protocol.schema import WireModel
from harmonic_state.domain.erasing import erasure_done
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.operating import inspected, removed
from harmonic_state.domain.pieces import listed
from harmonic_state.domain.presence import DecisionInputs, continues
from harmonic_state.domain.universe import LastChange, Universe
from harmonic_state.domain.universe_requests import UniverseRequest

#: Requests without a result: the reply says only that they were carried out.
_UNANSWERED = (
    ParameterCommand,
    GenerateMusic,
    CloseConnection,
    ReleaseGateway,
    CompleteMusic,
    ExpireMusic,
    RecordBar,
    StartMusic,
    StopMusic,
    DeleteUniverse,
    RemoveMember,
    RemoveParticipant,
    BanUser,
    UnbanUser,
    OperatorBan,
    OperatorUnban,
    ForgetHistory,
    ListEvents,
    LinkStream,
    GetMusic,
    ListAudit,
)


def answer(  # noqa: C901, PLR0911, PLR0912 -- the one table of answers
    request: UniverseRequest,
    caller: Caller,
    moment: DecisionInputs,
    events: Sequence[LogEvent],
    after: Universe,
) -> WireModel | None:
    """The result of ``request``, which made ``events``, in the universe as it is now.

    ``after`` is the universe at the end of the record that holds the events. That record may hold
    further events.
    """
    if isinstance(request, _UNANSWERED):
        return None
    match request:
        case JoinRoom():
            return _joined(request, caller, moment, events, after)
        case ResumeRoom():
            result = _joined(request, caller, moment, events, after)
            continued = continues(after, request, caller)
            return result.model_copy(update={"current": _current(after), "continued": continued})
        case LeaveRoom():
            return RoomLeft(universe_id=after.id, timestamp=moment.timestamp)
        case CreateUniverse() | GetUniverse() | UpdateUniverse():
            # A service sees the universe as its owner does, since it moderates.
            return after.public_view(viewer=after.owner if caller.service else caller.user_id)
        case GetParticipants():
            return _located(after)
        case FollowUniverse():
            return _followed(after, moment)
        case ListMusic():
            return listed(after, moment.timestamp)
        case InspectUniverse():
            return inspected(after)
        case RemoveUser():
            return removed(events)
        case EraseUser():
            return erasure_done(events)
        case SetMember():
            return MemberRole(user_id=request.user_id, role=request.role)
        case unreachable:
            assert_never(unreachable)


def _located(universe: Universe) -> LocatedParticipants:
    return LocatedParticipants.model_construct(
        items=tuple(
            PresentParticipant.model_construct(
                user_id=each.user_id, username=each.username, mode=each.mode
            )
            for each in universe.participants().values()
        ),
        gateways=_gateways(universe),
    )


def _followed(universe: Universe, moment: DecisionInputs) -> UniverseFollowed:
    state = UniverseState(
        universe_id=universe.id,
        participants=tuple(universe.participants().values()),
        parameters=universe.parameters,
        timestamp=moment.timestamp,
        seq=universe.seq,
        endless_piece=universe.public_piece(),
    )
    return UniverseFollowed(state=state)


def _gateways(universe: Universe) -> tuple[str, ...]:
    return tuple(sorted({each.gateway_id for each in universe.connections.values()}))


def _joined(
    request: JoinRoom | ResumeRoom,
    caller: Caller,
    moment: DecisionInputs,
    events: Sequence[LogEvent],
    after: Universe,
) -> JoinResult:
    # The same record may have ended the seat again.
    seat = after.connections.get(caller.connection_id)
    announcement = next((event for event in events if isinstance(event, ParticipantJoined)), None)
    room = RoomJoined(
        universe_id=after.id,
        participants=tuple(after.participants().values()),
        timestamp=moment.timestamp,
        mode=seat.mode if seat else request.mode,
        parameters=after.parameters,
        seq=after.seq,
        endless_piece=after.public_piece(),
    )
    return JoinResult(room=room, announcement=announcement, gateways=_gateways(after))


def _current(universe: Universe) -> CurrentValues:
    by_creation = LastChange(universe.owner, universe.created_at)
    values = {}
    for name, declared in PARAMETER_SETS.items():
        last = universe.last_changes.get(name, by_creation)
        values[name] = declared.event(
            universe_id=universe.id,
            parameters=declared.of(universe.parameters),
            user_id=last.user_id,
            timestamp=last.timestamp,
            changed=(),
            current=True,
        )
    return CurrentValues(**values)


def requested_music(events: Sequence[LogEvent]) -> list[MusicRequested]:
    """The pieces that ``events`` ask for."""
    return [event for event in events if isinstance(event, MusicRequested)]
