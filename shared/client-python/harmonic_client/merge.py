"""A room as one client sees it: stored values, with this client's own changes on top. Pure."""

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harmonic_client.changes import Changes, UniverseParameters, field_names
from harmonic_protocol.messages.presence import ParticipantState
from harmonic_protocol.messages.rooms import RoomJoined
from harmonic_protocol.messages.sets import ParametersUpdated
from harmonic_protocol.values import Mode, Participant

#: What others try out, by user.
Previews = Mapping[str, Changes]
#: What participants show of themselves, by user.
Presences = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SentChanges:
    """Changes under way. Their frames begin at ``from_seq``, which is in their ack."""

    op_id: str
    changes: Changes
    from_seq: int | None = None


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room: ``committed`` is as of ``seqs``, the numbers of the last frames, set by set.

    ``participants_seq`` is the same for ``participants``; frames of sets may overtake it. ``sent``
    are changes that are not in ``committed`` yet, the oldest first; ``waiting`` are to be sent
    next. ``tried`` is this client's preview; ``previews`` are those of others, by user.
    """

    mode: Mode
    participants: tuple[Participant, ...]
    committed: UniverseParameters
    seqs: Mapping[str, int]
    participants_seq: int
    sent: tuple[SentChanges, ...]
    waiting: Changes | None
    tried: Changes
    previews: Previews
    presences: Presences


def combine(earlier: Changes, later: Changes) -> Changes:
    """Both changes in one: for each field, the later value."""
    combined = dict(earlier)
    for name, fields in later.items():
        combined[name] = {**combined.get(name, {}), **fields}
    return combined


def is_empty(changes: Changes) -> bool:
    """Whether the changes change nothing."""
    return not any(changes.values())


def without(changes: Changes, name: str, fields: Container[str]) -> Changes:
    """Changes without these fields of one set."""
    kept = {field: value for field, value in changes.get(name, {}).items() if field not in fields}
    others = {other: values for other, values in changes.items() if other != name and values}
    return {**others, name: kept} if kept else others


def without_all(changes: Changes, others: Changes) -> Changes:
    """The changes without the fields of others."""
    for name, fields in others.items():
        changes = without(changes, name, fields)
    return changes


def parameters_of(room: RoomView) -> UniverseParameters:
    """The parameters as this client shows them: its own values at once, valid or not."""
    shown = room.committed
    for layer in (*(one.changes for one in room.sent), room.waiting or {}, room.tried):
        own = {
            name: getattr(shown, name).revised(fields)
            for name, fields in layer.items()
            if name in room.seqs
        }
        shown = shown.revised(own) if own else shown
    return shown


def entered(room: RoomView | None, told: RoomJoined) -> RoomView:
    """The room after a join: all is replaced except this client's own changes under way.

    States of participants stay: the server sends those that changed meanwhile.
    """
    values = {name: getattr(told.parameters, name) for name in type(told.parameters).model_fields}
    present = {participant.user_id for participant in told.participants}
    known = room.presences if room else {}
    return _settled(
        RoomView(
            mode=told.mode,
            participants=told.participants,
            committed=UniverseParameters.model_construct(**values),
            seqs=dict.fromkeys(values, told.seq),
            participants_seq=told.seq,
            sent=room.sent if room else (),
            waiting=room.waiting if room else None,
            tried=room.tried if room else {},
            previews={},
            presences={user: state for user, state in known.items() if user in present},
        )
    )


def updated(room: RoomView, event: ParametersUpdated) -> RoomView:
    """The room after somebody changed a set. A frame that is not newer changes nothing."""
    name, seq, user = event.set_name, event.seq, event.user_id
    if event.current or seq is None or seq <= room.seqs.get(name, math.inf):
        return room
    previews = dict(room.previews)
    left = without(previews.pop(user, {}), name, field_names(event.parameters, event.changed))
    if left:
        previews[user] = left
    return _settled(
        replace(
            room,
            committed=room.committed.revised({name: event.parameters}),
            seqs={**room.seqs, name: seq},
            previews=previews,
        )
    )


def queued(room: RoomView, changes: Changes) -> RoomView:
    """The room with more changes to send. They end this client's preview of the same fields."""
    waiting = combine(room.waiting or {}, changes)
    return replace(room, waiting=waiting, tried=without_all(room.tried, changes))


def taken(room: RoomView, op_id: str) -> RoomView:
    """The room after its waiting changes were sent."""
    if room.waiting is None:
        return room
    return replace(room, waiting=None, sent=(*room.sent, SentChanges(op_id, room.waiting)))


def returned(room: RoomView, op_id: str) -> RoomView:
    """The room with sent changes waiting again; later changes of a field win."""
    for one in room.sent:
        if one.op_id == op_id:
            waiting = combine(one.changes, room.waiting or {})
            return replace(dropped(room, op_id), waiting=waiting)
    return room


def acknowledged(room: RoomView, op_id: str, seq: int) -> RoomView:
    """The room after an ack; ``seq`` is the number of the last frame, one for each set."""
    sent = tuple(
        replace(one, from_seq=seq - len(one.changes) + 1) if one.op_id == op_id else one
        for one in room.sent
    )
    return _settled(replace(room, sent=sent))


def dropped(room: RoomView, op_id: str) -> RoomView:
    """The room without sent changes that were refused or given up."""
    return replace(room, sent=tuple(one for one in room.sent if one.op_id != op_id))


def waiting_dropped(room: RoomView) -> RoomView:
    """The room without its waiting changes."""
    return replace(room, waiting=None)


def trying(room: RoomView, changes: Changes) -> RoomView:
    """The room with exactly this preview of this client."""
    return replace(room, tried={} if is_empty(changes) else changes)


def previewed(room: RoomView, user_id: str, changes: Changes) -> RoomView:
    """The room with somebody else's preview; without values, it ends."""
    previews = {user: tried for user, tried in room.previews.items() if user != user_id}
    if not is_empty(changes):
        previews[user_id] = changes
    return replace(room, previews=previews)


def arrived(room: RoomView, participant: Participant, seq: int, me: str | None) -> RoomView:
    """The room with a new participant, or another mode of one; ``me`` is this client's user."""
    if seq <= room.participants_seq:
        return room
    user, mode = participant.user_id, participant.mode
    known = any(one.user_id == user for one in room.participants)
    participants = (
        tuple(participant if one.user_id == user else one for one in room.participants)
        if known
        else (*room.participants, participant)
    )
    own = "view" if user == me and mode == "view" else room.mode
    return replace(room, mode=own, participants=participants, participants_seq=seq)


def left(room: RoomView, user_id: str, seq: int) -> RoomView:
    """The room without a participant."""
    if seq <= room.participants_seq:
        return room
    return replace(
        room,
        participants_seq=seq,
        participants=tuple(one for one in room.participants if one.user_id != user_id),
        previews={user: tried for user, tried in room.previews.items() if user != user_id},
        presences={user: state for user, state in room.presences.items() if user != user_id},
    )


def shown(room: RoomView, states: Iterable[ParticipantState]) -> RoomView:
    """The room with new states of participants."""
    told = {one.user_id: one.state for one in states}
    return replace(room, presences={**room.presences, **told})


def _settled(room: RoomView) -> RoomView:
    """The room without acknowledged changes that ``committed`` already has."""
    sent = []
    for one in room.sent:
        from_seq = one.from_seq
        if from_seq is None:
            sent.append(one)
            continue
        left_over = {
            name: fields
            for name, fields in one.changes.items()
            if room.seqs.get(name, math.inf) < from_seq
        }
        if left_over:
            sent.append(replace(one, changes=left_over))
    return replace(room, sent=tuple(sent))
