"""Generating music: requests for a piece, and the piece that everyone hears."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from harmonic_protocol.messages.declaration import (
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    OwnerCommand,
    RateClass,
    Switch,
)
from harmonic_protocol.schema import ClientModel
from harmonic_protocol.values import (
    Key,
    MeterName,
    Note,
    Program,
    Scale,
    ServiceName,
    Stroke,
    StyleName,
    Timestamp,
    UniverseId,
    UserId,
    VoiceName,
)

MAX_DURATION_S = 300
#: The largest whole number that every client's JSON keeps exactly.
MAX_SEED = 2**53 - 1

Duration = Annotated[float, Field(gt=0, le=MAX_DURATION_S, description="seconds")]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
ComposerVersion = Annotated[int, Field(ge=1)]
#: It becomes a token of a subject, so it has no character with a meaning there.
EarlierRequest = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$"),
    Field(description="the `requestId` of an earlier piece of this universe"),
]


class PieceWish(ClientModel):
    """What a piece is to be like."""

    duration: Duration
    seed: Seed | None = None
    style: Annotated[
        StyleName | None,
        Field(description="What the piece is to be like; without it, a style is drawn."),
    ] = None
    after: EarlierRequest | None = None


class GenerateMusic(PieceWish, OwnerCommand):
    """Ask for a piece from the universe's parameters as they are now."""

    spec: ClassVar = CommandSpec(
        "generate_music", RateClass.GENERATIONS, ("music_generated",), switch=Switch.MUSIC
    )


class MusicGenerated(Event):
    """A piece for everyone in the room.

    Its notes are sorted by ``startTime``, and none ends after ``duration``.

    The same ``seed``, parameters, duration and ``style`` give the same notes from the same
    ``composerVersion``. Drums are separate from the notes: their keys are not pitches. A piece that
    answers another names it in ``after``. ``service`` is the service that asked for the piece.
    """

    spec: ClassVar = EventSpec("music_generated", Delivery.REPLAYED)

    universe_id: UniverseId
    notes: tuple[Note, ...]
    timestamp: Timestamp
    request_id: str
    user_id: UserId
    seed: Seed
    duration: Duration
    tempo: float
    key: Key
    scale: Scale
    seq: int
    play_at: Timestamp | None = None
    composer_version: ComposerVersion | None = None
    style: StyleName | None = None
    meter: MeterName | None = None
    instruments: dict[VoiceName, Program] | None = None
    drums: tuple[Stroke, ...] | None = None
    after: EarlierRequest | None = None
    replayed: Literal[True] | None = None
    service: ServiceName | None = None
