"""The melody, phrase by phrase, each drawn as a whole on the way to its last note.

What comes back of earlier bars stands fixed in a phrase, and the rest is sung around that.
"""

from collections.abc import Sequence
from typing import Final

from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import BAR, Bar, Form, Treatment
from harmonic_music.composing.harmony import Harmony, Span
from harmonic_music.composing.ladder import Ladder, Transitions
from harmonic_music.composing.lattice import walk
from harmonic_music.composing.part import Tone
from harmonic_music.composing.singing import Moment, Options, Singer
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.intervals import OCTAVE

#: Contours from the phrase's beginning over its middle to its end, in percent of the span.
_CONTOURS = ((35, 80, 25), (85, 55, 10), (10, 50, 85), (70, 20, 50), (50, 55, 45))
_CONTOUR_WEIGHTS = (8, 4, 3, 2, 3)
#: The contours of the phrases that hold the melody's highest and its lowest note.
_CLIMBING, _SINKING = (40, 95, 25), (45, 10, 45)
#: How much higher a section of each letter lies, in percent of the span.
_REGISTERS = {"A": 0, "B": 14, "C": -10, "D": 8}
#: A piece of fewer bars need not reach the ends of its span; one of a single phrase reaches the
#: upper one alone.
_BARS_TO_REACH = 3
_STRONG_TICKS = 2 * TICKS_PER_BEAT
#: How many scale steps an idea may be moved by when it comes again elsewhere.
_SEQUENCES = (-1, 1, -2, 2, -3, 3)
#: A varied bar keeps its notes up to here, or from here on.
_KEPT_UNTIL = (TICKS_PER_BEAT, 2 * TICKS_PER_BEAT, 3 * TICKS_PER_BEAT)
_FIRST_KEPT = 667
#: The notes of a movement.
_MOVEMENT = 2
_FREE: Final = frozenset({Treatment.NEW, Treatment.RHYTHM})


class Melodist:
    """Writes a melody; remembers its bars and where it is."""

    def __init__(
        self, ladder: Ladder, transitions: Transitions, singer: Singer, dice: Dice
    ) -> None:
        self._ladder, self._transitions, self._singer = ladder, transitions, singer
        self._dice = dice
        self._bars: list[list[int]] = []
        self._last: int | None = None
        self._contour = _CONTOURS[0]
        self._to_reach: dict[int, list[int]] = {}

    def write(self, form: Form, harmony: Harmony, rhythms: Sequence[Sequence[int]]) -> list[Tone]:
        """The whole melody, the last note of it the tonic over the last chord."""
        if not form.bars:
            return [Tone(form.goal, harmony.goal.length, self._ladder.tonic)]
        if len(form.bars) >= _BARS_TO_REACH:
            high, low = form.extremes
            self._to_reach = {high: [self._ladder.pitches[-1]]}
            if high != low:
                self._to_reach[low] = [self._ladder.pitches[0]]
        tones: list[Tone] = []
        passages = form.passages()
        for bars in passages:
            numbers = [bar.onset // BAR for bar in bars]
            tones += self._passage(
                bars,
                [harmony.bars[number] for number in numbers],
                [rhythms[number] for number in numbers],
                harmony.goal if bars is passages[-1] else None,
            )
        return tones

    def _passage(
        self,
        bars: Sequence[Bar],
        spans: Sequence[Sequence[Span]],
        rhythms: Sequence[Sequence[int]],
        goal: Span | None,
    ) -> list[Tone]:
        moments = moments_of(bars, spans, rhythms, goal)
        if bars[0].is_first:
            self._contour = self._phrase_contour(bars[0].phrase)
        options: list[Options] = []
        for bar, rhythm in zip(bars, rhythms, strict=True):
            own = moments[len(options) : len(options) + len(rhythm)]
            options += self._bar_options(bar, own)
        if bars[0].onset == 0:
            options[:1] = [self._singer.opening(first) for first in options[:1]]
        if goal is not None:
            options[-1:] = [self._singer.approaching(last) for last in options[-1:]]
            options.append(self._singer.landing())
        elif bars[-1].is_last and rhythms[-1]:
            ending = len(options) - len(rhythms[-1]) + rhythms[-1].index(last_note(rhythms[-1]))
            options[ending] = self._singer.closing(options[ending], bars[-1].cadence)
            for upbeat in range(ending + 1, len(options)):
                options[upbeat] = self._singer.leading(options[upbeat])
        self._reach(bars[0].phrase, options, moments)
        pitches = self._sing(options, moments, lands=goal is not None)
        sung = iter(pitches)
        self._bars += [[next(sung) for _ in rhythm] for rhythm in rhythms]
        return [
            Tone(moment.onset, moment.length, pitch)
            for moment, pitch in zip(moments, pitches, strict=True)
        ]

    def _phrase_contour(self, phrase: int) -> tuple[int, int, int]:
        contour = self._dice.weighted(_CONTOURS, _CONTOUR_WEIGHTS)
        wanted = self._to_reach.get(phrase)
        if not wanted:
            return contour
        return _CLIMBING if wanted[0] == self._ladder.pitches[-1] else _SINKING

    def _bar_options(self, bar: Bar, moments: Sequence[Moment]) -> list[Options]:
        known = self._known(bar, moments)
        options: list[Options] = []
        for number, moment in enumerate(moments):
            if number in known:
                options.append({known[number]: 1})
            else:
                into = bar.place * BAR + moment.onset - bar.onset
                way = WHOLE * into // (BAR * bar.phrase_bars)
                height = along(self._contour, way) + _REGISTERS[bar.section]
                options.append(self._singer.options(moment, height))
        return options

    def _known(self, bar: Bar, moments: Sequence[Moment]) -> dict[int, int]:
        """The notes of a bar that stand fixed, by their place."""
        if bar.origin is None or bar.treatment in _FREE:
            return {}
        known = self._bars[bar.origin]
        if bar.treatment is Treatment.LITERAL:
            return dict(enumerate(known))
        if bar.treatment is Treatment.SEQUENCE:
            return dict(enumerate(self._moved(known, moments)))
        until = self._dice.choice(_KEPT_UNTIL)
        first = self._dice.chance(_FIRST_KEPT)
        return {
            place: pitch
            for place, (pitch, moment) in enumerate(zip(known, moments, strict=True))
            if (moment.onset - bar.onset < until) is first
        }

    def _moved(self, known: Sequence[int], moments: Sequence[Moment]) -> list[int]:
        """The idea so many steps up or down that it suits the chords best."""
        ways = [self._ladder.moved(known, by) for by in _SEQUENCES]
        possible = [way for way in ways if way is not None]
        if not possible:
            return list(known)
        weights = []
        for way in possible:
            held = sum(
                moment.strong and pitch % OCTAVE in moment.span.chord.triad
                for pitch, moment in zip(way, moments, strict=True)
            )
            weights.append(1 + 8 * held * held)
        return self._dice.weighted(possible, weights)

    def _reach(self, phrase: int, options: list[Options], moments: Sequence[Moment]) -> None:
        """Have the melody touch its highest pitch, and its lowest: elsewhere they are spared."""
        wanted = self._to_reach.get(phrase, [])
        free = [place for place, weights in enumerate(options[:-1]) if len(weights) > 1]
        for pitch in list(wanted):
            tone = pitch % OCTAVE
            fitting = [place for place in free if tone in moments[place].span.chord.tones]
            best = [
                place
                for place in fitting
                if moments[place].strong and tone in moments[place].span.chord.triad
            ]
            places = best or fitting or free
            if not places:
                return
            place = places[len(places) // 2]
            options[place] = {pitch: 1}
            wanted.remove(pitch)
            free = [other for other in free if abs(other - place) > len(free) // 4]

    def _sing(
        self, options: Sequence[Options], moments: Sequence[Moment], *, lands: bool
    ) -> list[int]:
        def adjusted(
            values: list[int], places: Sequence[int], went: Sequence[int], number: int
        ) -> list[int]:
            # To where the piece lands, the shortest way is best.
            if len(went) < _MOVEMENT or (lands and number == len(options) - 1):
                return values
            span = moments[number - 1].span
            return self._singer.after(went[-2], went[-1], span, values, places)

        pitches = walk(options, self._transitions, self._last, self._dice.place, adjusted)
        self._last = pitches[-1]
        return pitches


def moments_of(
    bars: Sequence[Bar],
    spans: Sequence[Sequence[Span]],
    rhythms: Sequence[Sequence[int]],
    goal: Span | None,
) -> list[Moment]:
    """The onsets of some bars, each with its chord and its length; and the piece's last note."""
    places = [
        (bar.onset + onset, chords)
        for bar, chords, rhythm in zip(bars, spans, rhythms, strict=True)
        for onset in rhythm
    ]
    last = bars[-1]
    end = last.onset + last.length
    ending = last_note(rhythms[-1]) if last.is_last and goal is None else None
    nexts = [onset for onset, _ in places[1:]] + [end]
    moments = []
    for (onset, chords), following in zip(places, nexts, strict=True):
        span = next(chord for chord in chords if onset < chord.end)
        length = following - onset
        strong = onset % _STRONG_TICKS == 0 or length > _STRONG_TICKS
        if onset - last.onset == ending:
            # A phrase's last note leaves time to breathe.
            length -= TICKS_PER_BEAT if length > _STRONG_TICKS else length // 4
        moments.append(Moment(onset, length, span, strong))
    if goal is not None:
        moments.append(Moment(goal.onset, goal.length, goal, strong=True))
    return moments


def last_note(rhythm: Sequence[int]) -> int:
    """Where a phrase's last note begins in its last bar: what comes after it leads over."""
    lengths = [after - onset for onset, after in zip(rhythm, [*rhythm[1:], BAR], strict=True)]
    return max(zip(lengths, rhythm, strict=True))[1]


def along(contour: tuple[int, int, int], way: int) -> int:
    """Where a contour is, so far through the phrase, in percent of the span."""
    begin, middle, end = contour
    half = 2 * way
    if half < WHOLE:
        return begin + (middle - begin) * half // WHOLE
    return middle + (end - middle) * (half - WHOLE) // WHOLE
