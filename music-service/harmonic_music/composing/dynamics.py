"""How loud each note is: the section's energy, the phrase's swell, the bar's accents."""

from bisect import bisect_right
from collections.abc import Sequence

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Bar, Form
from harmonic_music.composing.part import Tone
from harmonic_music.score import Voice

MIN_VELOCITY, MAX_VELOCITY = 1, 127

#: What a voice has above the energy: the melody stands out.
_BALANCE = {Voice.MELODY: 26, Voice.PADS: 0, Voice.BASS: 12}
_BAR_ACCENT, _PULSE_ACCENT, _OFF_PULSE = 7, 3, -3
_SWELL = 8
_LAST_CHORD_ENERGY = 44
#: No player strikes twice alike: this much up or down.
_STRAY = 3


class Dynamics:
    """The loudness of a piece."""

    def __init__(self, form: Form, dice: Dice) -> None:
        self._form = form
        self._bar_onsets = [bar.onset for bar in form.bars]
        self._dice = dice

    def velocities(self, voice: Voice, tones: Sequence[Tone]) -> list[int]:
        """How loud each of a voice's tones is."""
        balance = _BALANCE[voice]
        wanted = [self._energy(tone.onset) + balance + self._stray() for tone in tones]
        return [min(max(velocity, MIN_VELOCITY), MAX_VELOCITY) for velocity in wanted]

    def _stray(self) -> int:
        return self._dice.below(2 * _STRAY + 1) - _STRAY

    def _energy(self, onset: int) -> int:
        if onset >= self._form.goal:
            return _LAST_CHORD_ENERGY
        bar = self._form.bars[bisect_right(self._bar_onsets, onset) - 1]
        into = onset - bar.onset
        accent = _OFF_PULSE if into % self._form.pulse else _PULSE_ACCENT if into else _BAR_ACCENT
        return bar.energy + accent + self._swell(bar)

    @staticmethod
    def _swell(bar: Bar) -> int:
        """Rising until the bar before the phrase's last."""
        if bar.is_last:
            return 0
        return _SWELL * bar.place // max(1, bar.phrase_bars - 2)
