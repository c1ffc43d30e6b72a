"""Rhythmic figures: how a melody fills a half bar of 4/4 or 6/8, or a bar of 3/4.

Those of 4/4 are the ones that fill the half bars of public tunes.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from harmonic_music.theory.meters import FOUR_FOUR, SIX_EIGHT, THREE_FOUR, UNITS_PER_BEAT

_SIXTEENTH = 3
_DWELLING = 12


class Manner(Enum):
    """The character of a figure."""

    EVEN = 0
    DOTTED = 1
    SYNCOPATED = 2
    TRIPLET = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """The onsets of notes, in units; ``usual`` is its weight among figures with as many notes."""

    onsets: tuple[int, ...]
    usual: int
    manner: Manner = Manner.EVEN

    @property
    def begins(self) -> bool:
        """Whether it has a note on its first beat."""
        return self.onsets[:1] == (0,)

    @property
    def dwells(self) -> int:
        """How well it suits a bar's beginning: a first note of a beat or more gives it weight."""
        return _DWELLING if self.onsets[1:2] == () or self.onsets[1] >= UNITS_PER_BEAT else 1


def _figure(sixteenths: str, usual: int, manner: Manner = Manner.EVEN) -> Figure:
    onsets = tuple(_SIXTEENTH * place for place, mark in enumerate(sixteenths) if mark == "x")
    return Figure(onsets, usual, manner)


_DOTTED, _SYNCOPATED, _TRIPLET = Manner.DOTTED, Manner.SYNCOPATED, Manner.TRIPLET

#: One mark per sixteenth: x where a note begins.
_IN_FOUR = (
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

_IN_THREE = (
    _figure("............", 2, _SYNCOPATED),
    _figure("x...........", 14),
    _figure("x.......x...", 40),
    _figure("x...x.......", 12),
    _figure("x.....x.....", 3, _SYNCOPATED),
    _figure("..x...x.....", 2, _SYNCOPATED),
    _figure("x...x...x...", 44),
    _figure("x.....x.x...", 24),
    _figure("x.....x...x.", 3, _SYNCOPATED),
    _figure("x.x...x...x.", 3, _SYNCOPATED),
    _figure("x...x.x.x...", 20),
    _figure("x.x.x...x...", 20),
    _figure("x...x...x.x.", 18),
    _figure("x.......x.x.", 14),
    _figure("x..xx...x...", 6, _DOTTED),
    _figure("x.x.x.x.x...", 14),
    _figure("x...x.x.x.x.", 14),
    _figure("x.....x.x.x.", 10),
    _figure("x..xx..xx...", 5, _DOTTED),
    _figure("x.x.x.x.x.x.", 20),
    _figure("x.xxx.x.x.x.", 4),
    _figure("x.x.xxxxx.x.", 4),
    _figure("x.xxx.xxx.x.", 4),
    _figure("xxxxx.x.x.x.", 4),
    _figure("x.x.x.x.xxxx", 4),
    _figure("xxxxxxxxx.x.", 5),
    _figure("xxxxxxxxxxxx", 6),
    Figure((0, 12, 24, 28, 32), 4, _TRIPLET),
    Figure((0, 4, 8, 12, 24), 5, _TRIPLET),
    Figure((0, 4, 8, 12, 16, 20, 24), 4, _TRIPLET),
)
_IN_SIX = (
    _figure("......", 2, _SYNCOPATED),
    _figure("x.....", 30),
    _figure("..x...", 2, _SYNCOPATED),
    _figure("x...x.", 44),
    _figure("x.x...", 6),
    _figure("..x.x.", 3, _SYNCOPATED),
    _figure("x.x.x.", 40),
    _figure("x..xx.", 12, _DOTTED),
    _figure("x...xx", 5),
    _figure("x..x..", 2, _SYNCOPATED),
    _figure("x.xxx.", 6),
    _figure("x.x.xx", 6),
    _figure("xxx.x.", 4),
    _figure("xxxxx.", 4),
    _figure("x.xxxx", 4),
    _figure("xxxxxx", 10),
)
#: By meter, the figures of a group of its bar.
FIGURES = MappingProxyType({FOUR_FOUR: _IN_FOUR, THREE_FOUR: _IN_THREE, SIX_EIGHT: _IN_SIX})

#: How the last bar of a phrase may begin, in units of the bar: its last note is always long.
ENDINGS = MappingProxyType(
    {
        FOUR_FOUR: (
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
        ),
        THREE_FOUR: (
            ((0,), 14),
            ((0, 12), 8),
            ((0, 6, 12), 6),
            ((0, 24), 6),
            ((0, 12, 18), 3),
            ((0, 6, 12, 18), 3),
        ),
        SIX_EIGHT: (
            ((0,), 8),
            ((0, 18), 12),
            ((0, 12, 18), 12),
            ((0, 6, 12, 18), 10),
            ((0, 6, 12), 4),
        ),
    }
)
