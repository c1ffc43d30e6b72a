"""Following a universe over HTTP, by server-sent events: for programs that are not in its room."""

from typing import Annotated, ClassVar

from pydantic import Field

from harmonic_protocol.messages.declaration import (
    API_PREFIX,
    Audience,
    Delivery,
    Event,
    EventSpec,
    Grant,
    OperationSpec,
)
from harmonic_protocol.messages.endless import EndlessPiece
from harmonic_protocol.messages.parameters import Parameters
from harmonic_protocol.messages.universes import UniverseOperation
from harmonic_protocol.reasons import RecoveryReason
from harmonic_protocol.refusals import Code, Details
from harmonic_protocol.schema import ServiceModel, WireModel
from harmonic_protocol.values import Participant, Timestamp, UniverseId

EVENT_STREAM_TYPE = "text/event-stream"
#: The end of a stream's address.
STREAM_PATH_END = "/stream"
#: The header in which a client sends the `id` of the last event that it has.
LAST_EVENT_ID = "Last-Event-ID"
#: Events that a client may have missed; beyond, it gets the state instead.
MAX_MISSED_EVENTS = 20_000
#: Seconds between comments on a stream without events, so that it is not taken for dead.
KEEP_ALIVE_S = 15
#: The length of an `id` is below this, in characters.
MAX_EVENT_ID_CHARACTERS = 160


class UniverseState(Event):
    """The universe as of ``seq``: the first event of a stream. Later events continue from there."""

    spec: ClassVar = EventSpec("universe_state", Delivery.DIRECT, Audience.CALLER)

    universe_id: UniverseId
    participants: tuple[Participant, ...]
    parameters: Parameters
    timestamp: Timestamp
    seq: int
    endless_piece: Annotated[
        EndlessPiece | None, Field(description="the endless piece that the universe plays, if any")
    ] = None


class StateReset(UniverseState):
    """The events after the client's last one are not available: the universe as it is now."""

    spec: ClassVar = EventSpec("universe_reset", Delivery.DIRECT, Audience.CALLER)

    reason: Annotated[RecoveryReason, Field(description="why")]


class StreamEnded(Event):
    """The stream ends. A new request is refused for the same reason, unless that is `KICKED`."""

    spec: ClassVar = EventSpec("stream_ended", Delivery.DIRECT, Audience.CALLER)

    universe_id: UniverseId
    code: Code
    message: str
    details: Details = Field(default_factory=dict)


class UniverseFollowed(ServiceModel):
    """The universe as of the reply's position, for a stream; ``record`` is the record there."""

    state: UniverseState
    record: str | None = None


class StreamAddress(WireModel):
    """Where a browser's `EventSource` follows a universe without a token."""

    stream: Annotated[str, Field(description="the address, which begins streams until `expiresAt`")]
    expires_at: Timestamp


class LinkStream(UniverseOperation):
    """A link to a universe's stream for `EventSource`, which cannot send a token.

    For five minutes, it opens streams in the name of the user who asked for it. They end when
    streams with that user's token would end.
    """

    spec: ClassVar = OperationSpec(
        "link_stream",
        "GET",
        "/universes/{universeId}" + STREAM_PATH_END + "/link",
        grant=Grant.VISITOR,
    )
    answer: ClassVar = StreamAddress


class FollowUniverse(UniverseOperation):
    """Follow what a universe's room is sent, as server-sent events, without being in the room.

    The first event is `universe_state`, or with the `id` of the last event that the client has,
    in the header `Last-Event-ID` or in the query, the event after that one.
    """

    spec: ClassVar = OperationSpec(
        "follow_universe",
        "GET",
        "/universes/{universeId}" + STREAM_PATH_END,
        media_type=EVENT_STREAM_TYPE,
        grant=Grant.VISITOR,
        services=True,
    )

    last_event_id: Annotated[
        str | None,
        Field(
            max_length=MAX_EVENT_ID_CHARACTERS,
            description="the `id` of the last event that the client has; the header"
            " `Last-Event-ID` takes precedence",
        ),
    ] = None
    link: Annotated[
        str | None, Field(description="the link from `link_stream`, instead of a token")
    ] = None


def stream_address(universe_id: str, link: str) -> str:
    """The path of a stream with a link, without the gateway's own address."""
    return f"{API_PREFIX}/universes/{universe_id}{STREAM_PATH_END}?link={link}"
