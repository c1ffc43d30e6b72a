"""Which layers rest for a phrase or two: they enter one by one, and leave and return.

Only layers without which the others are still complete rest: the bass or the drums, or the tune
above a figure that continues.
"""

from enum import Enum

from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.form import Role
from harmonic_music.composing.planning import Slot
from harmonic_music.endless.course import Purpose, number_of
from harmonic_music.endless.segment import Segment
from harmonic_music.score import Voice


class Resting(Enum):
    """The layer that rests."""

    NOBODY = 0
    DRUMS = 1
    LOW = 2
    TUNE = 3

    @property
    def voices(self) -> frozenset[Voice]:
        """The voices that rest."""
        if self is Resting.LOW:
            return frozenset({Voice.BASS})
        return frozenset({Voice.MELODY, Voice.COUNTER}) if self is Resting.TUNE else frozenset()

    @property
    def drums(self) -> bool:
        """Whether the drums rest."""
        return self in {Resting.DRUMS, Resting.LOW}


#: The weight of each at low, middle and full energy, in the order of their declaration.
_USUAL = ((60, 15, 25, 0), (66, 12, 14, 8), (90, 4, 6, 0))
_CALMER, _FULLER = 46, 60
#: The weight of each in the first phrase of a chapter's first section, and in the second.
_ENTERING = ((45, 15, 40, 0), (60, 32, 8, 0))
#: From this gravity on, the bass does not rest; up to that one, it rests more.
_HEAVY, _LIGHT = 350, -350
_FLOATING = 3


def resting_of(seed: int, segment: Segment, slot: Slot, energy: int, *, known: bool) -> Resting:
    """What rests in a phrase; the tune of a theme that is not yet ``known`` never rests."""
    begun = segment.slot - slot.within % 2
    dice = Dice(seed, Layer.DRUMS, number_of(Purpose.ARRANGING, segment.chapter, begun))
    # All play when the phrase leads to a new key, and in an introduction, which is thin by itself.
    if segment.leads or slot.role is Role.INTRO:
        return Resting.NOBODY
    row = _USUAL[(energy >= _CALMER) + (energy >= _FULLER)]
    if slot.role is Role.THEME and slot.within < len(_ENTERING):
        row = _ENTERING[slot.within]
    nobody, drums, low, tune = row
    if segment.asked.weight >= _HEAVY:
        low = 0
    elif segment.asked.weight <= _LIGHT:
        low *= _FLOATING
    if slot.within % 2 or not known:
        tune = 0
    return dice.weighted(tuple(Resting), (nobody, drums, low, tune))
