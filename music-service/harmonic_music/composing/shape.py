"""What the parameters ask of a piece: the numbers that the layers work with.

Music parameters set them, physics bends them. At the default of a physics parameter nothing is
bent. Away from it a level goes towards 0 or 1 by a share of the way that is left: so physics acts
wherever a music parameter stands, and never turns it round. Levels are rounded to thousandths at
once: all that is decided by them is decided in whole numbers.
"""

from dataclasses import dataclass

from annotated_types import Ge, Le

from harmonic_music.composing.dice import WHOLE
from harmonic_protocol.values import MusicParameters, PhysicsParameters

#: A music parameter's range is mapped to these levels, for physics to have room at both ends.
LOWEST_LEVEL = 0.1
HIGHEST_LEVEL = 0.9
#: The share of the way to the end that physics goes at the end of its own range.
REACH = 0.9
#: By so much of itself the tempo changes between the default gravity and its extremes.
GRAVITY_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Shape:
    """Tempo in beats a minute; levels and ``chromatic`` in thousandths; lengths in percent."""

    tempo: float
    consonance: int
    chromatic: int
    liveliness: int
    width: int
    length_percent: int


def shape_of(music: MusicParameters, physics: PhysicsParameters) -> Shape:
    """The shape that a universe's parameters give to its music."""
    consonance = bend(level(music.harmony), -deviation(physics, "friction"))
    return Shape(
        tempo=music.tempo * (1 - GRAVITY_SHARE * deviation(physics, "gravity")),
        consonance=thousandths(consonance),
        # Not bent: with full harmony no tone is foreign to the scale, whatever the friction.
        chromatic=WHOLE - thousandths(music.harmony),
        liveliness=thousandths(
            bend(level(music.rhythm_complexity), deviation(physics, "elasticity"))
        ),
        width=thousandths(bend(level(music.melody_range), -deviation(physics, "air_resistance"))),
        length_percent=round(100 * physics.time_scale),
    )


def thousandths(unit: float) -> int:
    """A number from 0 to 1 in thousandths."""
    return round(WHOLE * unit)


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


def between(level_thousandths: int, row: tuple[int, ...]) -> int:
    """The number that a row of numbers has so far along it, on straight lines."""
    place, rest = divmod(level_thousandths * (len(row) - 1), WHOLE)
    if place >= len(row) - 1:
        return row[-1]
    return row[place] + (row[place + 1] - row[place]) * rest // WHOLE
