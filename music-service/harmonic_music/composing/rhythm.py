"""When the melody's notes begin.

Each half bar has a figure. How many notes figures have follows liveliness; which ones they are is
the piece's own: a piece keeps to few of them, as tunes do. A known bar's rhythm may come back.
"""

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import BAR, Bar, Form, Treatment
from harmonic_music.composing.shape import between
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.figures import (
    ENDINGS,
    FIGURES,
    UNITS_PER_BEAT,
    UNITS_PER_HALF_BAR,
    Figure,
    Manner,
)

UNIT = TICKS_PER_BEAT // UNITS_PER_BEAT
#: The notes of a half bar, in hundredths, from calm to lively.
_NOTES = (50, 105, 190, 300, 420, 570, 760)
#: How much less usual a figure is that has so many quarters of a note too many or too few.
_NEARNESS = (1024, 850, 500, 220, 80, 25, 8, 2, 1)
_QUARTER_NOTE = 25
#: A piece's liking for a figure, from none to much: it leaves a handful of them.
_LIKINGS = (1, 1, 2, 4, 12, 24)
#: In this share of figures, another section likes them more or less.
_OTHER_LIKINGS = 400
#: Where notes lead over to the next phrase, this share of phrases ends early enough for them.
_EARLY_ENDINGS = 850
#: Syncopation grows with liveliness, in percent of the piece's own.
_SYNCOPATION_PERCENT = (0, 40, 100, 220, 400)


class Rhythm:
    """The onsets of each bar, in ticks from its beginning."""

    def __init__(
        self, form: Form, liveliness: int, notes_per_bar: int, character: Character, dice: Dice
    ) -> None:
        self._dice = dice
        self._character = character
        wanted = between(liveliness, _NOTES) * (WHOLE + character.density) // WHOLE
        #: In hundredths a half bar.
        self._notes = min(wanted, notes_per_bar * 50)
        self._liveliness = liveliness
        self._likings = [dice.choice(_LIKINGS) for _ in FIGURES]
        self._palettes: dict[str, list[int]] = {}
        self.bars: list[list[int]] = []
        for bar in form.bars:
            self.bars.append(self._bar(bar))

    def _palette(self, section: str) -> list[int]:
        """How usual each figure is in a section: another one likes some others."""
        if section not in self._palettes:
            if self._palettes:
                self._likings = [
                    self._dice.choice(_LIKINGS) if self._dice.chance(_OTHER_LIKINGS) else liking
                    for liking in self._likings
                ]
            self._palettes[section] = [
                self._weight(figure, liking)
                for figure, liking in zip(FIGURES, self._likings, strict=True)
            ]
        return self._palettes[section]

    def _weight(self, figure: Figure, liking: int) -> int:
        off = abs(100 * len(figure.onsets) - self._notes) // _QUARTER_NOTE
        nearness = _NEARNESS[min(off, len(_NEARNESS) - 1)]
        return 1 + figure.usual * nearness * liking * self._manner(figure) // 100

    def _manner(self, figure: Figure) -> int:
        character = self._character
        if figure.manner is Manner.SYNCOPATED:
            return character.syncopated * between(self._liveliness, _SYNCOPATION_PERCENT) // 100
        return {
            Manner.EVEN: 100,
            Manner.DOTTED: character.dotted,
            Manner.TRIPLET: character.triplets,
        }[figure.manner]

    def _bar(self, bar: Bar) -> list[int]:
        if bar.origin is not None and bar.treatment is not Treatment.NEW:
            return self.bars[bar.origin]
        if bar.is_last and bar.length == BAR:
            return [UNIT * place for place in self._ending()]
        weights = self._palette(bar.section)
        beginning = [
            weight if figure.begins else 0 for figure, weight in zip(FIGURES, weights, strict=True)
        ]
        first = FIGURES[self._dice.place(beginning)]
        second = FIGURES[self._dice.place(weights)]
        places = (*first.onsets, *(UNITS_PER_HALF_BAR + place for place in second.onsets))
        return [UNIT * place for place in places if UNIT * place < bar.length]

    def _ending(self) -> tuple[int, ...]:
        """A bar that comes to rest on a long note, and may lead over from there."""
        endings = [places for places, _ in ENDINGS]
        weights = [
            usual * _NEARNESS[min(abs(200 * len(places) - 2 * self._notes) // 50, 8)] + 1
            for places, usual in ENDINGS
        ]
        upbeat = self._character.upbeat
        if upbeat and self._dice.chance(_EARLY_ENDINGS):
            weights = [
                weight if places[-1] <= UNITS_PER_BEAT else 0
                for places, weight in zip(endings, weights, strict=True)
            ]
        places = self._dice.weighted(endings, weights)
        if upbeat and places[-1] <= UNITS_PER_BEAT:
            step = UNITS_PER_BEAT // upbeat
            places = (*places, *range(3 * UNITS_PER_BEAT, 4 * UNITS_PER_BEAT, step))
        return places
