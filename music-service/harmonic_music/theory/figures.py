"""Rhythmic figures of half a bar, and how heavy the places of a bar are.

The figures are those that fill the half bars of public tunes; the weights of places are the
metrical levels of Lerdahl and Jackendoff (*A Generative Theory of Tonal Music*, 1983).
"""

from dataclasses import dataclass
from enum import Enum

#: A half bar has two beats of so many units: three are a sixteenth, four an eighth of a triplet.
UNITS_PER_BEAT = 12
UNITS_PER_HALF_BAR = 2 * UNITS_PER_BEAT
_SIXTEENTH = 3


class Manner(Enum):
    """What a figure is like."""

    EVEN = 0
    DOTTED = 1
    SYNCOPATED = 2
    TRIPLET = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """Where notes begin, in units; ``usual`` is how usual that is among those of its number."""

    onsets: tuple[int, ...]
    usual: int
    manner: Manner = Manner.EVEN

    @property
    def begins(self) -> bool:
        """Whether it has a note on its first beat."""
        return self.onsets[:1] == (0,)


def _figure(sixteenths: str, usual: int, manner: Manner = Manner.EVEN) -> Figure:
    onsets = tuple(_SIXTEENTH * place for place, mark in enumerate(sixteenths) if mark == "x")
    return Figure(onsets, usual, manner)


_DOTTED, _SYNCOPATED, _TRIPLET = Manner.DOTTED, Manner.SYNCOPATED, Manner.TRIPLET

#: A sixteenth a mark: x where a note begins.
FIGURES = (
    _figure("........", 4, _SYNCOPATED),
    _figure("x.......", 26),
    _figure("....x...", 6, _SYNCOPATED),
    _figure("..x.....", 3, _SYNCOPATED),
    _figure("x...x...", 44),
    _figure("x.....x.", 10),
    _figure("..x...x.", 3, _SYNCOPATED),
    _figure("x...x.x.", 24),
    _figure("x.x.x...", 14),
    _figure("x.x...x.", 4, _SYNCOPATED),
    _figure("x..xx...", 10, _DOTTED),
    _figure("x.....xx", 4, _DOTTED),
    _figure("..x.x.x.", 3, _SYNCOPATED),
    _figure("x..x..x.", 5, _SYNCOPATED),
    _figure("x.x.x.x.", 34),
    _figure("x..xx..x", 10, _DOTTED),
    _figure("x...xxx.", 2),
    _figure("x..xx.x.", 5, _DOTTED),
    _figure("x.x.x..x", 5, _DOTTED),
    _figure("x.xx.xx.", 2, _SYNCOPATED),
    _figure("x.x.xxx.", 5),
    _figure("xxx.x.x.", 5),
    _figure("x.xxx.x.", 5),
    _figure("x...xxxx", 4),
    _figure("xxxxx...", 3),
    _figure("xxx.xxx.", 5),
    _figure("x.xxx.xx", 6),
    _figure("xx.xx.xx", 2, _SYNCOPATED),
    _figure("x.x.xxxx", 6),
    _figure("xxxxx.x.", 6),
    _figure("xxxxxxx.", 4),
    _figure("xxxxxxxx", 14),
    Figure((0, 12, 16, 20), 5, _TRIPLET),
    Figure((0, 4, 8, 12), 5, _TRIPLET),
    Figure((0, 4, 8, 12, 18), 4, _TRIPLET),
    Figure((0, 4, 8, 12, 16, 20), 8, _TRIPLET),
)

#: How the last bar of a phrase may begin, in units of the bar: a long note is always its last.
ENDINGS = (
    ((0,), 3),
    ((0, 24), 7),
    ((0, 12, 24), 24),
    ((0, 6, 12, 24), 5),
    ((0, 18, 24), 4),
    ((0, 12, 18, 24), 4),
    ((0, 6, 12, 18, 24), 4),
    ((0, 12), 5),
    ((0, 6, 12), 10),
    ((0, 36), 3),
)


def metrical_weight(units: int) -> int:
    """How heavy a place of a bar is: 4 at its beginning, 3 in the middle, 2 on other beats."""
    for weight, period in ((4, 48), (3, 24), (2, 12), (1, 6)):
        if units % period == 0:
            return weight
    return 0
