"""Reading what happens in a universe over HTTP: who is there, what happened, what was composed."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from harmonic_protocol.messages.declaration import API_PREFIX, Grant, OperationSpec
from harmonic_protocol.messages.music import ComposerVersion, Duration, Seed
from harmonic_protocol.messages.universes import MAX_PAGE, UniverseOperation
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import Key, Participant, Scale, Timestamp, UserId

#: The largest whole number that every client's JSON keeps exactly.
_MAX_SEQ = 2**53 - 1


class PresentParticipant(Participant):
    """A participant in a room, with its state, if it has one."""

    state: Annotated[
        dict[str, Any] | None, Field(description="the `state` of its last `presence_updated`")
    ] = None


class ParticipantList(WireModel):
    """The participants in a room, in the order in which they joined."""

    items: tuple[PresentParticipant, ...]


class LocatedParticipants(ParticipantList):
    """The list as an owner answers it: with the participants' gateways, and without states."""

    gateways: tuple[str, ...]


class PastEvent(WireModel):
    """An event as the room was sent it."""

    event: Annotated[str, Field(description="its name")]
    data: Annotated[dict[str, Any], Field(description="its payload, with `seq`")]


class EventPage(WireModel):
    """Events of a universe in their order.

    The next page begins after ``lastSeq``, which is the universe's own at the end. Pieces whose
    notes are not kept any more are left out.
    """

    items: tuple[PastEvent, ...]
    first_seq: Annotated[int, Field(description="the first number that the log still has")]
    last_seq: Annotated[int, Field(description="the number up to which these are all")]


class PieceSummary(WireModel):
    """A generated piece that is still kept."""

    request_id: str
    user_id: UserId
    timestamp: Timestamp
    seed: Seed
    duration: Duration
    tempo: float
    key: Key
    scale: Scale
    seq: int
    composer_version: ComposerVersion | None = None
    midi: Annotated[
        str,
        Field(
            description="the address of its Standard MIDI File, which needs no token until"
            " `linksExpireAt`"
        ),
    ]


class PieceList(WireModel):
    """The pieces of a universe that are kept, the newest first."""

    items: tuple[PieceSummary, ...]
    links_expire_at: Timestamp


class GetParticipants(UniverseOperation):
    """Who is in the room."""

    spec: ClassVar = OperationSpec(
        "get_participants",
        "GET",
        "/universes/{universeId}/participants",
        grant=Grant.VISITOR,
        services=True,
    )
    answer: ClassVar = ParticipantList


class ListEvents(UniverseOperation):
    """What the room was sent after a number, as far as the log goes back."""

    spec: ClassVar = OperationSpec(
        "list_events",
        "GET",
        "/universes/{universeId}/events",
        grant=Grant.VISITOR,
        services=True,
    )
    answer: ClassVar = EventPage

    after: Annotated[int, Field(ge=0, le=_MAX_SEQ)] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50


class ListMusic(UniverseOperation):
    """The latest pieces of a universe, with links to their files that work for five minutes.

    A link asks for the file in the name of the user whom it was given to.
    """

    spec: ClassVar = OperationSpec(
        "list_music", "GET", "/universes/{universeId}/music", grant=Grant.VISITOR, services=True
    )
    answer: ClassVar = PieceList


def midi_address(universe_id: str, request_id: str) -> str:
    """The path of a piece's file, without the gateway's own address."""
    return f"{API_PREFIX}/universes/{universe_id}/music/{request_id}.mid"
