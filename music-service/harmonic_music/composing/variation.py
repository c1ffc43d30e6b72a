"""How a known bar's rhythm is varied: which of its notes return, and where.

A derived bar is a list of onsets, each with the place of its source note, if it has one.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Treatment
from harmonic_music.composing.ladder import Degree
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.gestures import Motion


class Begun(NamedTuple):
    """A note's onset in ticks from the bar's beginning.

    ``origin`` is the place of its source note. A note whose pitch has no source has a ``move``: how
    it relates to the one before it. ``came`` is its direction from the note before when it was
    first heard: 1 above it, -1 below.
    """

    onset: int
    origin: int | None = None
    move: Motion = Motion.FREE
    came: int = 0

    @property
    def way(self) -> int:
        """1 if it lies above the note before it, -1 if below, 0 if that is not known."""
        return self.move.direction or self.came


Derived = list[Begun]
#: The notes of a bar: onset in the bar, and degree.
Sung = tuple[tuple[int, Degree], ...]

_EIGHTH = TICKS_PER_BEAT // 2
#: Notes at most this far apart belong to a gesture.
FAST_TICKS = TICKS_PER_BEAT // 3
#: The shortest note that may be ornamented, and the share of those that are.
_ORNAMENTED_TICKS = TICKS_PER_BEAT
_ORNAMENTED = 500


def known_bar(sung: Sung) -> Derived:
    """The rhythm of a bar of a theme, with the moves of its gestures."""
    found = [Begun(onset) for onset, _ in sung[:1]]
    for (onset, (step, _)), (following, (other, _)) in pairwise(sung):
        move = Motion.FREE
        if following - onset <= FAST_TICKS and abs(other - step) <= 1:
            move = (Motion.STEP_DOWN, Motion.SAME, Motion.STEP_UP)[other - step + 1]
        found.append(Begun(following, None, move, (other > step) - (other < step)))
    return found


def struck_along(row: Derived) -> list[int]:
    """The onsets of a bar's melody at which others may join it: not all of a run."""
    found: list[int] = []
    for it in row:
        if not found or it.onset - found[-1] >= _EIGHTH:
            found.append(it.onset)
    return found


def derived(known: Sequence[Begun], treatment: Treatment, bar: int, dice: Dice) -> Derived:
    """The bar that a treatment makes of a known one of ``bar`` ticks."""
    places = [it._replace(origin=place) for place, it in enumerate(known)]
    if treatment is Treatment.FRAGMENT:
        half = bar // 2
        first = [it for it in places if it.onset < half]
        if half % _EIGHTH == 0 and first:
            return [*first, *(it._replace(onset=it.onset + half) for it in first)]
    elif treatment is Treatment.AUGMENTED:
        wide = [it._replace(onset=2 * it.onset) for it in places if 2 * it.onset < bar]
        if wide:
            return wide
    elif treatment is Treatment.ORNAMENTED:
        return _ornamented(places, bar, dice)
    return places


def _ornamented(places: Sequence[Begun], bar: int, dice: Dice) -> Derived:
    """Between two notes at least a beat apart, insert another one that leads over."""
    found: Derived = []
    ends = [*(it.onset for it in places), bar][1:]
    for it, following in zip(places, ends, strict=True):
        found.append(it)
        if following - it.onset >= _ORNAMENTED_TICKS and dice.chance(_ORNAMENTED):
            found.append(Begun(following - _EIGHTH))
    return found
