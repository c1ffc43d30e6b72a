"""How well a pitch suits a moment of the melody: by its chord, its height and the movement to it.

The rules are known from large collections: steps are far commoner than leaps, a step back follows
a leap, phrases arch (David Huron, *Sweet Anticipation*, 2006, chapter 5; Eugene Narmour's
implication and realization).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import Cadence, Field
from harmonic_music.composing.harmony import Span
from harmonic_music.composing.ladder import Ladder
from harmonic_music.composing.moments import Moment
from harmonic_music.composing.shape import Shape
from harmonic_music.theory.chords import Chord
from harmonic_music.theory.intervals import OCTAVE, TONAL_PROFILE

#: The scale of weights, so that their quotients as whole numbers stay distinct.
_RESOLUTION = 1024
#: The share of strong onsets that must be chord tones, and what consonance adds to it.
_BOUND, _BOUND_BY_CONSONANCE = 40, 700
#: The factor of a chord tone where it is required; else between the beats, on them, and on strong
#: ones, where a foreign tone is intended.
_BOUND_PERCENT, _LIKED_PERCENT = 2000, (110, 1000, 300)
#: The divisors on a beat for a tone with no, one, or more dissonances against the lower voices.
_RUBBING = frozenset({1, 2, 6, 10, 11})
_RUBBING_DIVISORS = (1, 4, 12, 20, 20)
#: The weight of a tone foreign to the scale that the chord has, in percent; with full harmony no
#: chord has one.
_FOREIGN_PERCENT = 60
#: A tone foreign to the chord is left by step: the divisor of other movements.
_LEAPT_DIVISOR = 6
_STEP_SEMITONES, _LEAP_SEMITONES = 2, 5
#: After a leap: a step back, another way back, and on in the same direction, in percent.
_STEP_BACK, _LEAP_BACK, _ON = 330, 220, 30
#: After a repeated tone, for a further repetition, in percent.
_AGAIN = 20
#: The distance from the contour at half the weight, in twelfths of the span, by character.
_SPAN_PARTS = 12
#: Semitones of a phrase's last note above the tonic, by cadence.
_FINALS = {
    Cadence.CLOSED: {0: 16, 4: 2, 3: 2, 7: 2},
    Cadence.HALF: {7: 14, 2: 6, 11: 3, 10: 3},
    Cadence.DECEPTIVE: {0: 8, 4: 2, 3: 2, 7: 3},
    Cadence.OPEN: {7: 6, 0: 4, 2: 3, 9: 2, 5: 2, 4: 3, 3: 3},
}
_OTHER_FINAL_DIVISOR = 12
#: The factor, for the last note, of the tonic that the melody circles against one an octave away,
#: and of an approach by step.
_HOME_WEIGHT, _APPROACH = 5, 6
#: The divisor of a pitch with which melody and bass would move in parallel fifths or octaves.
_PARALLEL_DIVISOR = 40
_PARALLEL = frozenset({0, 7})
#: The factor of the tonic as a piece's first note, and of the fifth as an upbeat.
_PREFERENCE, _FIFTH = 3, 7

#: Pitches and their weights.
Options = Mapping[int, int]


class Singer:
    """Computes weights of pitches in one key of a piece."""

    def __init__(self, ladder: Ladder, key: Field, shape: Shape, character: Character) -> None:
        self._ladder = ladder
        steps = key.scale.home or key.scale.steps
        self._home = frozenset((key.tonic + step) % OCTAVE for step in steps)
        self._foreign_percent = max(3, _FOREIGN_PERCENT * shape.chromatic // WHOLE)
        self._bound = _BOUND + _BOUND_BY_CONSONANCE * shape.consonance // WHOLE + character.bound
        self._inertia, self._finality = character.inertia, character.finality
        width = ladder.width * character.contour // _SPAN_PARTS + 1
        missed = width * width
        self._by_distance = [
            _RESOLUTION * missed // (missed + by * by) for by in range(3 * OCTAVE + ladder.width)
        ]
        self._neighbours = {
            one for pair in pairwise(ladder.rungs) if ladder.tonic in pair for one in pair
        }
        self._suiting: dict[tuple[Chord, tuple[int, ...], int, bool], list[tuple[int, int]]] = {}

    def strive(self, breadth: int) -> None:
        """Prefer going on in one direction, more so in broader pieces."""
        self._inertia += self._inertia * breadth // (2 * WHOLE)

    def options(self, moment: Moment, height_percent: int, dice: Dice) -> Options:
        """The weight of each pitch at this moment, regardless of the notes around it."""
        bound = moment.strong and dice.chance(self._bound)
        if moment.move.binds:
            return self._along(moment)
        liked = _BOUND_PERCENT if bound else _LIKED_PERCENT[moment.on_beat + moment.strong]
        span = moment.span
        kind = (span.chord, span.voices, liked, moment.on_beat)
        suiting = self._suiting.get(kind)
        if suiting is None:
            suiting = self._suiting[kind] = self._suit(span, liked, on_beat=moment.on_beat)
        target, by = self._ladder.height(height_percent), self._by_distance
        return {pitch: by[abs(pitch - target)] * weight // 10_000 + 1 for pitch, weight in suiting}

    def _along(self, moment: Moment) -> Options:
        """All pitches that a gesture may use: its moves decide among them."""
        chord, pitches = moment.span.chord, self._ladder.inner
        tones = chord.triad if moment.move.breaks_chord else chord.tones
        return dict.fromkeys([p for p in pitches if p % OCTAVE in tones] or pitches, 1)

    def _suit(self, span: Span, liked: int, *, on_beat: bool) -> list[tuple[int, int]]:
        """The weight of each pitch over a chord, wherever the melody is."""
        chord, ladder = span.chord, self._ladder
        below = (chord.root, *span.voices) if on_beat else ()
        found = []
        for pitch in ladder.inner:
            tone = pitch % OCTAVE
            if tone not in chord.tones:
                continue
            weight = 100 * TONAL_PROFILE[(pitch - ladder.tonic) % OCTAVE]
            if tone in chord.triad:
                weight = weight * liked // 100
            rubbing = sum((tone - other) % OCTAVE in _RUBBING for other in below)
            weight //= _RUBBING_DIVISORS[rubbing]
            if tone not in self._home and tone not in chord.triad:
                weight = weight * self._foreign_percent // 100
            found.append((pitch, weight))
        # In a narrow span, no pitch may lie between its ends.
        return (
            found
            or [(p, 1) for p in ladder.pitches if p % OCTAVE in chord.tones]
            or [(p, 1) for p in ladder.rungs]
        )

    def opening(self, options: Options) -> Options:
        """The options for a note that begins the piece: the tonic is preferred."""
        return self._preferring(0, options)

    def leading(self, options: Options) -> Options:
        """The options for a note that leads over into a phrase: the fifth is preferred."""
        return self._preferring(_FIFTH, options)

    def _preferring(self, degree: int, options: Options) -> Options:
        preferred = (self._ladder.tonic + degree) % OCTAVE
        return {
            pitch: weight * (_PREFERENCE if pitch % OCTAVE == preferred else 1)
            for pitch, weight in options.items()
        }

    def closing(self, options: Options, cadence: Cadence) -> Options:
        """The options for a note that ends a phrase."""
        finals, tonic = _FINALS[cadence], self._ladder.tonic
        if self._finality > WHOLE:
            # Nearly all weight is on the usual notes.
            finals = {degree: usual * usual for degree, usual in finals.items()}
        return {
            pitch: weight * finals[degree] * self._finality // WHOLE + 1
            if (degree := (pitch - tonic) % OCTAVE) in finals
            else max(1, weight // _OTHER_FINAL_DIVISOR)
            for pitch, weight in options.items()
        }

    def approaching(self, options: Options) -> Options:
        """The options for the last note but one: it is preferably next to the last."""
        return {
            pitch: weight * (_APPROACH if pitch in self._neighbours else 1)
            for pitch, weight in options.items()
        }

    def landing(self) -> Options:
        """The tonics, on which the piece ends."""
        ladder = self._ladder
        return {
            pitch: _HOME_WEIGHT if pitch == ladder.tonic else 1
            for pitch in ladder.pitches
            if (pitch - ladder.tonic) % OCTAVE == 0
        }

    def after(
        self,
        last: tuple[int, int],
        moments: tuple[Moment, Moment],
        together: tuple[int, int] | None,
        values: Sequence[int],
        pitches: Sequence[int],
    ) -> list[int]:
        """Weights after a movement to a moment: leaps turn back, lines go on.

        ``last`` are the two pitches before, ``moments`` the last one and the next; ``together`` are
        melody and bass if both were struck last.
        """
        before, now = last
        leap, at = now - before, moments[0]
        foreign = now % OCTAVE not in at.span.chord.triad
        bass, following = at.bass, moments[1].bass
        interval = (now - bass) % OCTAVE if bass != following else -1
        other = -1
        if together is not None and moments[1].struck and together[1] != following:
            other = (together[0] - together[1]) % OCTAVE
        found = []
        for value, pitch in zip(values, pitches, strict=True):
            move = pitch - now
            worth = value * self._turn(leap, move) // 100
            if foreign and abs(move) > _STEP_SEMITONES:
                worth //= _LEAPT_DIVISOR
            apart = (pitch - following) % OCTAVE
            if apart in _PARALLEL and move and apart in {interval, other}:
                worth //= _PARALLEL_DIVISOR
            found.append(worth)
        return found

    def _turn(self, before: int, move: int) -> int:
        """How much likelier a movement is after another, in percent."""
        if move == before == 0:
            return _AGAIN
        onward = move * before > 0
        if abs(before) >= _LEAP_SEMITONES and move:
            if onward:
                return _ON
            return _STEP_BACK if abs(move) <= _STEP_SEMITONES else _LEAP_BACK
        return self._inertia if onward and abs(move) <= _STEP_SEMITONES else 100
