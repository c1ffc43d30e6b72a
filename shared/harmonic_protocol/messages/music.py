"""Asking for music, and hearing the same notes."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harmonic_protocol.messages.declaration import (
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    OwnerCommand,
    RateClass,
)
from harmonic_protocol.values import Key, Note, Scale, Timestamp, UniverseId, UserId

MAX_DURATION_S = 300
#: The largest whole number that every client's JSON keeps exactly.
MAX_SEED = 2**53 - 1

Duration = Annotated[float, Field(gt=0, le=MAX_DURATION_S, description="seconds")]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
ComposerVersion = Annotated[int, Field(ge=1)]


class GenerateMusic(OwnerCommand):
    """Ask for a piece from the universe's parameters as they are now."""

    spec: ClassVar = CommandSpec("generate_music", RateClass.GENERATIONS, ("music_generated",))

    duration: Duration
    seed: Seed | None = None


class MusicGenerated(Event):
    """A piece for everyone in the room.

    Its notes are sorted by ``startTime``, and none ends after ``duration``.

    The same ``seed``, parameters and duration give the same notes from the same
    ``composerVersion``.
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
    replayed: Literal[True] | None = None
