"""What the parameters ask of a piece: the numbers that the layers work with.

Music parameters set the levels, and physics changes them. At its default, a physics parameter
changes nothing. Away from it, it moves a level towards 0 or 1 by a share of the remaining distance.
So physics has an effect at every value of a music parameter, and never reverses it. Levels are
rounded to thousandths at once, so that all later decisions use whole numbers.
"""

from dataclasses import dataclass

from annotated_types import Ge, Le

from harmonic_music.composing.dice import WHOLE
from harmonic_protocol.values import MusicParameters, PhysicsParameters

#: The levels to which a music parameter's range is mapped: physics can change both ends.
LOWEST_LEVEL = 0.1
HIGHEST_LEVEL = 0.9
#: The share of the remaining distance at the end of a physics parameter's range.
REACH = 0.9
#: The relative change of tempo between the default gravity and its extremes.
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
        # Physics has no effect here: at full harmony no tone is foreign to the scale.
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
    """The value at a level along a row of numbers, interpolated linearly."""
    place, rest = divmod(level_thousandths * (len(row) - 1), WHOLE)
    if place >= len(row) - 1:
        return row[-1]
    return row[place] + (row[place + 1] - row[place]) * rest // WHOLE
