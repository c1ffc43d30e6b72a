"""Chance from a seed, the same on every machine.

Only the generator's raw numbers are used: numpy promises those to stay what they are, while what
it makes of them may change between versions. What follows from them is whole-number arithmetic.
"""

from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from typing import TypeVar

from numpy.random import Philox

T = TypeVar("T")

_RAW_BITS = 64
_AT_ONCE = 64
#: Shares and levels are given in so many parts.
WHOLE = 1000


class Layer(IntEnum):
    """Each layer throws its own dice: what one of them does leaves the others as they were."""

    CHARACTER = 0
    FORM = 1
    HARMONY = 2
    RHYTHM = 3
    MELODY = 4
    ACCOMPANIMENT = 5
    DYNAMICS = 6
    COLOUR = 7


class Dice:
    """A layer's dice in one piece."""

    def __init__(self, seed: int, layer: Layer) -> None:
        self._source = Philox(key=(layer << _RAW_BITS) | seed)
        self._drawn: list[int] = []

    def below(self, count: int) -> int:
        """A whole number from 0 up to, and excluding, ``count``."""
        if not self._drawn:
            self._drawn = self._source.random_raw(_AT_ONCE).tolist()[::-1]
        return (self._drawn.pop() * count) >> _RAW_BITS

    def between(self, lowest: int, highest: int) -> int:
        """A whole number from ``lowest`` to ``highest``, both included."""
        return lowest + self.below(highest - lowest + 1)

    def around(self, spread: int) -> int:
        """A whole number around 0, at most ``spread`` away: the nearer, the likelier."""
        return (self.between(-spread, spread) + self.between(-spread, spread)) // 2

    def chance(self, share: int) -> bool:
        """True in so many of a thousand cases."""
        return self.below(WHOLE) < share

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, all alike."""
        return options[self.below(len(options))]

    def weighted(self, options: Sequence[T], weights: Sequence[int]) -> T:
        """One of the options, as often as its weight says."""
        return options[self.place(weights)]

    def place(self, weights: Sequence[int]) -> int:
        """The place of one of the weights, as often as it says."""
        sums = list(accumulate(weights))
        drawn = self.below(sums[-1])
        return next(place for place, reached in enumerate(sums) if drawn < reached)
