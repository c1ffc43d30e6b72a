"""When the melody's notes begin.

Each half bar has a figure. How many notes figures have follows liveliness; which ones they are is
the piece's own: a piece keeps to few of them, as tunes do. A known bar's rhythm may come back.
Notes are then moved off the beat, the more the livelier the rhythm is, and none is added by that.
"""

from collections.abc import Callable, Sequence

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import Bar, Phrase, Treatment
from harmonic_music.composing.shape import between
from harmonic_music.composing.variation import Derived, derived
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import Style
from harmonic_music.theory.figures import ENDINGS, FIGURES, Figure, Manner
from harmonic_music.theory.meters import UNITS_PER_BEAT

UNIT = TICKS_PER_BEAT // UNITS_PER_BEAT
#: The notes of two beats, in hundredths, from calm to lively.
_NOTES = (45, 110, 200, 305, 405, 520, 650)
#: How much less usual a figure is that has so many quarters of a note too many or too few.
_NEARNESS = (1024, 850, 500, 220, 80, 25, 8, 2, 1)
_QUARTER_NOTE = 25
#: A piece's liking for a figure, from none to much: it leaves a handful of them.
_LIKINGS = (1, 1, 2, 4, 12, 24)
#: In this share of figures, another section likes them more or less.
_OTHER_LIKINGS = 400
#: Where notes lead over to the next phrase, this share of phrases ends early enough for them.
_EARLY_ENDINGS = 850
#: Of the notes on a beat, those that come early, by liveliness, and the least and the most of it
#: that a style makes of that, in percent.
_ANTICIPATED = (0, 30, 80, 170, 340, 620, 1000)
_STYLED_PERCENT = (90, 110)


class Rhythmist:
    """Knows the rhythms of one piece; ``room`` is how many notes a beat it has place for."""

    def __init__(
        self, style: Style, liveliness: int, room: int, character: Character, dice: Dice
    ) -> None:
        self._meter, self._character = style.meter, character
        self._figures = FIGURES[style.meter]
        wanted = between(liveliness, _NOTES) * (WHOLE + character.density) // WHOLE
        #: In hundredths a group. A long and fast piece is as lively in proportion, not up to a cap.
        wanted = wanted * min(room, _NOTES[-1]) // _NOTES[-1]
        self._notes = wanted * style.meter.group // (2 * UNITS_PER_BEAT)
        styled = min(max(style.syncopated, _STYLED_PERCENT[0]), _STYLED_PERCENT[1])
        self._anticipated = between(liveliness, _ANTICIPATED) * styled // 100
        self._factors = {
            Manner.EVEN: 100,
            Manner.DOTTED: character.dotted * style.dotted // 100,
            Manner.TRIPLET: character.triplets + style.triplets,
            Manner.SYNCOPATED: character.syncopated,
        }
        self._likings = [dice.choice(_LIKINGS) for _ in self._figures]
        self._others = [
            dice.choice(_LIKINGS) if dice.chance(_OTHER_LIKINGS) else liking
            for liking in self._likings
        ]
        self._palettes = {
            home: [self._weight(*it) for it in zip(self._figures, likings, strict=True)]
            for home, likings in ((True, self._likings), (False, self._others))
        }

    def _weight(self, figure: Figure, liking: int) -> int:
        off = abs(100 * len(figure.onsets) - self._notes) // _QUARTER_NOTE
        nearness = _NEARNESS[min(off, len(_NEARNESS) - 1)]
        return 1 + figure.usual * nearness * liking * self._factors[figure.manner] // 100

    def bars(self, phrase: Phrase, known: Sequence[Sequence[int]], dice: Dice) -> list[Derived]:
        """A phrase's onsets bar by bar; ``known`` are those of its theme."""
        found: list[Derived] = []
        early = dice.quota()
        for bar in phrase.bars:
            if bar.source is not None and bar.treatment is not Treatment.NEW:
                rows = [[onset for onset, _ in row] for row in found] if bar.own else known
                if bar.source < len(rows):
                    found.append(derived(rows[bar.source], bar.treatment, bar.length, dice))
                    continue
            onsets = self._bar(phrase, bar, dice)
            if not phrase.is_last(bar) or phrase.elided:
                before = [onset for onset, _ in found[-1]] if found else []
                onsets = self._anticipate(onsets, bar, before, early.takes)
            found.append([(onset, None) for onset in onsets])
        return found

    def _bar(self, phrase: Phrase, bar: Bar, dice: Dice) -> list[int]:
        if phrase.is_last(bar) and not phrase.elided and bar.length == self._meter.bar * UNIT:
            return [UNIT * place for place in self._ending(dice)]
        weights = self._palettes[phrase.section[:1] in {"A", "i", "c"}]
        beginning = [
            weight * figure.dwells if figure.begins else 0
            for figure, weight in zip(self._figures, weights, strict=True)
        ]
        places: list[int] = []
        for group in range(self._meter.groups):
            figure = self._figures[dice.place(weights if group else beginning)]
            places += [group * self._meter.group + place for place in figure.onsets]
        return [UNIT * place for place in places if UNIT * place < bar.length]

    def _anticipate(
        self, onsets: list[int], bar: Bar, before: Sequence[int], takes: Callable[[int], bool]
    ) -> list[int]:
        """Have notes on the beat come half a beat early, or be held over from before it."""
        early = TICKS_PER_BEAT // 2
        pulse = self._meter.pulse * UNIT
        found: list[int] = []
        for onset in onsets:
            last = found[-1] if found else (before[-1] - bar.length if before else -bar.length)
            on_beat = onset % pulse == 0 and (onset > 0 or last > -pulse)
            # Where it is heaviest, the beat is kept more often.
            share = self._anticipated * 2 // (3 if onset % (self._meter.group * UNIT) == 0 else 2)
            if not on_beat or last == onset - pulse == 0 or not takes(share):
                found.append(onset)
            elif onset and onset - early > last:
                found.append(onset - early)
            elif last % pulse == 0:
                found.append(onset)
        return found

    def _ending(self, dice: Dice) -> tuple[int, ...]:
        """A bar that comes to rest on a long note, and may lead over from there."""
        groups, rows = self._meter.groups, ENDINGS[self._meter]
        endings = [places for places, _ in rows]
        weights = [
            usual * _NEARNESS[min(abs(100 * len(places) - groups * self._notes) // 50, 8)] + 1
            for places, usual in rows
        ]
        upbeat = self._character.upbeat
        if upbeat and dice.chance(_EARLY_ENDINGS):
            weights = [
                weight if places[-1] <= UNITS_PER_BEAT else 0
                for places, weight in zip(endings, weights, strict=True)
            ]
        places = dice.weighted(endings, weights)
        if upbeat and places[-1] <= UNITS_PER_BEAT:
            step = UNITS_PER_BEAT // upbeat
            last = self._meter.bar - UNITS_PER_BEAT
            places = (*places, *range(last, self._meter.bar, step))
        return places
