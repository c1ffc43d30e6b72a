"""Pieces between services: what one is made from, and what the notes' stream keeps of it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import MusicParameters, PhysicsParameters, Program, Stroke

#: A word that a newer version may have added to its list.
_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_/-]{1,64}$")]


class MusicJob(ServiceModel):
    """Everything that a piece is made from."""

    universe_id: str
    request_id: str
    user_id: str
    duration: float
    seed: int
    music: MusicParameters
    physics: PhysicsParameters
    deadline_ms: Annotated[int, Field(description="Unix time after which nobody waits for it")]
    style: str | None = None
    after: str | None = None
    service: str | None = None


class StoredNote(ServiceModel):
    """A note as its stream keeps it: a newer version may know more voices and sections."""

    pitch: Annotated[int, Field(ge=0, le=127)]
    start_time: Annotated[float, Field(ge=0.0)]
    duration: Annotated[float, Field(gt=0.0)]
    velocity: Annotated[int, Field(ge=1, le=127)]
    voice: _Word | None = None
    section: _Word | None = None


class StoredPiece(ServiceModel):
    """What the notes' stream keeps of a piece: all that ``music_generated`` tells besides."""

    notes: tuple[StoredNote, ...]
    style: _Word | None = None
    meter: _Word | None = None
    instruments: dict[_Word, Program] | None = None
    drums: tuple[Stroke, ...] | None = None
    after: _Word | None = None
