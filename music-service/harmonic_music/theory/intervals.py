"""How well two pitches go together.

The numbers are David Huron's index of dyadic consonance ("Interval-class content in equally
tempered pitch-class sets", Music Perception 11, 1994), a mean of three listening studies, in
thousandths: whole numbers add up to the same on every machine.
"""

from collections.abc import Iterable
from itertools import combinations

OCTAVE = 12

#: By interval class: unison or octave, minor second, … , tritone. The unison is no part of the
#: index; it is given the best value.
_CONSONANCE = (1240, -1428, -582, 594, 386, 1240, -453)

#: How readily the tones above a tonic are sung, in percent, all else being equal: the fifth and the
#: tonic most, the leading tone least of a scale's tones, in the order of Carol Krumhansl's profiles
#: (*Cognitive Foundations of Musical Pitch*, 1990) but for the fifth, which songs turn around.
TONAL_PROFILE = (172, 60, 104, 112, 122, 96, 60, 192, 58, 84, 78, 35)


def interval_class(one: int, other: int) -> int:
    """Semitones between two pitches, up to octaves and inversion: 0 to 6."""
    upwards = (one - other) % OCTAVE
    return min(upwards, OCTAVE - upwards)


def consonance(one: int, other: int) -> int:
    """Huron's index for two pitches: below zero, they rub."""
    return _CONSONANCE[interval_class(one, other)]


def agreement(tones: Iterable[int]) -> int:
    """How well some pitches go together: the sum over their pairs."""
    return sum(consonance(one, other) for one, other in combinations(tones, 2))
