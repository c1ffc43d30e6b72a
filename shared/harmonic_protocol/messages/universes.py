"""Creating, finding, sharing and deleting universes: the operations of the HTTP API."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from harmonic_protocol.messages.declaration import (
    Audience,
    Delivery,
    Event,
    EventSpec,
    Grant,
    OperationSpec,
    Request,
)
from harmonic_protocol.messages.parameters import Parameters
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import (
    Mode,
    Timestamp,
    UniverseId,
    UniverseName,
    UserId,
    Visibility,
)

MAX_PARTICIPANTS = 1000
DEFAULT_PARTICIPANTS = 50
MAX_MEMBERS = 1000
MAX_BANS = 1000
MAX_PAGE = 100

ParticipantLimit = Annotated[int, Field(ge=1, le=MAX_PARTICIPANTS)]


class UniverseView(WireModel):
    """A universe as its visitors may see it; ``members`` and ``bans`` only for its owner."""

    id: UniverseId
    name: str
    owner: UserId
    visibility: Visibility
    public_mode: Mode
    max_participants: int
    parameters: Parameters
    participants: int
    created_at: Timestamp
    updated_at: Timestamp
    seq: int
    members: dict[str, Mode] | None = None
    bans: Annotated[
        dict[str, Timestamp] | None,
        Field(description="banned users, each with the time of the ban"),
    ] = None


class UniverseSummary(WireModel):
    """A universe in a listing."""

    id: UniverseId
    name: str
    owner: UserId
    visibility: Visibility
    public_mode: Mode
    max_participants: int
    created_at: Timestamp


class UniverseUpdated(Event):
    """A universe's settings were changed: all of them as they are now.

    ``userId`` is who changed them. A client that missed it is sent it again when it returns,
    ``replayed``.
    """

    spec: ClassVar = EventSpec("universe_updated", Delivery.REPLAYED)

    universe_id: UniverseId
    name: Annotated[str, Field(description="the universe's name")]
    owner: UserId
    visibility: Visibility
    public_mode: Mode
    max_participants: int
    changed: Annotated[
        tuple[str, ...], Field(description="the names of the settings that are others than before")
    ]
    user_id: UserId
    timestamp: Timestamp
    seq: int
    replayed: Literal[True] | None = None


class UserErased(Event):
    """An operator erased a user from the universe.

    From now on ``placeholder`` replaces ``userId``, in the universe's state and in its history:
    show it instead, and keep nothing of the user. Clients that missed this event are sent the
    universe's full state.
    """

    spec: ClassVar = EventSpec("user_erased", Delivery.REPLAYED)

    universe_id: UniverseId
    user_id: UserId
    placeholder: UserId
    timestamp: Timestamp
    seq: int
    replayed: Literal[True] | None = None


class RoleChanged(Event):
    """The owner gave the user another role in a universe; without a ``role``, it has none now.

    It is sent to the user's own connections in the room. What a connection may do there is its
    mode, which ``participant_joined`` tells where it becomes a lower one.
    """

    spec: ClassVar = EventSpec("role_changed", Delivery.DIRECT, Audience.CALLER)

    universe_id: UniverseId
    role: Mode | None = None
    timestamp: Timestamp


class UniversePage(WireModel):
    """A part of a listing; ``nextCursor`` asks for the next, and is absent at the end."""

    items: tuple[UniverseSummary, ...]
    next_cursor: str | None = None


class MemberRole(WireModel):
    """Someone's role in a universe."""

    user_id: UserId
    role: Mode


class Operation(Request):
    """A request over HTTP; ``answer`` is the class of its result, if it has one."""

    spec: ClassVar[OperationSpec]
    answer: ClassVar[type[WireModel] | None] = None

    @classmethod
    def operation(cls) -> str:
        """The operation's name, also its ``operationId`` in the OpenAPI document."""
        return cls.spec.name

    @property
    def repeatable(self) -> bool:
        """As HTTP defines it for methods; a second DELETE would find nothing."""
        return self.spec.method in {"GET", "PUT", "PATCH"}


class CreateUniverse(Operation):
    """Create a universe; the caller owns it. Without an ``id`` one is made.

    A service names the ``owner``, who owns it as if the user had created it.
    """

    spec: ClassVar = OperationSpec(
        "create_universe", "POST", "/universes", 201, grant=Grant.USER, services=True
    )
    answer: ClassVar = UniverseView

    id: UniverseId | None = None
    name: UniverseName
    visibility: Visibility = "private"
    public_mode: Mode = "view"
    max_participants: ParticipantLimit = DEFAULT_PARTICIPANTS
    owner: Annotated[UserId | None, Field(description="whose it is to be: for services")] = None


#: Cursors are sequences of a stream, which have 63 bits; one more than a cursor must fit too.
MAX_CURSOR = 2**63 - 2


class ListUniverses(Operation):
    """The universes that the caller may see, in the order of their latest change of settings.

    A service sees the public ones.
    """

    spec: ClassVar = OperationSpec(
        "list_universes", "GET", "/universes", grant=Grant.USER, services=True
    )
    answer: ClassVar = UniversePage

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    cursor: Annotated[int, Field(ge=0, le=MAX_CURSOR)] = 0


class UniverseOperation(Operation):
    """An operation on one universe."""

    universe_id: UniverseId


class GetUniverse(UniverseOperation):
    """One universe, with its parameters."""

    spec: ClassVar = OperationSpec(
        "get_universe", "GET", "/universes/{universeId}", grant=Grant.VISITOR, services=True
    )
    answer: ClassVar = UniverseView


class UpdateUniverse(UniverseOperation):
    """Change a universe's settings.

    A new ``owner`` must be a member; the former owner becomes a member who may edit.
    """

    spec: ClassVar = OperationSpec(
        "update_universe", "PATCH", "/universes/{universeId}", grant=Grant.OWNER
    )
    answer: ClassVar = UniverseView

    name: UniverseName = None  # type: ignore[assignment]
    visibility: Visibility = None  # type: ignore[assignment]
    public_mode: Mode = None  # type: ignore[assignment]
    max_participants: ParticipantLimit = None  # type: ignore[assignment]
    owner: UserId = None  # type: ignore[assignment]

    @property
    def repeatable(self) -> bool:
        """Not if the owner changes: the former owner may not do this again."""
        return "owner" not in self.model_fields_set

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.model_fields_set <= {"universe_id"}:
            raise ValueError("must name at least one setting")
        return self


class DeleteUniverse(UniverseOperation):
    """Delete a universe for good; its id is not used again."""

    spec: ClassVar = OperationSpec(
        "delete_universe", "DELETE", "/universes/{universeId}", 204, grant=Grant.OWNER
    )


class UserOperation(UniverseOperation):
    """An operation on a user in a universe."""

    user_id: UserId


class SetMember(UserOperation):
    """Give someone a role in a universe."""

    spec: ClassVar = OperationSpec(
        "set_member", "PUT", "/universes/{universeId}/members/{userId}", grant=Grant.OWNER
    )
    answer: ClassVar = MemberRole

    role: Mode


class RemoveMember(UserOperation):
    """Take someone's role in a universe away."""

    spec: ClassVar = OperationSpec(
        "remove_member",
        "DELETE",
        "/universes/{universeId}/members/{userId}",
        204,
        grant=Grant.OWNER,
    )


class RemoveParticipant(UserOperation):
    """Remove someone from the room, with all connections and streams. They may join again."""

    spec: ClassVar = OperationSpec(
        "remove_participant",
        "DELETE",
        "/universes/{universeId}/participants/{userId}",
        204,
        grant=Grant.OWNER,
        services=True,
    )


class BanUser(UserOperation):
    """Keep someone out of a universe until the ban is lifted; the user loses seats and role."""

    spec: ClassVar = OperationSpec(
        "ban_user",
        "PUT",
        "/universes/{universeId}/bans/{userId}",
        204,
        grant=Grant.OWNER,
        services=True,
    )


class UnbanUser(UserOperation):
    """Lift a ban. The role that the user had before is not given back."""

    spec: ClassVar = OperationSpec(
        "unban_user",
        "DELETE",
        "/universes/{universeId}/bans/{userId}",
        204,
        grant=Grant.OWNER,
        services=True,
    )


class GetMusic(UniverseOperation):
    """The Standard MIDI File of a recent generation; with a ``link`` to it, no token is needed."""

    # Unknown query parameters of this address have always been ignored.
    model_config = ConfigDict(extra="ignore")

    spec: ClassVar = OperationSpec(
        "get_music",
        "GET",
        "/universes/{universeId}/music/{requestId}.mid",
        media_type="audio/midi",
        grant=Grant.VISITOR,
        services=True,
    )

    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    link: Annotated[str | None, Field(description="what `list_music` told, instead of a token")] = (
        None
    )
