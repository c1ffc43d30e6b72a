"""Pieces between services: the inputs of a piece, and what the streams of notes store of it."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from harmonic_protocol.schema import ServiceModel
from harmonic_protocol.values import (
    MusicParameters,
    PhysicsParameters,
    Program,
    Stroke,
    Timestamp,
)

#: A value that a newer version may have added to its list.
_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_/-]{1,64}$")]


class MusicJob(ServiceModel):
    """All inputs of a piece."""

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
    """A note as its stream stores it: a newer version may have more voices and sections."""

    pitch: Annotated[int, Field(ge=0, le=127)]
    start_time: Annotated[float, Field(ge=0.0)]
    duration: Annotated[float, Field(gt=0.0)]
    velocity: Annotated[int, Field(ge=1, le=127)]
    voice: _Word | None = None
    section: _Word | None = None


class StoredPiece(ServiceModel):
    """What the notes' stream stores of a piece: everything else in ``music_generated``."""

    notes: tuple[StoredNote, ...]
    style: _Word | None = None
    meter: _Word | None = None
    instruments: dict[_Word, Program] | None = None
    drums: tuple[Stroke, ...] | None = None
    after: _Word | None = None


#: Bytes of the composer's state between bars of an endless piece, as text.
MAX_BAR_STATE_BYTES = 4096


def _within_bound(state: str) -> str:
    if len(state.encode()) > MAX_BAR_STATE_BYTES:
        raise ValueError(f"must have at most {MAX_BAR_STATE_BYTES} bytes")
    return state


BarState = Annotated[
    str,
    StringConstraints(pattern=r"^[ -~]*$"),
    AfterValidator(_within_bound),
    Field(description="what the composer carries on, as printable ASCII"),
]


#: Seconds that an owner waits for a bar before it asks another replica. A replica that could not
#: begin it within that time does not compose it.
BAR_ANSWER_S = 0.4


class BarJob(ServiceModel):
    """All inputs of a bar of an endless piece: the record of the bar, and its piece.

    The same job always gives the same notes. ``starts_us`` is Unix time in microseconds.
    """

    universe_id: str
    stream_id: str
    seed: int
    style: str | None = None
    bar: int
    starts_us: int
    as_of: int
    music: MusicParameters
    physics: PhysicsParameters
    state: str | None = None


class BarMade(ServiceModel):
    """The answer to a :class:`BarJob`, once its notes are stored; ``state`` is for the next bar."""

    stream_id: str
    bar: int
    duration_us: Annotated[int, Field(ge=100_000, le=60_000_000)]
    state: BarState


class StoredForecast(ServiceModel):
    """The next bar as its stream stores it: the fields of ``forecast``, by their names."""

    duration: Annotated[float, Field(gt=0, le=60)]
    notes: tuple[StoredNote, ...]
    instruments: dict[_Word, Program] | None = None
    drums: tuple[Stroke, ...] | None = None


class StoredBar(ServiceModel):
    """A bar as its stream stores it: the fields of ``music_bar``, by their names."""

    universe_id: str
    stream_id: _Word
    bar: Annotated[int, Field(ge=0)]
    starts_at: Timestamp
    duration: Annotated[float, Field(ge=0.1, le=60)]
    tempo: float
    key: Annotated[str, StringConstraints(max_length=8)]
    scale: _Word
    as_of: int
    notes: tuple[StoredNote, ...]
    style: _Word | None = None
    meter: _Word | None = None
    instruments: dict[_Word, Program] | None = None
    drums: tuple[Stroke, ...] | None = None
    forecast: StoredForecast | None = None


class PieceGoesOn(ServiceModel):
    """An owner tells the other replicas when the record after ``bar`` is due, in Unix time.

    Without that time, the piece is over.
    """

    universe_id: str
    stream_id: str
    bar: int
    due_us: int | None = None
