"""The consonance of two pitches.

The numbers are David Huron's index of dyadic consonance ("Interval-class content in equally
tempered pitch-class sets", Music Perception 11, 1994), a mean of three listening studies. They are
in thousandths, since sums of whole numbers are the same on every machine.
"""

from collections.abc import Iterable
from itertools import combinations

OCTAVE = 12

#: By interval class: unison or octave, minor second, … , tritone. The index has no unison; it is
#: given the best value.
_CONSONANCE = (1240, -1428, -582, 594, 386, 1240, -453)

#: The weights of the tones above a tonic in a melody, in percent, all else being equal. The fifth
#: and the tonic have most, the leading tone least of a scale's tones, in the order of Carol
#: Krumhansl's profiles (*Cognitive Foundations of Musical Pitch*, 1990). The fifth is an exception,
#: since songs circle it.
TONAL_PROFILE = (172, 60, 104, 112, 122, 96, 60, 192, 58, 84, 78, 35)


def interval_class(one: int, other: int) -> int:
    """Semitones between two pitches, up to octaves and inversion: 0 to 6."""
    upwards = (one - other) % OCTAVE
    return min(upwards, OCTAVE - upwards)


def consonance(one: int, other: int) -> int:
    """Huron's index for two pitches: below zero, they are dissonant."""
    return _CONSONANCE[interval_class(one, other)]


def agreement(tones: Iterable[int]) -> int:
    """The consonance of several pitches: the sum over their pairs."""
    return sum(consonance(one, other) for one, other in combinations(tones, 2))
