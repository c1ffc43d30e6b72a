"""Tones foreign to the key: weak notes become passing or neighbouring tones a semitone away.

Harmony determines the share of such tones. Borrowed chords provide some of them; the rest is spread
evenly over the lines.
"""

from collections.abc import Sequence

from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import Field, Phrase
from harmonic_music.composing.part import Tone
from harmonic_music.composing.shape import between
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.meters import UNITS_PER_BEAT, Meter

#: The share of all notes foreign to the key at the least harmony, and what is subtracted on the way
#: there, in thousandths.
_FOREIGN, _LESS = 180, 30
_STRONG_WEIGHT = 3
_DIATONIC = 7
_WHOLE_TONE = 2
#: The share of the melody's possible places that may have a foreign tone, at least and at most.
_SUNG = (0, 650)


class Colourist:
    """Adds foreign tones to the lines of a piece in one key."""

    def __init__(self, home: Field, chromatic: int, meter: Meter) -> None:
        self._tones = frozenset((home.tonic + step) % OCTAVE for step in home.scale.steps)
        self._diatonic = len(home.scale.steps) == _DIATONIC
        self._share = (_FOREIGN * chromatic - _LESS * chromatic * chromatic // WHOLE) // WHOLE
        self._sung = between(chromatic, _SUNG)
        self._meter = meter

    def coloured(
        self, phrase: Phrase, lines: Sequence[list[Tone]], others: Sequence[Tone], dice: Dice
    ) -> None:
        """Alter some notes of the lines; ``others`` are counted and stay as they are."""
        if not self._share or not self._diatonic:
            return
        everything = [tone for line in lines for tone in line] + list(others)
        foreign = sum(tone.pitch % OCTAVE not in self._tones for tone in everything)
        owed = len(everything) * self._share + dice.below(WHOLE) - foreign * WHOLE
        missing = owed // WHOLE
        quota = dice.quota()
        for number, line in enumerate(lines):
            if missing <= 0:
                return
            places = [
                (place, pitch)
                for place in range(1, len(line) - 1)
                if (pitch := self._between(phrase, line, place)) is not None
            ]
            # The melody takes those that the lower lines have no place for.
            most = self._sung if number == len(lines) - 1 else WHOLE
            share = min(most, WHOLE * missing // max(1, len(places)))
            last = -1
            for place, pitch in places:
                # No two in a row: the first one would not be resolved.
                if quota.takes(share) and last != place - 1:
                    line[place] = Tone(line[place].onset, line[place].length, pitch)
                    last = place
                    missing -= 1

    def _between(self, phrase: Phrase, line: Sequence[Tone], place: int) -> int | None:
        """A foreign tone that leads from the note before to the one after, if one does."""
        before, tone, after = line[place - 1 : place + 2]
        units, rest = divmod(tone.onset - phrase.onset, TICKS_PER_BEAT // UNITS_PER_BEAT)
        if rest or self._meter.weight(units) >= _STRONG_WEIGHT or tone.length > TICKS_PER_BEAT:
            return None
        one, other = before.pitch, after.pitch
        if abs(one - other) == _WHOLE_TONE:
            pitch = (one + other) // 2
        elif one == other:
            pitch = one - 1
        elif abs(tone.pitch - other) == _WHOLE_TONE:
            pitch = (tone.pitch + other) // 2
        else:
            return None
        return None if pitch % OCTAVE in self._tones else pitch
