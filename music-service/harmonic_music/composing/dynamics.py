"""How loud each note is: the section's energy, the phrase's swell, the bar's accents."""

from collections.abc import Sequence

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import BAR, Bar, Form
from harmonic_music.composing.part import Tone
from harmonic_music.score import TICKS_PER_BEAT, Voice
from harmonic_music.theory.figures import UNITS_PER_BEAT, metrical_weight

MIN_VELOCITY, MAX_VELOCITY = 1, 127

#: What a voice has above the energy: the melody stands out.
_BALANCE = {Voice.MELODY: 26, Voice.PADS: 0, Voice.BASS: 12}
#: By metrical weight, from between the beats to the bar's first.
_ACCENTS = (-5, -3, 1, 4, 8)
_SWELL = 10
_LAST_CHORD_ENERGY = 46
#: What a semitone above the melody's middle adds, in tenths: higher is sung louder.
_HEIGHT_TENTHS = 5
#: No player strikes twice alike: this much up or down.
_STRAY = 3


class Dynamics:
    """The loudness of a piece."""

    def __init__(self, form: Form, middle: int, dice: Dice) -> None:
        self._form, self._middle, self._dice = form, middle, dice

    def velocities(self, voice: Voice, tones: Sequence[Tone]) -> list[int]:
        """How loud each of a voice's tones is."""
        found = []
        for tone in tones:
            wanted = self._energy(tone.onset) + _BALANCE[voice]
            wanted += self._dice.between(-_STRAY, _STRAY)
            if voice is Voice.MELODY:
                wanted += _HEIGHT_TENTHS * (tone.pitch - self._middle) // 10
            found.append(min(max(wanted, MIN_VELOCITY), MAX_VELOCITY))
        return found

    def _energy(self, onset: int) -> int:
        if onset >= self._form.goal:
            return _LAST_CHORD_ENERGY
        bar = self._form.bars[onset // BAR]
        units = (onset - bar.onset) * UNITS_PER_BEAT // TICKS_PER_BEAT
        return bar.energy + _ACCENTS[metrical_weight(units)] + self._swell(bar)

    @staticmethod
    def _swell(bar: Bar) -> int:
        """Rising until the bar before the phrase's last."""
        if bar.is_last:
            return 0
        return _SWELL * bar.place // max(1, bar.phrase_bars - 2)
