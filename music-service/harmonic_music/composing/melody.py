"""The melody: for every onset the pitch that suits contour, chord and the notes around it.

What suits is known from large collections: steps are far commoner than leaps, a leap is followed
by a step back, phrases arch (David Huron, *Sweet Anticipation*, 2006, chapter 5; Eugene Narmour's
implication and realization). A phrase is drawn as a whole, on the way to its last note: what comes
back of earlier bars stands fixed in it, and the rest is sung around that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import BAR, Bar, Cadence, Form, Treatment
from harmonic_music.composing.harmony import Harmony, Span
from harmonic_music.composing.ladder import Ladder
from harmonic_music.composing.lattice import walk
from harmonic_music.composing.part import Tone
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.intervals import OCTAVE, TONAL_PROFILE
from harmonic_music.theory.scales import ScaleShape

#: Contours from the phrase's beginning over its middle to its end, in percent of the span.
_CONTOURS = ((35, 80, 25), (85, 55, 10), (10, 50, 85), (70, 20, 50), (50, 55, 45))
_CLIMBING, _SINKING = (40, 95, 25), (45, 10, 45)
_CONTOUR_WEIGHTS = (8, 4, 3, 2, 3)
#: Strong onsets are bound to the chord in this share of cases, and by this more with consonance.
_BOUND, _BOUND_BY_CONSONANCE = 150, 760
#: A long or heavy note that belongs to the chord is so much likelier, in percent.
_BOUND_PERCENT, _LIKED_PERCENT = 2000, (110, 190)
_STRONG_TICKS = 2 * TICKS_PER_BEAT
#: A tone foreign to the chord and a semitone from one of its tones is so much rarer.
_RUBBING_DIVISOR = 2
#: A tone foreign to the chord is reached and left by step: otherwise it is so much rarer.
_LEAPT_DIVISOR = 6
_STEP_SEMITONES, _LEAP_SEMITONES = 2, 5
#: After a leap: a step back, another way back, and on in the same direction, in percent.
_RECOVERY = (330, 220, 30)
#: What a last note may be above the root of its chord's key, by cadence: degrees by pitch class.
_FINALS = {
    Cadence.CLOSED: {0: 16, 4: 2, 3: 2, 7: 2},
    Cadence.HALF: {7: 10, 2: 7, 11: 3, 10: 3},
    Cadence.DECEPTIVE: {0: 8, 4: 2, 3: 2, 7: 3},
    Cadence.OPEN: {7: 4, 0: 3, 2: 3, 9: 2, 5: 2, 4: 3, 3: 3},
}
_OTHER_FINAL_DIVISOR = 12
#: How many scale steps an idea may be moved by when it comes again elsewhere.
_SEQUENCES = (-1, 1, -2, 2, -3, 3)
#: A varied bar keeps its first notes up to here, or all but those between here and its end.
_KEPT_UNTIL = (TICKS_PER_BEAT, 2 * TICKS_PER_BEAT, 3 * TICKS_PER_BEAT)


@dataclass(frozen=True, slots=True)
class _Moment:
    """One onset: its chord, and how long its note will be."""

    onset: int
    length: int
    span: Span
    strong: bool


class Melodist:
    """Writes a melody phrase by phrase; remembers its bars and where it is."""

    def __init__(
        self,
        ladder: Ladder,
        scale: ScaleShape,
        consonance: int,
        chromatic: int,
        character: Character,
        dice: Dice,
    ) -> None:
        self._ladder, self._dice, self._character = ladder, dice, character
        self._home = frozenset((ladder.tonic + step) % OCTAVE for step in scale.home or scale.steps)
        self._foreign_percent = max(3, 60 * chromatic // WHOLE)
        self._bound = _BOUND + _BOUND_BY_CONSONANCE * consonance // WHOLE + character.bound
        self._transitions = ladder.transitions(character)
        self._bars: list[list[int]] = []
        self._last: int | None = None
        self._contour = _CONTOURS[0]
        self._to_reach: dict[int, list[int]] = {}
        self._moments: list[_Moment] = []

    def write(self, form: Form, harmony: Harmony, rhythms: Sequence[Sequence[int]]) -> list[Tone]:
        """The whole melody, the last note of it the tonic over the last chord."""
        tones: list[Tone] = []
        passages = form.passages()
        high, low = form.extremes
        self._to_reach = {high: [self._ladder.pitches[-1]]}
        self._to_reach.setdefault(low, []).append(self._ladder.pitches[0])
        for bars in passages:
            numbers = [bar.onset // BAR for bar in bars]
            tones += self._passage(
                bars,
                [harmony.bars[number] for number in numbers],
                [rhythms[number] for number in numbers],
                harmony.goal if bars is passages[-1] else None,
            )
        if not form.bars:
            tones = [Tone(form.goal, harmony.goal.length, self._ladder.middle_tonic)]
        return tones

    def _passage(
        self,
        bars: Sequence[Bar],
        spans: Sequence[Sequence[Span]],
        rhythms: Sequence[Sequence[int]],
        goal: Span | None,
    ) -> list[Tone]:
        moments = self._onsets(bars, spans, rhythms, goal)
        self._moments = moments
        if bars[0].is_first:
            self._contour = self._dice.weighted(_CONTOURS, _CONTOUR_WEIGHTS)
            wanted = self._to_reach.get(bars[0].phrase)
            if wanted:
                climbs = wanted[0] == self._ladder.pitches[-1]
                self._contour = _CLIMBING if climbs else _SINKING
        options: list[dict[int, int]] = []
        place = 0
        for bar, rhythm in zip(bars, rhythms, strict=True):
            own = moments[place : place + len(rhythm)]
            known = self._known(bar, own)
            for number, moment in enumerate(own):
                if number in known:
                    options.append({known[number]: 1})
                else:
                    into = bar.place * BAR + moment.onset - bar.onset
                    options.append(self._options(moment, WHOLE * into // (BAR * bar.phrase_bars)))
            place += len(rhythm)
        if goal is not None:
            options.append(self._landing())
        elif bars[-1].is_last and len(options[-1]) > 1:
            self._end(options, rhythms[-1], bars[-1].cadence)
        self._reach(bars[0].phrase, options, moments)
        pitches = walk(options, self._transitions, self._last, self._dice.place, self._adjusted)
        self._last = pitches[-1]
        sung = iter(pitches)
        self._bars += [[next(sung) for _ in rhythm] for rhythm in rhythms]
        return [
            Tone(moment.onset, moment.length, pitch)
            for moment, pitch in zip(moments, pitches, strict=True)
        ]

    @staticmethod
    def _onsets(
        bars: Sequence[Bar],
        spans: Sequence[Sequence[Span]],
        rhythms: Sequence[Sequence[int]],
        goal: Span | None,
    ) -> list[_Moment]:
        places = [
            (bar.onset + onset, chords)
            for bar, chords, rhythm in zip(bars, spans, rhythms, strict=True)
            for onset in rhythm
        ]
        last = bars[-1]
        end = last.onset + last.length
        nexts = [onset for onset, _ in places[1:]] + [end]
        moments = []
        for (onset, chords), following in zip(places, nexts, strict=True):
            span = next(chord for chord in chords if onset < chord.end)
            length = following - onset
            if goal is None and following == end and length > _STRONG_TICKS and last.is_last:
                # A phrase's long last note leaves a beat to breathe.
                length -= TICKS_PER_BEAT
            strong = onset % _STRONG_TICKS == 0 or length > _STRONG_TICKS
            moments.append(_Moment(onset, length, span, strong))
        if goal is not None:
            moments.append(_Moment(goal.onset, goal.length, goal, strong=True))
        return moments

    def _known(self, bar: Bar, moments: Sequence[_Moment]) -> dict[int, int]:
        """The notes of a bar that stand fixed, by their place."""
        if bar.origin is None or bar.treatment in {Treatment.NEW, Treatment.RHYTHM}:
            return {}
        known = self._bars[bar.origin] if bar.origin < len(self._bars) else None
        if known is None or bar.length != BAR:
            return {}
        if bar.treatment is Treatment.LITERAL:
            return dict(enumerate(known))
        if bar.treatment is Treatment.SEQUENCE:
            return dict(enumerate(self._moved(known, moments)))
        until = self._dice.choice(_KEPT_UNTIL)
        first = self._dice.chance(WHOLE * 2 // 3)
        return {
            place: pitch
            for place, (pitch, moment) in enumerate(zip(known, moments, strict=True))
            if (moment.onset - bar.onset < until) is first
        }

    def _moved(self, known: Sequence[int], moments: Sequence[_Moment]) -> list[int]:
        """The idea so many steps up or down that it suits the chords best."""
        ladder = self._ladder
        ways = [moved for by in _SEQUENCES if (moved := ladder.moved(known, by)) is not None]
        if not ways:
            return list(known)
        weights = []
        for way in ways:
            held = sum(
                pitch % OCTAVE in moment.span.chord.triad and moment.strong
                for pitch, moment in zip(way, moments, strict=True)
            )
            weights.append(1 + 8 * held * held)
        return self._dice.weighted(ways, weights)

    def _options(self, moment: _Moment, way: int) -> dict[int, int]:
        """How well each pitch suits this moment, whatever is around it."""
        chord, ladder = moment.span.chord, self._ladder
        target = ladder.height(along(self._contour, way))
        width = ladder.width * self._character.contour // 12 + 1
        half = width * width
        bound = moment.strong and self._dice.chance(self._bound)
        percent = _BOUND_PERCENT if bound else _LIKED_PERCENT[moment.onset % TICKS_PER_BEAT == 0]
        found = {}
        profile, sounding = TONAL_PROFILE, frozenset((chord.root, *moment.span.voices))
        for pitch in ladder.inner:
            tone = pitch % OCTAVE
            if tone not in chord.tones:
                continue
            weight = 1024 * half // (half + (pitch - target) ** 2)
            weight = weight * profile[(pitch - ladder.tonic) % OCTAVE] // 100
            if tone in chord.triad:
                weight = weight * percent // 100
            elif (tone + 1) % OCTAVE in sounding or (tone - 1) % OCTAVE in sounding:
                weight //= _RUBBING_DIVISOR
            elif tone not in self._home:
                weight = weight * self._foreign_percent // 100
            found[pitch] = weight + 1
        # A narrow span may leave nothing between its ends.
        return found or {p: 1 for p in ladder.pitches if p % OCTAVE in chord.tones}

    def _end(self, options: list[dict[int, int]], rhythm: Sequence[int], cadence: Cadence) -> None:
        """Have the phrase end on one of the tones that close it."""
        ending = len(options) - 1
        if len(rhythm) > 1 and rhythm[-1] >= 3 * TICKS_PER_BEAT and self._character.upbeat:
            ending -= self._character.upbeat
        finals = _FINALS[cadence]
        options[ending] = {
            pitch: weight * finals[degree]
            if (degree := (pitch - self._ladder.tonic) % OCTAVE) in finals
            else max(1, weight // _OTHER_FINAL_DIVISOR)
            for pitch, weight in options[ending].items()
        }

    def _landing(self) -> dict[int, int]:
        """The tonics: where the piece comes to rest."""
        tonic = self._ladder.tonic % OCTAVE
        return {pitch: 1 for pitch in self._ladder.pitches if pitch % OCTAVE == tonic}

    def _reach(
        self, phrase: int, options: list[dict[int, int]], moments: Sequence[_Moment]
    ) -> None:
        """Have the melody touch its highest pitch, and its lowest: elsewhere they are spared."""
        wanted = self._to_reach.get(phrase, [])
        free = [place for place, weights in enumerate(options[:-1]) if len(weights) > 1]
        for pitch in list(wanted):
            tone = pitch % OCTAVE
            places = [
                place
                for place in free
                if tone in moments[place].span.chord.triad and moments[place].strong
            ]
            places = places or [p for p in free if tone in moments[p].span.chord.tones] or free
            if not places:
                return
            place = places[len(places) // 2]
            options[place] = {pitch: 1}
            wanted.remove(pitch)
            free = [other for other in free if abs(other - place) > len(free) // 4]

    def _adjusted(
        self, values: list[int], places: Sequence[int], went: Sequence[int], number: int
    ) -> list[int]:
        """The weights with regard to the last movement: leaps turn back, lines go on."""
        before = went[-2:]
        if len(before) < 2:
            return values
        first, last = before
        leap, foreign = last - first, last % OCTAVE not in self._moments[number - 1].span.chord.triad
        inertia = self._character.inertia
        adjusted = []
        for value, pitch in zip(values, places, strict=True):
            move = pitch - last
            if abs(leap) >= _LEAP_SEMITONES and move:
                back, on = _RECOVERY[:2], _RECOVERY[2]
                if move * leap > 0:
                    value = value * on // 100
                else:
                    value = value * back[abs(move) > _STEP_SEMITONES] // 100
            elif move * leap > 0 and abs(move) <= _STEP_SEMITONES:
                value = value * inertia // 100
            if foreign and abs(move) > _STEP_SEMITONES:
                value //= _LEAPT_DIVISOR
            adjusted.append(value)
        return adjusted


def along(contour: tuple[int, int, int], way: int) -> int:
    """Where a contour is, so far through the phrase, in percent of the span."""
    begin, middle, end = contour
    half = 2 * way
    if half < WHOLE:
        return begin + (middle - begin) * half // WHOLE
    return middle + (end - middle) * (half - WHOLE) // WHOLE
