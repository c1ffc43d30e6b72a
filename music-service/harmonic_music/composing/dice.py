"""Random choices from a seed, the same on every machine.

Only the generator's raw numbers are used. numpy promises that these do not change, while its
distributions may change between versions. Everything derived from them is integer arithmetic.
"""

from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from typing import TypeVar

from numpy.random import Philox

T = TypeVar("T")

_RAW_BITS = 64
#: Numbers drawn at once for each layer.
_AT_ONCE = 64
#: The parts of Philox's counter that count phrases and further draws.
_PHRASE_BITS, _MORE_BITS = 128, 64
#: Shares and levels are given in thousandths.
WHOLE = 1000


class Layer(IntEnum):
    """The layers of a piece. Each has dice of its own, so its choices do not affect the others'."""

    CHARACTER = 0
    FORM = 1
    HARMONY = 2
    RHYTHM = 3
    MELODY = 4
    ACCOMPANIMENT = 5
    DYNAMICS = 6
    COLOUR = 7
    BASS = 8
    COUNTER = 9
    DRUMS = 10
    STYLE = 11


class Dice:
    """A layer's dice in one phrase; they do not depend on draws in earlier phrases."""

    def __init__(
        self, seed: int, layer: Layer, phrase: int = 0, drawn: list[int] | None = None
    ) -> None:
        self._key = (layer << _RAW_BITS) | seed
        self._phrase = phrase
        self._drawn = drawn or []
        self._more = 0

    def below(self, count: int) -> int:
        """A whole number from 0 up to, and excluding, ``count``."""
        if not self._drawn:
            self._more += 1
            counter = (self._phrase << _PHRASE_BITS) | (self._more << _MORE_BITS)
            source = Philox(key=self._key, counter=counter)
            self._drawn = source.random_raw(_AT_ONCE).tolist()
        return (self._drawn.pop() * count) >> _RAW_BITS

    def between(self, lowest: int, highest: int) -> int:
        """A whole number from ``lowest`` to ``highest``, both included."""
        return lowest + self.below(highest - lowest + 1)

    def around(self, spread: int) -> int:
        """A whole number around 0, at most ``spread`` away; nearer numbers are likelier."""
        return (self.between(-spread, spread) + self.between(-spread, spread)) // 2

    def chance(self, share: int) -> bool:
        """True in ``share`` of a thousand cases."""
        return self.below(WHOLE) < share

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[self.below(len(options))]

    def weighted(self, options: Sequence[T], weights: Sequence[int]) -> T:
        """One of the options, in proportion to its weight."""
        return options[self.place(weights)]

    def place(self, weights: Sequence[int]) -> int:
        """The index of one of the weights, in proportion to them."""
        drawn = self.below(sum(weights))
        for place, reached in enumerate(accumulate(weights)):
            if drawn < reached:
                return place
        raise ValueError("all weights are 0")

    def quota(self) -> "Quota":
        """A quota of evenly spread cases, with its start drawn here."""
        return Quota(self.below(WHOLE))


class Quota:
    """Selects a share of the cases as evenly as whole numbers allow; chance would cluster them."""

    def __init__(self, start: int) -> None:
        self._owed = start

    def takes(self, share: int) -> bool:
        """Whether this case is one of the ``share`` in a thousand."""
        self._owed += share
        taken = self._owed >= WHOLE
        if taken:
            self._owed -= WHOLE
        return taken


def dice_of(seed: int, phrase: int) -> list[Dice]:
    """The dice of all layers for one phrase, drawn in one go; phrase 0 is the piece as a whole."""
    source = Philox(key=seed, counter=phrase << _PHRASE_BITS)
    drawn = source.random_raw(_AT_ONCE * len(Layer)).tolist()
    return [
        Dice(seed, layer, phrase, drawn[layer * _AT_ONCE : (layer + 1) * _AT_ONCE])
        for layer in Layer
    ]
