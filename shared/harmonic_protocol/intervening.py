"""What operators ask of a universe's owner: to see it, to keep users out, to erase one."""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from harmonic_protocol.messages.universes import UniverseView
from harmonic_protocol.request import InternalUniverseRequest
from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import Mode, UserId

#: What becomes of a universe whose owner is erased.
Bequest = Literal["member", "nobody", "deleted"]


class InspectUniverse(InternalUniverseRequest):
    """How a universe is, and over which connections people are in its room; for operators."""

    name: ClassVar = "inspect_universe"


class RemoveUser(InternalUniverseRequest):
    """An operator has a user leave the room, with all connections, absent ones too.

    The user may come again, and is sent nothing of the time between.
    """

    name: ClassVar = "remove_user"

    user_id: str


class OperatorBan(InternalUniverseRequest):
    """An operator keeps a user out of a universe, as its owner may; it may be asked again."""

    name: ClassVar = "operator_ban"

    user_id: UserId


class OperatorUnban(InternalUniverseRequest):
    """An operator lifts a ban; refused where there is none."""

    name: ClassVar = "operator_unban"
    repeatable: ClassVar[bool] = False

    user_id: UserId


class TraceUser(InternalUniverseRequest):
    """What is stored of a user in a universe, as the streams' leaders have it: changes nothing.

    The snapshot comes first, and without ``events_only``, what it says is told alone; then the
    log's records above ``after_position``, in parts.
    """

    name: ClassVar = "trace_user"

    user_id: UserId
    events_only: bool = False
    after_position: Annotated[int, Field(ge=0)] = 0


class EraseUser(InternalUniverseRequest):
    """A universe names a user no more: ``placeholder`` stands for the user from now on.

    Connections, roles, bans and remembered commands of the user are gone. What the user owned goes
    to the first member who may edit, and else to nobody; or to nobody; or it is deleted. What the
    log held before still names the user, until :class:`ForgetHistory`.
    """

    name: ClassVar = "erase_user"

    user_id: UserId
    placeholder: UserId
    bequest: Bequest = "member"


class ForgetHistory(InternalUniverseRequest):
    """The log begins anew: it keeps nothing of what was before, which a snapshot stands for.

    Whoever comes back to what was before is sent the universe as it is.
    """

    name: ClassVar = "forget_history"


#: What an operator may ask of a universe's owner.
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
    """A connection in a room: whose it is, and at which gateway."""

    connection_id: str
    gateway_id: str
    user_id: str
    username: str
    mode: Mode


class UniverseInspected(ServiceModel):
    """The answer to :class:`InspectUniverse`.

    ``away`` are the users of connections that are gone and whose sessions may be continued.
    """

    universe: UniverseView
    seats: tuple[OccupiedSeat, ...]
    away: tuple[str, ...]


class UserRemoved(ServiceModel):
    """The answer to :class:`RemoveUser`: the user's connections there, with those away."""

    connections: int


class TracedEvent(ServiceModel):
    """An event of the log that names the user, as it is stored."""

    position: int
    at: str
    name: str
    data: dict[str, Any]


class UserTraced(ServiceModel):
    """The answer to :class:`TraceUser`.

    ``state`` holds the parts of the stored snapshot that name the user; ``events`` those of the
    log. There may be more of them after the position ``next_after``, if that is told. ``deleted``
    says that only a tombstone is left of the universe.
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
    """The answer to :class:`EraseUser`: what was done; nothing where the universe named nobody."""

    erased: bool
    connections: int = 0
    owner: str | None = None
    deleted: bool = False
