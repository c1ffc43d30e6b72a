"""The parts of a declaration.

Everything else about a message is derived from it: validation, dispatch, subject, rate class,
metric label, documents and client types.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Self, TypeVar

from pydantic import BaseModel, Field, create_model, model_validator

from harmonic_protocol.schema import ClientModel, WireModel
from harmonic_protocol.values import Mode, OperationId, Traceparent, UniverseId

D = TypeVar("D")

KIB = 1024
#: The path prefix of the HTTP API.
API_PREFIX = "/api/v1"
JSON_TYPE = "application/json"
#: Bytes of one message of a client at most, with its text and attachments.
MAX_MESSAGE_BYTES = 64 * KIB
#: Bytes above which a message is counted as large, since clients are asked to stay below.
LARGE_MESSAGE_BYTES = 16 * KIB
#: Where events are counted, an event counts once, and once more for each of these bytes.
COUNTED_BYTES = 32 * KIB
#: Levels of objects and lists in a client's message at most.
MAX_MESSAGE_DEPTH = 16


#: Bytes of live signals that a connection may send per second, on average, ...
SIGNAL_BYTES_PER_S = 3 * 1024 * KIB
#: ... and at once.
SIGNAL_BURST_BYTES = 9 * 1024 * KIB


_WINDOWS = {1: "second", 60: "minute"}


class Scope(StrEnum):
    """What a rate class counts together."""

    USER = "user"
    """what a user does over all connections and gateways, in any sliding window"""
    CONNECTION = "connection"
    """what one connection sends of one kind, on average, with a burst"""
    SERVICE = "service"
    """what a service does over all gateways, in any sliding window"""


class RateClass(StrEnum):
    """How often a command may be sent: an allowance per window, and a burst.

    The value names the class; ``counts`` says what is counted, for people.
    """

    counts: str
    scope: Scope
    allowance: int
    window_s: int
    burst: int

    def __new__(  # noqa: PLR0917 -- a row of the table below
        cls, value: str, counts: str, scope: Scope, allowance: int, window_s: int, burst: int
    ) -> Self:
        """A row of the table."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.counts, member.scope = counts, scope
        member.allowance, member.window_s, member.burst = allowance, window_s, burst
        return member

    @property
    def window(self) -> str:
        """The window in words."""
        return _WINDOWS.get(self.window_s, f"{self.window_s} seconds")

    PARAMETERS = "parameters", "parameter updates", Scope.USER, 60, 60, 60
    GENERATIONS = "generations", "music generation requests", Scope.USER, 10, 60, 10
    ROOMS = "rooms", "joins and leaves", Scope.USER, 30, 60, 30
    OPERATIONS = "operations", "calls of the HTTP API", Scope.USER, 120, 60, 120
    SIGNALS = "signals", "live signals of a kind", Scope.CONNECTION, 30, 1, 90
    SERVICE_CALLS = "service_calls", "calls of the HTTP API", Scope.SERVICE, 1200, 60, 1200
    SERVICE_PIECES = "service_pieces", "pieces asked for", Scope.SERVICE, 60, 60, 60


#: The classes that are counted over all connections and gateways.
GLOBAL_RATES = tuple(rate for rate in RateClass if rate.scope is Scope.USER)
#: The classes that are counted for services.
SERVICE_RATES = tuple(rate for rate in RateClass if rate.scope is Scope.SERVICE)


class Handler(StrEnum):
    """What carries a command out."""

    STATE = "state"
    """the owner of the universe decides it"""
    RELAY = "relay"
    """the gateway passes it on to the room: a live signal, stored nowhere"""
    GATEWAY = "gateway"
    """the gateway answers it by itself"""


class Delivery(StrEnum):
    """How an event is delivered, and whether it is stored and replayed."""

    REPLAYED = "replayed"
    """stored in the universe's log, numbered, and sent again to those who missed it"""
    PRESENCE = "presence"
    """stored and numbered, never sent again: the list of participants replaces it"""
    TIMED = "timed"
    """has its moment: sent ahead of it, not numbered, and dropped only once it is over"""
    LIVE = "live"
    """stored nowhere, and the first to be dropped under pressure"""
    DIRECT = "direct"
    """an answer to one connection"""


class Audience(StrEnum):
    """Who is sent an event."""

    ROOM = "room"
    OTHERS = "others"
    """the room without the connection that it comes from"""
    CALLER = "caller"


class Failure(StrEnum):
    """The event that tells a client of its command's refusal."""

    ERROR = "error"
    ROOM_ERROR = "room_error"


class Switch(StrEnum):
    """What operators may switch off for a time, on all gateways."""

    AUDIO = "audio"
    """relaying what editors hear"""
    MUSIC = "music"
    """generating pieces"""
    JOINS = "joins"
    """entering rooms; clients that come back to their rooms may"""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """How a command is named, limited and refused; its base class says what carries it out."""

    name: str
    rate: RateClass | None
    answers: tuple[str, ...]
    failure: Failure = Failure.ERROR
    max_bytes: int = MAX_MESSAGE_BYTES
    repeatable: bool = False
    """whether carrying it out twice is as good as once; with an ``opId``, it always is"""
    switch: Switch | None = None
    """what an operator switches off to have it refused"""


@dataclass(frozen=True, slots=True)
class EventSpec:
    """How an event is named, who is sent it, and whether it is stored."""

    name: str
    delivery: Delivery
    audience: Audience = Audience.ROOM


class Grant(StrEnum):
    """Who may carry an operation out."""

    USER = "user"
    """every user with a good token"""
    VISITOR = "visitor"
    """whoever may see the universe"""
    OWNER = "owner"
    """the user who owns the universe"""
    SERVICE = "service"
    """services alone"""


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """How an operation is named, and its path relative to the HTTP API's prefix.

    ``{…}`` in ``path`` are fields of the request, by their wire names. The other fields are in the
    query of a GET, and in the body of any other method. ``media_type`` is the answer's. If
    ``services`` is set, services may use the operation in every universe, whatever ``grant`` says
    of users.
    """

    name: str
    method: str
    path: str
    status: int = 200
    media_type: str = JSON_TYPE
    grant: Grant = field(kw_only=True)
    services: bool = field(kw_only=True, default=False)


def by_name(declared: Iterable[tuple[str, D]]) -> dict[str, D]:
    """Declarations by name; raise ``ValueError`` if two have the same name."""
    found: dict[str, D] = {}
    for name, one in declared:
        if name in found:
            raise ValueError(f"{name} is declared twice")
        found[name] = one
    return found


class Request(ClientModel):
    """A request to the owner of a universe; ``name`` is its token in subjects."""

    @classmethod
    def operation(cls) -> str:
        """The name under which services exchange this request."""
        raise NotImplementedError

    @property
    def repeatable(self) -> bool:
        """Whether carrying it out twice has the same result as once."""
        return False


class Command(Request):
    """A command of a client. Each may have an ``opId``."""

    spec: ClassVar[CommandSpec]
    handler: ClassVar[Handler]

    op_id: OperationId | None = None
    traceparent: Traceparent | None = None

    @classmethod
    def operation(cls) -> str:
        """The event name that clients emit."""
        return cls.spec.name

    @property
    def repeatable(self) -> bool:
        """As declared; also if it has an ``opId``, which is remembered."""
        return self.spec.repeatable or self.op_id is not None


#: The fields of every command that are no part of what is asked for.
ABOUT_COMMAND = frozenset(Command.model_fields)


class GatewayCommand(Command):
    """A command that the gateway answers by itself."""

    handler: ClassVar = Handler.GATEWAY


class RoomCommand(Command):
    """A command in a universe's room."""

    universe_id: UniverseId


class OwnerCommand(RoomCommand):
    """A command that the owner of the universe decides."""

    handler: ClassVar = Handler.STATE


class Event(WireModel):
    """Something that happened, in the form that clients are sent."""

    spec: ClassVar[EventSpec]


class LiveSignal(RoomCommand):
    """A signal that the gateway relays to the room as ``event``, stored nowhere.

    The event has the signal's own fields, and ``user_id`` and ``timestamp``.
    """

    handler: ClassVar = Handler.RELAY
    event: ClassVar[type[Event]]
    #: The mode in the room that it requires.
    mode: ClassVar[Mode] = "edit"

    @classmethod
    def rate(cls) -> RateClass:
        """How often it may be sent."""
        if cls.spec.rate is None or cls.spec.rate.scope is not Scope.CONNECTION:
            raise TypeError(f"{cls.__name__} needs a rate class that counts on each connection")
        return cls.spec.rate

    def relayed(self, *, user_id: str, timestamp: str) -> Event:
        """The event that the room is sent."""
        said = {name: getattr(self, name) for name in self.model_fields_set - ABOUT_COMMAND}
        return self.event.model_construct(**said, user_id=user_id, timestamp=timestamp)


class Changes(ClientModel):
    """Changes of a parameter set: some of its fields, at least one."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("must name at least one parameter")
        return self


def changes_of(parameters: type[WireModel], name: str) -> type[Changes]:
    """The changes class of a parameter set, with each field in its own range.

    A field that is not sent stays absent (``model_fields_set``); ``null`` is refused.
    """
    fields: Mapping[str, object] = {
        key: (field.rebuild_annotation(), Field(default=None, description=field.description))
        for key, field in parameters.model_fields.items()
    }
    base: type[BaseModel] = Changes
    return create_model(name, __base__=base, __doc__=parameters.__doc__, **fields)  # type: ignore[call-overload,no-any-return]
