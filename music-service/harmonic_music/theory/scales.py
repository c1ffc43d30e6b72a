"""The scales, and which of their degrees carry which harmonic function.

Functions follow Hugo Riemann's three (tonic, subdominant, dominant), assigned to the degrees of
major and minor as in Walter Piston's *Harmony*. For the modes, the cadential chords are those that
Vincent Persichetti (*Twentieth-Century Harmony*, chapter 2) calls their primary and dominant
equivalents. Scales of other than seven tones have no such theory: for them, the degrees nearest in
sound are used. Minor is the natural one, and melodic minor its ascending form.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Function(Enum):
    """The function of a chord: tonic, subdominant or dominant."""

    TONIC = 0
    AWAY = 1
    DOMINANT = 2


@dataclass(frozen=True, slots=True)
class ScaleShape:
    """A scale above any tonic.

    ``steps`` are semitones. ``degrees`` has for each function the degrees that carry it, the usual
    one first. ``signature`` counts the sharps more than the major key on the same tonic has. A
    chord takes its tones from ``home`` where the scale leaves a choice. ``letters`` counts how many
    letters above the tonic's each tone is written, if that is not simply the next.
    """

    steps: tuple[int, ...]
    signature: int
    degrees: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    home: tuple[int, ...] = ()
    letters: tuple[int, ...] = ()

    @property
    def is_blues(self) -> bool:
        """Whether its harmony is that of the blues, whatever its tones."""
        return self.steps == _BLUES

    def carrying(self, function: Function) -> tuple[int, ...]:
        """The degrees that carry a function, the usual one first."""
        return self.degrees[function.value]


_CHROMATIC = (0, 0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6)
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_BLUES = (0, 3, 5, 6, 7, 10)

_SHAPES = {
    "major": ScaleShape(_MAJOR, 0, ((0, 5, 2), (3, 1), (4, 6))),
    "minor": ScaleShape((0, 2, 3, 5, 7, 8, 10), -3, ((0, 5, 2), (3, 5), (6, 4))),
    "harmonic_minor": ScaleShape((0, 2, 3, 5, 7, 8, 11), -3, ((0, 5), (3, 1), (4, 6))),
    "melodic_minor": ScaleShape((0, 2, 3, 5, 7, 9, 11), -3, ((0, 2), (3, 1), (4, 6))),
    "dorian": ScaleShape((0, 2, 3, 5, 7, 9, 10), -2, ((0, 2), (3, 1), (6, 4))),
    "phrygian": ScaleShape((0, 1, 3, 5, 7, 8, 10), -4, ((0, 5, 2), (3, 5), (1, 6))),
    "lydian": ScaleShape((0, 2, 4, 6, 7, 9, 11), 1, ((0, 5, 2), (1, 5), (4, 6))),
    "mixolydian": ScaleShape((0, 2, 4, 5, 7, 9, 10), -1, ((0, 5), (3, 1), (6, 4))),
    "locrian": ScaleShape((0, 1, 3, 5, 6, 8, 10), -5, ((0, 5), (3, 2), (1, 6))),
    "major_pentatonic": ScaleShape(
        (0, 2, 4, 7, 9), 0, ((0, 4), (1, 4), (3, 1)), letters=(0, 1, 2, 4, 5)
    ),
    "minor_pentatonic": ScaleShape(
        (0, 3, 5, 7, 10), -3, ((0, 1), (2, 1), (4, 3)), letters=(0, 2, 3, 4, 6)
    ),
    "blues": ScaleShape(_BLUES, -3, ((0, 1), (2, 1), (4, 5)), letters=(0, 2, 3, 4, 4, 6)),
    "whole_tone": ScaleShape(
        (0, 2, 4, 6, 8, 10), 0, ((0, 4), (1, 3), (5, 1)), letters=(0, 1, 2, 3, 4, 6)
    ),
    "chromatic": ScaleShape(
        tuple(range(12)), 0, ((0, 9, 4), (5, 2, 8), (7, 10, 1)), _MAJOR, _CHROMATIC
    ),
}
_ALIASES = {
    "ionian": "major",
    "aeolian": "minor",
    "natural_minor": "minor",
    "harmonicMinor": "harmonic_minor",
    "melodicMinor": "melodic_minor",
    "pentatonic": "major_pentatonic",
    "pentatonic_major": "major_pentatonic",
    "majorPentatonic": "major_pentatonic",
    "pentatonic_minor": "minor_pentatonic",
    "minorPentatonic": "minor_pentatonic",
    "wholeTone": "whole_tone",
}
#: Every name that a request may use.
SCALES = MappingProxyType(_SHAPES | {alias: _SHAPES[proper] for alias, proper in _ALIASES.items()})

#: By a scale's steps, the scales of the same tones on other tonics: semitones up, and the name.
RELATIVES = MappingProxyType(
    {
        SCALES["major"].steps: ((9, "minor"), (2, "dorian")),
        SCALES["minor"].steps: ((3, "major"), (5, "dorian")),
        SCALES["dorian"].steps: ((10, "major"), (7, "minor")),
        SCALES["phrygian"].steps: ((8, "major"), (5, "minor")),
        SCALES["lydian"].steps: ((7, "major"), (4, "minor")),
        SCALES["mixolydian"].steps: ((5, "major"), (2, "minor")),
        SCALES["locrian"].steps: ((1, "major"), (10, "minor")),
        SCALES["major_pentatonic"].steps: ((9, "minor_pentatonic"),),
        SCALES["minor_pentatonic"].steps: ((3, "major_pentatonic"),),
    }
)


def shape_of_steps(steps: tuple[int, ...]) -> ScaleShape | None:
    """The scale of these steps."""
    return next((shape for shape in _SHAPES.values() if shape.steps == steps), None)
