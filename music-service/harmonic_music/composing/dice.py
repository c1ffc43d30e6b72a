"""Chance from a seed, the same on every machine.

Only the generator's raw numbers are used: numpy promises those to stay what they are, while what
it makes of them may change between versions. What follows from them is whole-number arithmetic.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeVar

from numpy.random import Philox

T = TypeVar("T")

_RAW_BITS = 64
_STEPS = 2**32


class Layer(IntEnum):
    """Each layer throws its own dice: what one of them does leaves the others as they were."""

    HARMONY = 0
    RHYTHM = 1
    MELODY = 2
    PADS = 3
    BASS = 4
    DYNAMICS = 5


class Dice:
    """A layer's dice in one piece."""

    def __init__(self, seed: int, layer: Layer) -> None:
        self._source = Philox(key=(layer << _RAW_BITS) | seed)

    def below(self, count: int) -> int:
        """A whole number from 0 up to, and excluding, ``count``."""
        return (int(self._source.random_raw()) * count) >> _RAW_BITS

    def fraction(self) -> float:
        """A number from 0 up to, and excluding, 1."""
        return self.below(_STEPS) / _STEPS

    def chance(self, share: float) -> bool:
        """True in this share of the cases."""
        return self.fraction() < share

    def weighted(self, options: Sequence[T], weights: Sequence[int]) -> T:
        """One of the options, as often as its weight says."""
        place = self.below(sum(weights))
        for option, weight in zip(options, weights, strict=True):
            place -= weight
            if place < 0:
                return option
        raise ValueError("no option has a weight")
