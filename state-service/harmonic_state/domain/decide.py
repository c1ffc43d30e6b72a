"""Decides a request: events, or a refusal. Time, randomness and ids are arguments."""

from typing import assert_never

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import (
    CloseConnection,
    CompleteMusic,
    ExpireMusic,
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
from harmonic_protocol.log import OperationApplied
from harmonic_protocol.messages.auditing import ListAudit
from harmonic_protocol.messages.endless import StartMusic, StopMusic
from harmonic_protocol.messages.following import FollowUniverse, LinkStream
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.reading import GetParticipants, ListEvents, ListMusic
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.messages.universes import (
    BanUser,
    CreateUniverse,
    DeleteUniverse,
    GetMusic,
    GetUniverse,
    RemoveMember,
    RemoveParticipant,
    SetMember,
    UnbanUser,
    UpdateUniverse,
)
from harmonic_protocol.refusals import Refused
from harmonic_protocol.value import value
from harmonic_state.domain import (
    endless,
    erasing,
    moderation,
    music,
    operating,
    parameters,
    presence,
    registry,
)
from harmonic_state.domain.auditing import noted
from harmonic_state.domain.bounds import overflow
from harmonic_state.domain.events import LogEvent, frame_seq
from harmonic_state.domain.operations import digest, earlier
from harmonic_state.domain.permissions import owned, refusal_of_service, visible
from harmonic_state.domain.presence import DecisionInputs, editable
from harmonic_state.domain.universe import AppliedOperation, Universe
from harmonic_state.domain.universe_requests import UniverseRequest

_WITH_OP_ID = (ParameterCommand, GenerateMusic, StartMusic, StopMusic)


@value
class Decision:
    """The events to store, and the number of their last frame."""

    events: tuple[LogEvent, ...]
    seq: int


def decide(
    universe: Universe | None, request: UniverseRequest, caller: Caller, moment: DecisionInputs
) -> Decision | Refused:
    """Decide one request on one universe.

    A command whose ``opId`` was applied before makes no events: the first answer is given again.
    Joining and leaving need no ``opId``, since repeating them changes nothing.
    """
    if isinstance(request, ParameterCommand) and request.op_id is None and not caller.service:
        return _changed(universe, request, caller, moment)
    return _decided(universe, request, caller, moment)


def _decided(
    universe: Universe | None, request: UniverseRequest, caller: Caller, moment: DecisionInputs
) -> Decision | Refused:
    """Decide any request."""
    unfit = refusal_of_service(universe, request, caller)
    if unfit is not None:
        return unfit
    once = request if isinstance(request, _WITH_OP_ID) and request.op_id else None
    if once is not None and universe is not None:
        seen = visible(universe, caller)
        if isinstance(seen, Refused):
            return seen
        match earlier(universe, once, caller.user_id):
            case AppliedOperation(seq=seq):
                return Decision((), seq)
            case Refused() as refusal:
                return refusal
            case None:
                pass
    events = _events(universe, request, caller, moment)
    if isinstance(events, Refused):
        return events
    seq = _last_seq(universe, events)
    if once is not None and once.op_id and events:
        applied = OperationApplied(
            user_id=caller.user_id,
            op_id=once.op_id,
            digest=digest(once),
            seq=seq,
            timestamp=moment.timestamp,
        )
        events = [*events, applied]
    notes = noted(request, caller, moment) if events else []
    if notes:
        # A log begins with a universe's creation, and ends with its deletion.
        first = 1 if universe is None else 0
        events = [*events[:first], *notes, *events[first:]]
    too_large = overflow(universe, events, moment.timestamp, hashed=moment.hashed)
    return Decision(tuple(events), seq) if too_large is None else too_large


def _changed(
    universe: Universe | None, request: ParameterCommand, caller: Caller, moment: DecisionInputs
) -> Decision | Refused:
    """Decide a user's change of parameters without an ``opId``, as nearly all requests are.

    Of all else that a decision may take, it takes nothing: it is not remembered or noted, and its
    values take the place of others.
    """
    seen = editable(universe, caller)
    if not isinstance(seen, Universe):
        return seen
    events = parameters.changed(seen, request, caller, moment)
    return Decision(events, seen.seq + len(events))


def _last_seq(universe: Universe | None, events: list[LogEvent]) -> int:
    frames = [seq for event in events if (seq := frame_seq(event)) is not None]
    return frames[-1] if frames else (universe.seq if universe else 0)


def _nothing(granted: Universe | Refused) -> list[LogEvent] | Refused:
    """The events of a request that changes nothing: none if it is granted."""
    return granted if isinstance(granted, Refused) else []


def _events(  # noqa: C901, PLR0911, PLR0912 -- the one table of what is decided where
    universe: Universe | None, request: UniverseRequest, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    match request:
        case ParameterCommand():
            return parameters.update(universe, request, caller, moment)
        case JoinRoom():
            return presence.join(universe, request, caller, moment)
        case LeaveRoom():
            return presence.leave(universe, caller, moment)
        case ResumeRoom():
            return presence.resume(universe, request, caller, moment)
        case CloseConnection():
            return presence.close_connection(universe, caller, moment)
        case ReleaseGateway():
            return presence.release_gateway(universe, request, moment)
        case GenerateMusic():
            return music.generate(universe, request, caller, moment)
        case CompleteMusic():
            return music.complete(universe, request, moment)
        case ExpireMusic():
            return music.expire(universe, request)
        case StartMusic() | StopMusic() | RecordBar():
            return endless.decided(universe, request, caller, moment)
        case CreateUniverse():
            return registry.create(universe, request, caller, moment)
        case UpdateUniverse():
            return registry.update(universe, request, caller, moment)
        case DeleteUniverse():
            return registry.delete(universe, caller, moment)
        case SetMember():
            return registry.set_member(universe, request, caller, moment)
        case RemoveMember():
            return registry.remove_member(universe, request, caller, moment)
        case RemoveParticipant() | BanUser() | UnbanUser():
            return moderation.moderate(universe, request, caller, moment)
        case RemoveUser() | OperatorBan() | OperatorUnban():
            return operating.intervene(universe, request, moment)
        case EraseUser():
            return erasing.erase(universe, request, moment)
        case ForgetHistory():
            return erasing.forget(universe, moment)
        case (
            GetUniverse()
            | GetParticipants()
            | ListEvents()
            | FollowUniverse()
            | LinkStream()
            | ListMusic()
            | GetMusic()
        ):
            # Whoever may see the universe may do this: it changes nothing.
            return _nothing(visible(universe, caller))
        case InspectUniverse():
            return _nothing(operating.existing(universe))
        case ListAudit():
            return _nothing(owned(universe, caller))
        case unreachable:
            assert_never(unreachable)
