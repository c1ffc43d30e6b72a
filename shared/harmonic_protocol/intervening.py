"""Operators' requests to a universe's owner: inspect it, keep users out, erase a user."""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from harmonic_protocol.messages.universes import UniverseView
from harmonic_protocol.request import InternalUniverseRequest
from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import Mode, UserId

#: What happens to a universe whose owner is erased.
Bequest = Literal["member", "nobody", "deleted"]


class InspectUniverse(InternalUniverseRequest):
    """The universe's state, and the connections in its room; for operators."""

    name: ClassVar = "inspect_universe"


class RemoveUser(InternalUniverseRequest):
    """An operator removes a user from the room, with all connections and absent sessions.

    The user may join again, and is not replayed the time in between.
    """

    name: ClassVar = "remove_user"

    user_id: str


class OperatorBan(InternalUniverseRequest):
    """An operator bans a user from a universe, as its owner may; repeating it changes nothing."""

    name: ClassVar = "operator_ban"

    user_id: UserId


class OperatorUnban(InternalUniverseRequest):
    """An operator lifts a ban; refused if there is none."""

    name: ClassVar = "operator_unban"
    repeatable: ClassVar[bool] = False

    user_id: UserId


class TraceUser(InternalUniverseRequest):
    """What is stored of a user in a universe, as the streams' leaders have it; it changes nothing.

    The first answer has the snapshot's parts alone, unless ``events_only`` is set; the next ones
    have the log's records above ``after_position``, in parts.
    """

    name: ClassVar = "trace_user"

    user_id: UserId
    events_only: bool = False
    after_position: Annotated[int, Field(ge=0)] = 0


class EraseUser(InternalUniverseRequest):
    """Replace a user by ``placeholder`` in a universe.

    The user's connections, roles, bans and remembered commands are removed. The user's own universe
    is transferred to the first member who may edit, and otherwise to nobody; or to nobody at once;
    or it is deleted. Earlier records of the log still name the user until :class:`ForgetHistory`.
    """

    name: ClassVar = "erase_user"

    user_id: UserId
    placeholder: UserId
    bequest: Bequest = "member"


class ForgetHistory(InternalUniverseRequest):
    """Discard the log's history; a snapshot replaces it.

    A client that returns to an earlier position is sent the universe's current state.
    """

    name: ClassVar = "forget_history"


#: All requests that an operator may make to a universe's owner.
Intervention = (
    InspectUniverse
    | RemoveUser
    | OperatorBan
    | OperatorUnban
    | TraceUser
    | EraseUser
    | ForgetHistory
)
INTERVENTIONS: tuple[type[Intervention], ...] = get_args(Intervention)


class OccupiedSeat(ServiceModel):
    """A connection in a room: its user, and its gateway."""

    connection_id: str
    gateway_id: str
    user_id: str
    username: str
    mode: Mode


class UniverseInspected(ServiceModel):
    """The answer to :class:`InspectUniverse`.

    ``away`` are the users of ended connections whose sessions may be continued.
    """

    universe: UniverseView
    seats: tuple[OccupiedSeat, ...]
    away: tuple[str, ...]


class UserRemoved(ServiceModel):
    """The answer to :class:`RemoveUser`: the user's connections there, with absent ones."""

    connections: int


class TracedEvent(ServiceModel):
    """An event of the log that names the user, as it is stored."""

    position: int
    at: str
    name: str
    data: dict[str, Any]


class UserTraced(ServiceModel):
    """The answer to :class:`TraceUser`.

    ``state`` has the parts of the stored snapshot that name the user, ``events`` those of the log.
    If ``next_after`` is set, more may follow after that position. ``deleted`` says that only a
    tombstone is left of the universe.
    """

    title: str = ""
    deleted: bool = False
    state: dict[str, Any] = Field(default_factory=dict)
    events: tuple[TracedEvent, ...] = ()
    next_after: int | None = None

    @property
    def names_user(self) -> bool:
        """Whether anything here names the user."""
        return bool(self.state or self.events)


class ErasureDone(ServiceModel):
    """The answer to :class:`EraseUser`: what was done; empty if the universe named no such user."""

    erased: bool
    connections: int = 0
    owner: str | None = None
    deleted: bool = False
