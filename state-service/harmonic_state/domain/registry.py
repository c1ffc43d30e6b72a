"""Creates, changes, shares and deletes universes, with the consequences for those in the room."""

from collections.abc import Sequence

from harmonic_protocol.envelope import Caller
from harmonic_protocol.log import (
    ConnectionLeft,
    ConnectionModeChanged,
    MemberRemoved,
    MemberSet,
    OwnerChanged,
    SettingsChanged,
    UniverseCreated,
    UniverseDeleted,
)
from harmonic_protocol.messages.universes import (
    MAX_MEMBERS,
    CreateUniverse,
    RemoveMember,
    SetMember,
    UniverseUpdated,
    UpdateUniverse,
)
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import SERVICE_PREFIX
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.permissions import allowed_mode, owned
from harmonic_state.domain.presence import DecisionInputs, with_frames
from harmonic_state.domain.universe import Universe

#: Settings whose changes the room is told of, by their names in the universe and in the event.
_SETTINGS = ("name", "owner", "visibility", "public_mode", "max_participants")
_HIDDEN_NOW = refused(Code.NOT_FOUND, "Universe not found")
_NOT_SERVICE = refused(
    Code.PERMISSION_DENIED,
    "Only a service creates universes for others",
    reason=Reason.NOT_SERVICE,
)
_REMOVED = refused(
    Code.PERMISSION_DENIED, "You were removed from this universe", reason=Reason.REMOVED
)


def create(
    universe: Universe | None, request: CreateUniverse, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Begin a log; an id that was ever used cannot be used again."""
    owner = owner_to_be(request, caller)
    if isinstance(owner, Refused):
        return owner
    if universe is not None:
        return refused(Code.INVALID_PARAMETERS, "This id is taken", reason=Reason.TAKEN)
    return [
        UniverseCreated(
            universe_id=request.id or "",
            owner=owner,
            title=request.name,
            visibility=request.visibility,
            public_mode=request.public_mode,
            max_participants=request.max_participants,
            timestamp=moment.timestamp,
            service=caller.service or None,
        )
    ]


def owner_to_be(request: CreateUniverse, caller: Caller) -> str | Refused:
    """The owner of a new universe: the caller, or the user whom a service names."""
    if not caller.service:
        is_own = request.owner is None or request.owner == caller.user_id
        return caller.user_id if is_own else _NOT_SERVICE
    if request.owner is None:
        return _no_owner("must be named by a service")
    if request.owner.startswith(SERVICE_PREFIX):
        return _no_owner("must be a user")
    return request.owner


def _no_owner(problem: str) -> Refused:
    return refused(
        Code.INVALID_PARAMETERS,
        f"Invalid parameters: owner {problem}",
        fields=[{"field": "owner", "reason": problem}],
    )


def update(
    universe: Universe | None, request: UpdateUniverse, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Change settings; users who may no longer see the universe leave the room."""
    mine = owned(universe, caller)
    if isinstance(mine, Refused):
        return mine
    sent = {name: getattr(request, name) for name in request.model_fields_set}
    causes: list[LogEvent] = []
    if sent.keys() - {"universe_id", "owner"}:
        changed = SettingsChanged(
            title=sent.get("name"),
            visibility=sent.get("visibility"),
            public_mode=sent.get("public_mode"),
            max_participants=sent.get("max_participants"),
            timestamp=moment.timestamp,
        )
        causes.append(changed)
    if sent.get("owner", mine.owner) != mine.owner:
        transfer = _transferred(mine, request.owner, moment)
        if isinstance(transfer, Refused):
            return transfer
        causes += transfer
    told = shown(mine, causes, caller.user_id, moment.timestamp)
    return with_consequences(mine, [*causes, *told], moment, _HIDDEN_NOW)


def _transferred(
    universe: Universe, owner: str, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Make ``owner``, a member, the universe's owner; the former owner becomes a member."""
    if owner not in universe.members:
        return refused(
            Code.INVALID_PARAMETERS, "The new owner must be a member", reason=Reason.NOT_MEMBER
        )
    at, former = moment.timestamp, universe.owner
    return [
        OwnerChanged(owner=owner, former_owner=former, timestamp=at),
        MemberRemoved(user_id=owner, timestamp=at),
        MemberSet(user_id=former, role="edit", timestamp=at),
    ]


def shown(
    universe: Universe, causes: Sequence[LogEvent], user_id: str, at: str
) -> list[UniverseUpdated]:
    """The frame that tells the room of a user's change of settings; none if nothing changed."""
    after = fold(universe, causes)
    if after is None:
        return []
    names = [name for name in _SETTINGS if getattr(universe, name) != getattr(after, name)]
    if not names:
        return []
    fields = UniverseUpdated.model_fields
    return [
        UniverseUpdated(
            universe_id=after.id,
            **{name: getattr(after, name) for name in _SETTINGS},
            changed=tuple(fields[name].alias or name for name in names),
            user_id=user_id,
            timestamp=at,
            seq=after.seq + 1,
        )
    ]


def delete(
    universe: Universe | None, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """End the log; a tombstone stays."""
    mine = owned(universe, caller)
    if isinstance(mine, Refused):
        return mine
    return [UniverseDeleted(timestamp=moment.timestamp)]


def set_member(
    universe: Universe | None, request: SetMember, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Give a role; a lower one takes effect at once in the room."""
    mine = owned(universe, caller)
    if isinstance(mine, Refused):
        return mine
    if request.user_id == mine.owner:
        return refused(Code.INVALID_PARAMETERS, "The owner needs no role", reason=Reason.OWNER)
    if request.user_id in mine.bans:
        return refused(
            Code.INVALID_PARAMETERS, "The user is banned: lift the ban first", reason=Reason.BANNED
        )
    if request.user_id not in mine.members and len(mine.members) >= MAX_MEMBERS:
        return refused(
            Code.INVALID_PARAMETERS,
            f"A universe has at most {MAX_MEMBERS} members",
            reason=Reason.TOO_MANY_MEMBERS,
            limit=MAX_MEMBERS,
        )
    given = MemberSet(user_id=request.user_id, role=request.role, timestamp=moment.timestamp)
    return with_consequences(mine, [given], moment, _HIDDEN_NOW)


def remove_member(
    universe: Universe | None, request: RemoveMember, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Take a role away; a user who may not see the universe without it leaves the room."""
    mine = owned(universe, caller)
    if isinstance(mine, Refused):
        return mine
    if request.user_id not in mine.members:
        return refused(Code.NOT_FOUND, "Member not found")
    gone = MemberRemoved(user_id=request.user_id, timestamp=moment.timestamp)
    return with_consequences(mine, [gone], moment, _REMOVED)


def with_consequences(
    universe: Universe, causes: Sequence[LogEvent], moment: DecisionInputs, refusal: Refused
) -> list[LogEvent]:
    """``causes``, and their consequences for those in the room.

    Users who may no longer see the universe leave with ``refusal``. Users who may only view it are
    changed to that mode.
    """
    hidden = [*causes]
    after = fold(universe, hidden)
    if after is None:
        return hidden
    for connection_id, seat in after.connections.items():
        allowed = allowed_mode(after, seat.user_id)
        if allowed is None:
            hidden.append(ConnectionLeft(connection_id=connection_id, refusal=refusal))
        elif seat.mode == "edit" and allowed == "view":
            hidden.append(ConnectionModeChanged(connection_id=connection_id, mode="view"))
    return with_frames(universe, hidden, moment)
