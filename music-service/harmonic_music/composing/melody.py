"""The melody: for every onset the pitch that suits contour, chord and the note before.

What suits is known from large collections: steps are far commoner than leaps, a leap is followed
by a step back, phrases arch (David Huron, *Sweet Anticipation*, 2006, chapter 5; Eugene Narmour's
implication and realization). Of the pitches in reach, one is drawn by the product of these weights.
"""

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import PULSES_PER_BAR, Bar, Cadence, Form
from harmonic_music.composing.harmony import Harmony, Span
from harmonic_music.composing.part import Tone
from harmonic_music.theory.intervals import consonance
from harmonic_music.theory.keys import OCTAVE
from harmonic_music.theory.scales import ScaleShape

#: The tonic that the melody circles is the first from this pitch on, D above middle C.
LOWEST_TONIC = 62
#: So much of the span lies below that tonic.
_BELOW_PERCENT = 30
#: How often a melody moves by so many semitones, 0 to 12; further is as rare as the last.
_BY_INTERVAL = (8, 24, 30, 16, 14, 9, 2, 8, 2, 2, 1, 1, 2)
#: Contours from the phrase's beginning over its middle to its end, in percent of the span.
_CONTOURS = ((30, 100, 25), (100, 55, 0), (0, 50, 100), (70, 0, 45))
_CONTOUR_WEIGHTS = (6, 3, 2, 2)
#: A pitch so many semitones from the contour has half the weight.
_CONTOUR_HALF_SEMITONES = 3
#: Weights are whole numbers; this keeps their quotients apart.
_RESOLUTION = 1024
_LEAP_SEMITONES = 5
_STEP_SEMITONES = 2
#: Strong onsets are on a chord tone in this share of cases, and by this more with consonance.
_CHORD_TONE_SHARE = 0.1
_CHORD_TONE_BY_CONSONANCE = 0.9
#: When an idea comes back, this share of its weak notes is changed.
_VARIED_SHARE = 0.15


class Ladder:
    """The pitches that a melody may take: a scale's, around a tonic, within a span."""

    def __init__(self, scale: ScaleShape, tonic: int, span_semitones: int) -> None:
        self.tonic = LOWEST_TONIC + (tonic - LOWEST_TONIC) % OCTAVE
        low = self.tonic - span_semitones * _BELOW_PERCENT // 100
        tones = frozenset((tonic + step) % OCTAVE for step in scale.steps)
        reach = range(low, low + span_semitones + 1)
        self.pitches = [pitch for pitch in reach if pitch % OCTAVE in tones]

    def height(self, percent: int) -> int:
        """The pitch so far up, whether it is in the scale or not."""
        low, high = self.pitches[0], self.pitches[-1]
        return low + (high - low) * percent // 100


class Melodist:
    """Writes a melody note by note; remembers its ideas and where it is."""

    def __init__(self, ladder: Ladder, consonance: float, dice: Dice) -> None:
        self._ladder = ladder
        self._chord_tone_share = _CHORD_TONE_SHARE + _CHORD_TONE_BY_CONSONANCE * consonance
        self._dice = dice
        self._ideas: dict[tuple[str, int, int], list[int]] = {}
        self._contour = _CONTOURS[0]
        self._last = self._before = ladder.tonic

    def write(self, form: Form, harmony: Harmony, rhythms: list[list[int]]) -> list[Tone]:
        """The whole melody, the last note of it the tonic over the last chord."""
        tones: list[Tone] = []
        for bar, spans, rhythm in zip(form.bars, harmony.bars, rhythms, strict=True):
            pitches = self._bar(bar, spans, rhythm, form.pulse)
            self._ideas.setdefault(bar.idea, pitches)
            # A phrase's last note leaves a pulse to breathe.
            breathes = bar.is_last and bar.length == PULSES_PER_BAR * form.pulse
            end = bar.length - form.pulse if breathes else bar.length
            nexts = [*rhythm, end][1:]
            tones.extend(
                Tone(bar.onset + onset, following - onset, pitch)
                for onset, following, pitch in zip(rhythm, nexts, pitches, strict=True)
            )
        goal = harmony.goal
        return [*tones, Tone(goal.onset, goal.length, self._land())]

    def _bar(self, bar: Bar, spans: list[Span], rhythm: list[int], pulse: int) -> list[int]:
        if bar.is_first:
            self._contour = self._dice.weighted(_CONTOURS, _CONTOUR_WEIGHTS)
        known = self._ideas.get(bar.idea)
        pitches = []
        for number, onset in enumerate(rhythm):
            strong = onset % (2 * pulse) == 0
            if known and (strong or not self._dice.chance(_VARIED_SHARE)):
                pitches.append(self._follow(known[number]))
            elif bar.is_last and bar.cadence is Cadence.CLOSED and onset == rhythm[-1]:
                pitches.append(self._land())
            else:
                span = next(span for span in spans if bar.onset + onset < span.end)
                way = (bar.place + onset / bar.length) / bar.phrase_bars
                pitches.append(self._sing(span, self._target(way), strong=strong))
        return pitches

    def _target(self, way: float) -> int:
        """Where the contour is, so far through the phrase."""
        begin, middle, end = self._contour
        half = 2 * way
        percent = (
            begin + (middle - begin) * half if half < 1 else middle + (end - middle) * (half - 1)
        )
        return self._ladder.height(int(percent))

    def _sing(self, span: Span, target: int, *, strong: bool) -> int:
        """The next pitch, drawn by how well each suits."""
        tones = frozenset((span.chord.root, *span.voices))
        bound = self._dice.chance(self._chord_tone_share)
        options = self._ladder.pitches
        if strong and bound:
            options = [pitch for pitch in options if pitch % OCTAVE in tones] or options
        elif strong:
            options = [pitch for pitch in options if _rubs(pitch, tones)] or options
        weights = [self._weight(pitch, target, tones) for pitch in options]
        return self._follow(self._dice.weighted(options, weights))

    def _land(self) -> int:
        """The nearest tonic: where a phrase comes to rest."""
        tonic = self._ladder.tonic % OCTAVE
        places = [pitch for pitch in self._ladder.pitches if pitch % OCTAVE == tonic]
        return self._follow(min(places, key=lambda pitch: (abs(pitch - self._last), pitch)))

    def _follow(self, pitch: int) -> int:
        self._last, self._before = pitch, self._last
        return pitch

    def _weight(self, pitch: int, target: int, tones: frozenset[int]) -> int:
        move, leap = pitch - self._last, self._last - self._before
        distance = abs(move)
        weight = _RESOLUTION * _BY_INTERVAL[min(distance, len(_BY_INTERVAL) - 1)]
        half, off = _CONTOUR_HALF_SEMITONES**2, (pitch - target) ** 2
        weight = weight * half // (half + off)
        if abs(leap) >= _LEAP_SEMITONES:
            answered = move * leap < 0 and distance <= _STEP_SEMITONES
            weight = weight * 4 if answered else weight // 2
        if move == leap == 0:
            weight //= 4
        if pitch % OCTAVE not in tones and distance > _STEP_SEMITONES:
            weight //= 6
        return weight + 1


def _rubs(pitch: int, tones: frozenset[int]) -> bool:
    """Whether a pitch is foreign to a chord, and goes badly with it."""
    return pitch % OCTAVE not in tones and sum(consonance(pitch, tone) for tone in tones) < 0
