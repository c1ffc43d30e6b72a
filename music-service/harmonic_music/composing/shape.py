"""What the parameters ask of a piece: five numbers that the layers work with.

Music parameters set them, physics bends them. At the default of a physics parameter nothing is
bent. Away from it a level goes towards 0 or 1 by a share of the way that is left: so physics acts
wherever a music parameter stands, and never turns it round.
"""

from dataclasses import dataclass

from annotated_types import Ge, Le

from harmonic_protocol.values import MusicParameters, PhysicsParameters

#: A music parameter's range is mapped to these levels, for physics to have room at both ends.
LOWEST_LEVEL = 0.1
HIGHEST_LEVEL = 0.9
#: The share of the way to the end that physics goes at the end of its own range.
REACH = 0.6
#: By so much of itself the tempo changes between the default gravity and its extremes.
GRAVITY_SHARE = 0.2
#: The melody's span at level 0, and what level 1 adds.
NARROWEST_SEMITONES = 5
SPAN_SEMITONES = 22


@dataclass(frozen=True, slots=True)
class Shape:
    """Tempo in beats a minute, levels from 0 to 1, the melody's span, the factor of lengths."""

    tempo: float
    consonance: float
    liveliness: float
    span_semitones: int
    length_factor: float


def shape_of(music: MusicParameters, physics: PhysicsParameters) -> Shape:
    """The shape that a universe's parameters give to its music."""
    width = bend(level(music.melody_range), -deviation(physics, "air_resistance"))
    return Shape(
        tempo=music.tempo * (1 - GRAVITY_SHARE * deviation(physics, "gravity")),
        consonance=bend(level(music.harmony), -deviation(physics, "friction")),
        liveliness=bend(level(music.rhythm_complexity), deviation(physics, "elasticity")),
        span_semitones=NARROWEST_SEMITONES + round(SPAN_SEMITONES * width),
        length_factor=physics.time_scale,
    )


def level(unit: float) -> float:
    """A music parameter from 0 to 1 as a level."""
    return LOWEST_LEVEL + (HIGHEST_LEVEL - LOWEST_LEVEL) * unit


def bend(value: float, towards: float) -> float:
    """A level moved towards 1, or towards 0 where ``towards`` is negative."""
    way_left = 1 - value if towards > 0 else value
    return value + REACH * towards * way_left


def deviation(physics: PhysicsParameters, name: str) -> float:
    """Where a parameter stands: 0 at its default, -1 and 1 at the ends of its range."""
    field = PhysicsParameters.model_fields[name]
    value, neutral = float(getattr(physics, name)), float(field.default)
    kind, bound = (Ge, "ge") if value < neutral else (Le, "le")
    end = next(float(getattr(it, bound)) for it in field.metadata if isinstance(it, kind))
    return (value - neutral) / abs(end - neutral)
