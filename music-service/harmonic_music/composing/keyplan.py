"""The key of each phrase: home, or a related key for contrast."""

from typing import TYPE_CHECKING

from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import Field, Role
from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.scales import RELATIVES, SCALES, ScaleShape

if TYPE_CHECKING:
    from harmonic_music.composing.planning import Slot

#: A piece of fewer phrases stays in its key.
_FEWEST_PHRASES = 6
#: From major and from minor: semitones up, the scale there, and the weight.
_FROM_MAJOR = ((7, "major", 6), (9, "minor", 6), (5, "major", 4), (0, "minor", 2), (4, "minor", 2))
_FROM_MINOR = ((3, "major", 8), (7, "minor", 4), (5, "minor", 4), (0, "major", 2), (8, "major", 3))
#: From any other scale, the same a fifth or a fourth away.
_FROM_OTHERS = ((7, 5), (5, 4))
#: How likely a contrasting section is to be in another key: the rest follows from harmony.
_AWAY, _AWAY_PERCENT = 350, 180


class KeyPlan:
    """Draws keys; ``reach`` is in thousandths: at 0, no tone is foreign to the home key."""

    def __init__(self, home: Field, reach: int, dice: Dice) -> None:
        self._home, self._reach, self._dice = home, reach, dice

    def of(self, slots: "list[Slot]") -> list[Field]:
        """The key of each phrase: a section of contrast has its own, a development several."""
        found = [self._home] * len(slots)
        if len(slots) < _FEWEST_PHRASES or self._home.scale.is_blues:
            return found
        section, key = "", self._home
        for number, slot in enumerate(slots):
            apart = slot.role in {Role.CONTRAST, Role.DEVELOPMENT}
            begins = slot.section != section or slot.within == 0
            section = slot.section
            if not apart:
                key = self._home
            elif begins or (slot.role is Role.DEVELOPMENT and slot.within % 2 == 0):
                key = self.elsewhere(key)
            if number < len(slots) - 1:
                found[number] = key
        return found

    def elsewhere(self, before: Field) -> Field:
        """A key for a contrast: usually not the one before, and home in half of all cases."""
        if not self._dice.chance(_AWAY + _AWAY_PERCENT * self._reach // 100):
            return self._home
        options = [
            (Field(shape, (self._home.tonic + up) % OCTAVE), usual)
            for up, shape, usual in self._near()
        ]
        options = [(key, usual) for key, usual in options if key != before] or options
        if not options:
            return self._home
        return self._dice.weighted([key for key, _ in options], [usual for _, usual in options])

    def _near(self) -> list[tuple[int, ScaleShape, int]]:
        scale = self._home.scale
        relatives = [(up, SCALES[name], 6) for up, name in RELATIVES.get(scale.steps, ())]
        # Keys with other tones are weighted by what harmony permits.
        if self._reach * 2 <= self._dice.below(WHOLE):
            return relatives
        if scale == SCALES["major"]:
            return [(up, SCALES[name], usual) for up, name, usual in _FROM_MAJOR]
        if scale == SCALES["minor"]:
            return [(up, SCALES[name], usual) for up, name, usual in _FROM_MINOR]
        return [(up, scale, usual) for up, usual in _FROM_OTHERS]
