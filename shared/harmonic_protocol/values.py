"""The values in messages: parameter sets, participants, notes, ids.

Ranges and defaults are declared here once; validation, documents and the composer use them.
"""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from harmonic_protocol.schema import WireModel

#: What a gateway may name as a frame's number: twice that is still a whole number of clients.
MAX_FRAME_NUMBER = 2**52
FrameNumber = Annotated[int, Field(ge=0, le=MAX_FRAME_NUMBER)]

Mode = Literal["edit", "view"]
Visibility = Literal["public", "private"]

UniverseId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$"),
    Field(description="1 to 64 letters, digits, `_` and `-`"),
]
UserId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    Field(description="whatever the identity provider gives as `sub`"),
]
#: The prefix of services' user ids. No user has such an id where services may act.
SERVICE_PREFIX = "service:"
ServiceName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    Field(description="the service that did it, where no user did"),
]
OperationId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    Field(description="the client's own id of this command: sent twice, applied once"),
]
Traceparent = Annotated[
    str,
    StringConstraints(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"),
    Field(description="the W3C trace context that the command belongs to, version 00"),
]
Timestamp = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"),
    Field(description="UTC with milliseconds, by the server's clock"),
]
Unit = Annotated[float, Field(ge=0.0, le=1.0)]

#: Code points that make a name look like another one, or reverse the text around it.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


#: Invisible letters and symbols by category: fillers, and the blank Braille pattern.
_INVISIBLE = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159")


def printable(text: str) -> str:
    """``text`` in NFC, without control, invisible and bidirectional-override characters.

    Empty if nothing of it can be seen.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(
        character
        for character in composed
        if unicodedata.category(character) not in _UNPRINTABLE and character not in _INVISIBLE
    ).strip()
    # Combining marks alone have no letter to attach to.
    return kept if any(not unicodedata.category(c).startswith("M") for c in kept) else ""


def _only_printable(text: str) -> str:
    clean = printable(text)
    if not clean or clean != unicodedata.normalize("NFC", text).strip():
        raise ValueError("must hold visible text without control or direction characters")
    return clean


UniverseName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    AfterValidator(_only_printable),
    Field(description="1 to 100 visible characters"),
]

TONICS = (
    *("C", "C#", "Db", "D", "D#", "Eb", "E", "Fb", "E#", "F", "F#"),
    *("Gb", "G", "G#", "Ab", "A", "A#", "Bb", "B", "Cb", "B#"),
)
Key = Literal[
    "C", "C#", "Db", "D", "D#", "Eb", "E", "Fb", "E#", "F", "F#",
    "Gb", "G", "G#", "Ab", "A", "A#", "Bb", "B", "Cb", "B#",
]  # fmt: skip
Scale = Literal[
    "major", "minor", "harmonic_minor", "melodic_minor",
    "ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian",
    "major_pentatonic", "minor_pentatonic", "blues", "whole_tone", "chromatic",
    "natural_minor", "pentatonic", "pentatonic_major", "pentatonic_minor",
    "harmonicMinor", "melodicMinor", "majorPentatonic", "minorPentatonic", "wholeTone",
]  # fmt: skip
ColorScheme = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


class PhysicsParameters(WireModel):
    """How things move in a universe."""

    gravity: Annotated[float, Field(ge=0.0, le=20.0)] = 9.81
    friction: Unit = 0.5
    elasticity: Unit = 0.7
    air_resistance: Unit = 0.1
    time_scale: Annotated[float, Field(ge=0.1, le=5.0)] = 1.0


class MusicParameters(WireModel):
    """What a universe's music is made from; ``tempo`` is in beats a minute."""

    harmony: Unit = 0.7
    tempo: Annotated[float, Field(ge=40.0, le=200.0)] = 120
    key: Key = "C"
    scale: Scale = "major"
    rhythm_complexity: Unit = 0.5
    melody_range: Unit = 0.8


class VisualizationParameters(WireModel):
    """How a universe looks."""

    brightness: Unit = 0.8
    saturation: Unit = 0.7
    complexity: Unit = 0.6
    color_scheme: ColorScheme = "rainbow"
    particle_count: Annotated[int, Field(ge=100, le=10000)] = 5000
    glow_intensity: Unit = 0.5


class Participant(WireModel):
    """One user in a room, however many tabs; ``mode`` is the highest of the tabs' modes."""

    user_id: UserId
    username: str
    mode: Mode


VoiceName = Literal["melody", "counter", "pads", "bass"]


#: The styles of pieces; the composer draws one if none is requested.
StyleName = Literal[
    "classical", "chorale", "strings", "ballad", "pop", "swing", "ragtime", "latin",
    "march", "minimal", "waltz", "minuet", "barcarolle", "jig", "blues",
]  # fmt: skip
MeterName = Literal["4/4", "3/4", "6/8"]
Program = Annotated[int, Field(ge=0, le=127, description="a General MIDI program, from 0")]


class Stroke(WireModel):
    """One stroke of the drums: a key of General MIDI's percussion, not a pitch."""

    key: Annotated[int, Field(ge=0, le=127)]
    start_time: Annotated[float, Field(ge=0.0)]
    velocity: Annotated[int, Field(ge=1, le=127)]


class Note(WireModel):
    """One note: MIDI pitch, seconds from the start of the piece, MIDI velocity.

    ``voice`` is who plays it; the first note of each section of the form tells its letter.
    """

    pitch: Annotated[int, Field(ge=0, le=127)]
    start_time: Annotated[float, Field(ge=0.0)]
    duration: Annotated[float, Field(gt=0.0)]
    velocity: Annotated[int, Field(ge=1, le=127)]
    voice: VoiceName | None = None
    section: Annotated[str, Field(max_length=8)] | None = None
