"""What becomes of a known bar's rhythm: where its notes come again, and which of them.

A derived bar is told by onset, with the place of the note that it comes from, if from any.
"""

from collections.abc import Sequence

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Treatment
from harmonic_music.score import TICKS_PER_BEAT

#: Onsets in ticks from the bar's beginning, and the place of the note that each comes from.
Derived = list[tuple[int, int | None]]

_EIGHTH = TICKS_PER_BEAT // 2
#: A note at least so long may be ornamented, and this share of them is.
_ORNAMENTED_TICKS = TICKS_PER_BEAT
_ORNAMENTED = 500


def derived(onsets: Sequence[int], treatment: Treatment, bar: int, dice: Dice) -> Derived:
    """The bar that a treatment makes of a known one of ``bar`` ticks."""
    if treatment is Treatment.FRAGMENT:
        half = bar // 2
        first: Derived = [(onset, place) for place, onset in enumerate(onsets) if onset < half]
        if half % _EIGHTH == 0 and first:
            return [*first, *((onset + half, place) for onset, place in first)]
    elif treatment is Treatment.AUGMENTED:
        wide: Derived = [
            (2 * onset, place) for place, onset in enumerate(onsets) if 2 * onset < bar
        ]
        if wide:
            return wide
    elif treatment is Treatment.ORNAMENTED:
        return _ornamented(onsets, bar, dice)
    return [(onset, place) for place, onset in enumerate(onsets)]


def _ornamented(onsets: Sequence[int], bar: int, dice: Dice) -> Derived:
    """Between two notes that lie a beat apart or more, another leads over."""
    found: Derived = []
    for place, onset in enumerate(onsets):
        found.append((onset, place))
        following = onsets[place + 1] if place + 1 < len(onsets) else bar
        if following - onset >= _ORNAMENTED_TICKS and dice.chance(_ORNAMENTED):
            found.append((following - _EIGHTH, None))
    return found
