"""The onsets of the melody's notes.

Each half bar has a figure. Liveliness determines how many notes figures have. Which figures they
are is a trait of the piece: it uses few of them, as tunes do. A known bar's rhythm may return. The
livelier the rhythm, the more figures are replaced by gestures: runs, broken chords, turns, most of
them near the phrase's end. Elsewhere, notes are then moved off the beat, which adds none.
"""

from collections.abc import Callable, Sequence
from enum import Enum

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import Bar, Phrase, Treatment
from harmonic_music.composing.runs import Runs
from harmonic_music.composing.shape import between
from harmonic_music.composing.variation import Begun, Derived, derived
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import Style
from harmonic_music.theory.figures import ENDINGS, FIGURES, Figure, Manner
from harmonic_music.theory.gestures import GESTURES, Motion
from harmonic_music.theory.meters import UNITS_PER_BEAT

UNIT = TICKS_PER_BEAT // UNITS_PER_BEAT
#: The notes of two beats, in hundredths, from calm to lively.
_NOTES = (40, 100, 197, 305, 415, 540, 690)
#: The factor of a figure, by how many quarters of a note it has too many or too few.
_NEARNESS = (1024, 850, 500, 220, 80, 25, 8, 2, 1)
_QUARTER_NOTE = 25
#: A piece's liking for a figure, from none to much: a handful of figures remain.
_LIKINGS = (1, 1, 2, 4, 12, 24)
#: The share of figures that another section likes more or less.
_OTHER_LIKINGS = 400
#: In a song, the factor for a last note that takes all but a beat.
_RESTING = 4
#: If notes lead over to the next phrase, the share of phrases that end early enough for them.
_EARLY_ENDINGS = 850
#: The share of notes on a beat that come early, by liveliness, and the least and the most of it
#: in a style, in percent.
_ANTICIPATED = (0, 10, 60, 180, 400, 770, 1000)
_STYLED_PERCENT = (90, 110)
#: The share of groups of beats that are gestures, by liveliness; and the percentages of it in a
#: phrase's first bars, in the bar before its last, and in between.
_GESTURED = (0, 40, 130, 260, 380, 480, 560)
_FIRST_PERCENT, _DRIVING_PERCENT, _AMID_PERCENT = 55, 170, 110
#: The percentages of it in a song, and in a movement.
_BROADER = (18, 100)
#: The least factor of dotted figures in a song, and in a movement, in percent.
_DOTTED = (1, 40)
#: How often a run goes on beyond its part of the bar.
_RUNS_ON = 550
#: The share of runs leading over to the next phrase that go up.
_LEADS_UP = 650
#: A piece's liking for a gesture: a few remain, which return often.
_FONDNESSES = (0, 1, 1, 2, 4, 8)
#: The divisor of the weight of a gesture that the phrase has had already.
_AGAIN = 5


class BarPace(Enum):
    """How dense a bar of a phrase is compared with the others."""

    SLOW = 0
    USUAL = 1
    FAST = 2


#: The notes of a bar, in percent of the usual.
_PACES = {BarPace.SLOW: 50, BarPace.USUAL: 100, BarPace.FAST: 135}
#: The order of the paces in a movement's phrase; a song has one pace.
_PLANS = tuple(
    tuple(BarPace("SUF".index(it)) for it in plan)
    for plan in ("SUFU", "USFU", "SSFU", "UUFU", "SFSF", "USUF", "FSUU", "SUUF", "UFSU")
)
_PLANNED = 850


class Rhythmist:
    """Chooses the rhythms of one piece.

    ``measure`` is the notes per beat that are permitted, in hundredths, and the piece's breadth.
    """

    def __init__(
        self,
        style: Style,
        liveliness: int,
        measure: tuple[int, int],
        character: Character,
        dice: Dice,
    ) -> None:
        room, breadth = measure
        self._meter, self._character = style.meter, character
        self._figures = FIGURES[style.meter]
        wanted = between(liveliness, _NOTES) * (WHOLE + character.density) // WHOLE
        #: In hundredths per group. A long and fast piece is scaled down in proportion, not capped.
        wanted = wanted * min(room, _NOTES[-1]) // _NOTES[-1]
        self._notes = wanted * style.meter.group // (2 * UNITS_PER_BEAT)
        styled = min(max(style.syncopated, _STYLED_PERCENT[0]), _STYLED_PERCENT[1])
        self._anticipated = between(liveliness, _ANTICIPATED) * styled // 100
        self._factors = {
            Manner.EVEN: 100,
            Manner.DOTTED: max(character.dotted, between(breadth, _DOTTED)) * style.dotted // 100,
            Manner.TRIPLET: character.triplets + style.triplets,
            Manner.SYNCOPATED: character.syncopated,
        }
        self._likings = [dice.choice(_LIKINGS) for _ in self._figures]
        self._others = [
            dice.choice(_LIKINGS) if dice.chance(_OTHER_LIKINGS) else liking
            for liking in self._likings
        ]
        self._gestures = GESTURES[style.meter]
        self._gestured = between(liveliness, _GESTURED) * style.gestures // 100
        self._gestured = self._gestured * character.brilliance // 100
        self._gestured = self._gestured * between(breadth, _BROADER) // 100
        self._gestured = self._gestured * min(room, _NOTES[-1]) // _NOTES[-1]
        self._fondnesses = [
            (1 + gesture.usual * dice.choice(_FONDNESSES)) * style.kinds[gesture.kind.value]
            for gesture in self._gestures
        ]
        #: The same in a phrase, given what it has had already.
        self._fresh = self._fondnesses
        self._breadth = breadth
        self._palettes = {
            (home, pace): [
                self._weight(*it, _PACES[pace] * flow // 100)
                for it in zip(self._figures, likings, strict=True)
            ]
            for home, likings, flow in (
                (True, self._likings, _widened(character.flow, breadth)),
                (False, self._others, _widened(character.other_flow, breadth)),
            )
            for pace in BarPace
        }

    def _weight(self, figure: Figure, liking: int, percent: int) -> int:
        wanted = self._notes * percent // 100
        off = abs(100 * len(figure.onsets) - wanted) // _QUARTER_NOTE
        nearness = _NEARNESS[min(off, len(_NEARNESS) - 1)]
        return 1 + figure.usual * nearness * liking * self._factors[figure.manner] // 100

    def bars(
        self, phrase: Phrase, known: Sequence[Derived], runs: Runs, dice: Dice
    ) -> list[Derived]:
        """A phrase's onsets bar by bar; ``known`` are those of its theme.

        ``runs`` holds the runs heard before; this phrase's are added to it.
        """
        found: list[Derived] = []
        early, gestured = dice.quota(), dice.quota()
        self._fresh = list(self._fondnesses)
        planned, plan = dice.chance(_PLANNED * self._breadth // WHOLE), dice.choice(_PLANS)
        for bar in phrase.bars:
            if bar.source is not None and bar.treatment is not Treatment.NEW:
                rows = found if bar.own else known
                if bar.source < len(rows):
                    again = derived(rows[bar.source], bar.treatment, bar.length, dice)
                    found.append(runs.fresh(again, bar))
                    continue
            pace = plan[bar.place % len(plan)] if planned else BarPace.USUAL
            row = self._bar(phrase, bar, pace, gestured.takes, dice)
            if not phrase.is_last(bar) or phrase.elided:
                row = self._anticipate(row, bar, found[-1] if found else [], early.takes)
            found.append(runs.fresh(row, bar))
        return found

    def _bar(
        self,
        phrase: Phrase,
        bar: Bar,
        pace: BarPace,
        gestured: Callable[[int], bool],
        dice: Dice,
    ) -> Derived:
        if phrase.is_last(bar) and not phrase.elided and bar.length == self._meter.bar * UNIT:
            return self._ending(dice, leads=gestured(self._gestured))
        weights = self._palettes[phrase.section[:1] in {"A", "i", "c"}, pace]
        beginning = [
            weight * figure.dwells if figure.begins else 0
            for figure, weight in zip(self._figures, weights, strict=True)
        ]
        share = self._gestured * self._percent(phrase, bar) // 100
        if phrase.climbs and bar.place == max(0, phrase.whole - 3):
            share = 2 * share
        found: Derived = []
        for group in range(self._meter.groups):
            start = group * self._meter.group
            place = dice.place(weights if group else beginning)
            if self._runs_on(found, start) and dice.chance(_RUNS_ON):
                found += self._going_on(found, start)
            elif gestured(share):
                gesture = dice.weighted(self._gestures, self._fresh)
                place = self._gestures.index(gesture)
                # An immediate repetition would be heard as a mannerism.
                self._fresh[place] = max(1, self._fresh[place] // _AGAIN)
                row = zip(gesture.onsets, gesture.moves, strict=True)
                found += [Begun(UNIT * (start + onset), None, move) for onset, move in row]
            else:
                onsets = self._figures[place].onsets
                found += [Begun(UNIT * (start + onset)) for onset in onsets]
        return [it for it in found if it.onset < bar.length]

    def _runs_on(self, row: Derived, start: int) -> bool:
        """Whether a run reaches up to here."""
        runs = {Motion.STEP_UP, Motion.STEP_DOWN, Motion.CHORD_UP, Motion.CHORD_DOWN}
        return (
            len(row) > 1
            and row[-1].move is row[-2].move in runs
            and UNIT * start - row[-1].onset == row[-1].onset - row[-2].onset
        )

    def _going_on(self, row: Derived, start: int) -> Derived:
        """A run that continues: its last third comes to rest."""
        step, until = (row[-1].onset - row[-2].onset) // UNIT, start + self._meter.group * 2 // 3
        return [Begun(UNIT * at, None, row[-1].move) for at in range(start, until, step)]

    @staticmethod
    def _percent(phrase: Phrase, bar: Bar) -> int:
        """The percentage of the gestures that a bar has."""
        if bar.place == phrase.whole - 2:
            return _DRIVING_PERCENT
        return _AMID_PERCENT if bar.place else _FIRST_PERCENT

    def _anticipate(
        self, row: Derived, bar: Bar, before: Derived, takes: Callable[[int], bool]
    ) -> Derived:
        """Move notes on the beat half a beat early, or hold them over from before it."""
        early = TICKS_PER_BEAT // 2
        pulse = self._meter.pulse * UNIT
        found: Derived = []
        for place, it in enumerate(row):
            onset = it.onset
            last = found[-1].onset if found else (before[-1].onset if before else 0) - bar.length
            on_beat = onset % pulse == 0 and (onset > 0 or last > -pulse)
            # The heaviest beat is kept more often.
            share = self._anticipated * 2 // (3 if onset % (self._meter.group * UNIT) == 0 else 2)
            gestures = any(beside.move is not Motion.FREE for beside in row[place : place + 2])
            if gestures or not on_beat or last == onset - pulse == 0 or not takes(share):
                found.append(it)
            elif onset and onset - early > last:
                found.append(it._replace(onset=onset - early))
            elif last % pulse == 0:
                found.append(it)
        return found

    def _ending(self, dice: Dice, *, leads: bool) -> Derived:
        """A bar that rests on a long note, and may lead over from there, or run."""
        groups, rows = self._meter.groups, ENDINGS[self._meter]
        endings = [places for places, _ in rows]
        weights = [
            usual * _NEARNESS[min(abs(100 * len(places) - groups * self._notes) // 50, 8)] + 1
            for places, usual in rows
        ]
        # If little else marks a phrase's end, the note is long.
        if not self._breadth:
            weights = [
                weight * (_RESTING if places[-1] <= UNITS_PER_BEAT else 1)
                for places, weight in zip(endings, weights, strict=True)
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
        found = [Begun(UNIT * place) for place in places]
        start = self._meter.bar - self._meter.group // 2
        if leads and places[-1] < start - UNITS_PER_BEAT // 2:
            move = Motion.STEP_UP if dice.chance(_LEADS_UP) else Motion.STEP_DOWN
            found.append(Begun(UNIT * start))
            sixteenth = UNITS_PER_BEAT // 4
            onsets = range(start + sixteenth, self._meter.bar, sixteenth)
            found += [Begun(UNIT * onset, None, move) for onset in onsets]
        return found


def _widened(percent: int, breadth: int) -> int:
    """A percentage scaled by a piece's breadth: a song has none of it."""
    return 100 + (percent - 100) * breadth // WHOLE
