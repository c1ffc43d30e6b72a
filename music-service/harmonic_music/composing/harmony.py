"""Chords for every bar of a phrase, leading to its cadence.

Consonance decides how often the usual degree is taken, and how rough a chord sounds. How many
chords a bar has is a trait of the piece. Below full harmony, dominants borrow their leading tone,
and chords are borrowed from the parallel key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harmonic_music.composing.character import Character
from harmonic_music.composing.colour import Colour
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import Bar, Cadence, Field, Phrase, Treatment
from harmonic_music.composing.lattice import walk
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import Style
from harmonic_music.theory.chords import (
    Chord,
    Voices,
    as_dominant,
    as_minor,
    blues_chord,
    chord_on,
    flattened,
)
from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.progressions import BLUES, BLUES_QUICK, movement, usualness
from harmonic_music.theory.scales import Function

#: The function of a phrase's last chord, by cadence; a deceptive one replaces it by another.
_GOALS = {
    Cadence.CLOSED: Function.TONIC,
    Cadence.HALF: Function.DOMINANT,
    Cadence.DECEPTIVE: Function.TONIC,
    Cadence.OPEN: Function.AWAY,
}
#: Factors for a dominant before a close, and for a subdominant before that.
_APPROACH = {Function.DOMINANT: 24, Function.AWAY: 3}
#: The share of pieces that begin on the tonic chord.
_FIRST_AT_HOME = 850
#: The share of bars with two chords of equal length; in the others, the second is one beat long.
_HALVED = 800
_DIATONIC = 7
_MAJOR_THIRD, _FOURTH, _FIFTH = 4, 5, 7
#: The roots of chords that lead to a dominant, in semitones above the tonic.
_PREPARING = frozenset({2, 5, 8, 9})


@dataclass(frozen=True, slots=True)
class Span:
    """A chord from ``onset`` on for ``length`` ticks.

    ``voices`` are the tones of the upper voices, ``bass`` that of the bass: the first of the
    chord's tones, or another one for a better line.
    """

    onset: int
    length: int
    chord: Chord
    voices: Voices
    bass: tuple[int, ...]

    @property
    def end(self) -> int:
        """The first tick after the chord."""
        return self.onset + self.length


@dataclass(frozen=True, slots=True)
class ChordSlot:
    """A chord's place in a bar and its degree; ``chromatic`` says that it may borrow tones."""

    offset: int
    length: int
    degree: int | None = None


#: The chords of a theme's bars.
Progression = tuple[tuple[ChordSlot, ...], ...]


class Harmonist:
    """Chooses the chords of one piece."""

    def __init__(self, style: Style, character: Character, colour: Colour) -> None:
        self._character, self._colour = character, colour
        low, high = style.moving
        self._moving = low + (high - low) * character.moving // WHOLE
        self._pulse = style.meter.pulse * TICKS_PER_BEAT // 12
        self._usual: dict[Field, tuple[list[int], list[list[int]]]] = {}

    def slots(
        self,
        phrase: Phrase,
        known: Progression,
        before: int | None,
        dice: Dice,
        *,
        melody: Sequence[Sequence[int]] = (),
    ) -> list[list[ChordSlot]]:
        """The chords of a phrase's bars by degree; ``known`` are those of its theme.

        ``melody`` are the degrees of the melody in its bars. If a melody returns over other
        chords, these are chosen to suit it.
        """
        rows: list[list[ChordSlot]] = []
        for bar in phrase.bars:
            rows.append(self._divided(phrase, bar, rows, known, dice))
        usual, moves = self._weights(phrase.key)
        moments: list[Mapping[int, int]] = []
        for bar, row in zip(phrase.bars, rows, strict=True):
            free: Mapping[int, int] = dict(enumerate(usual))
            if bar.treatment is Treatment.REHARMONISED and bar.source is not None:
                free = _under(melody[bar.source : bar.source + 1], usual, phrase.key)
            moments += [free if slot.degree is None else {slot.degree: 1} for slot in row]
        self._bind(phrase, rows, moments, usual)
        if phrase.opens and len(moments) > 1 and dice.chance(_FIRST_AT_HOME):
            moments[0] = {0: 1}
        degrees = iter(walk(moments, [moves] * len(moments), before, dice.place))
        return [[replace(slot, degree=next(degrees)) for slot in row] for row in rows]

    def _weights(self, key: Field) -> tuple[list[int], list[list[int]]]:
        if key not in self._usual:
            scale = key.scale
            degrees = range(len(scale.steps))
            self._usual[key] = (
                [self._colour.flattened(usualness(scale, degree)) for degree in degrees],
                [[movement(scale, one, other) for other in degrees] for one in degrees],
            )
        return self._usual[key]

    def _divided(
        self,
        phrase: Phrase,
        bar: Bar,
        rows: Sequence[Sequence[ChordSlot]],
        known: Progression,
        dice: Dice,
    ) -> list[ChordSlot]:
        moving, halved = dice.chance(self._moving), dice.chance(_HALVED)
        if bar.source is not None and bar.keeps_chords:
            source = rows if bar.own else known
            if bar.source < len(source):
                return list(source[bar.source])
        if phrase.pivots and phrase.is_last(bar) and len(phrase.bars) == 1:
            first = (bar.length // 2 + self._pulse - 1) // self._pulse * self._pulse
            return [ChordSlot(0, first), ChordSlot(first, bar.length - first)]
        if bar.length < 2 * self._pulse or (bar.length < 4 * self._pulse and not moving):
            return [ChordSlot(0, bar.length)]
        if not moving or (phrase.is_last(bar) and not phrase.elided):
            return [ChordSlot(0, bar.length)]
        first = bar.length - self._pulse
        if halved and bar.length % (2 * self._pulse) == 0:
            first = bar.length // 2
        return [ChordSlot(0, first), ChordSlot(first, bar.length - first)]

    def _bind(
        self,
        phrase: Phrase,
        rows: Sequence[Sequence[ChordSlot]],
        moments: list[Mapping[int, int]],
        usual: Sequence[int],
    ) -> None:
        """Constrain the end of the phrase to its cadence."""
        scale = phrase.key.scale
        if phrase.closing:
            # The piece's last chord follows: these lead to it.
            moments[-1] = self._approach(phrase, usual)
            return
        if phrase.pivots and phrase.leads_to and len(moments) > 1 and len(moments[-2]) > 1:
            moments[-2] = _pivots(phrase.key, phrase.leads_to, usual)
        if rows[-1][-1].degree is not None:
            return
        goal = scale.carrying(_GOALS[phrase.cadence])
        stable = [
            degree
            for degree in goal
            if degree == 0 or chord_on(scale, degree, phrase.key.tonic).is_stable
        ] or list(goal)
        if phrase.cadence is Cadence.DECEPTIVE:
            moments[-1] = dict.fromkeys([d for d in stable if d != goal[0]] or stable, 1)
        elif phrase.cadence is Cadence.OPEN:
            moments[-1] = {degree: usual[degree] for degree in stable}
        else:
            moments[-1] = {stable[0]: 1}
        closes = phrase.cadence in {Cadence.CLOSED, Cadence.DECEPTIVE}
        if closes and len(moments) > 1 and len(moments[-2]) > 1:
            before = dict(moments[-2])
            for function, factor in _APPROACH.items():
                for degree in scale.carrying(function):
                    before[degree] *= factor
            moments[-2] = before

    def _approach(self, phrase: Phrase, usual: Sequence[int]) -> dict[int, int]:
        """The dominants that lead to the last chord: on the fifth, if its third may lead."""
        key = phrase.key
        found = {
            degree: usual[degree]
            for degree in key.scale.carrying(Function.DOMINANT)
            if chord_on(key.scale, degree, key.tonic).is_stable
        }
        on_fifth = {d: w for d, w in found.items() if key.scale.steps[d] == _FIFTH}
        if on_fifth and self._colour.leads:
            return on_fifth
        return found or dict.fromkeys(key.scale.carrying(Function.DOMINANT), 1)

    def spans(
        self, phrase: Phrase, rows: Sequence[Sequence[ChordSlot]], dice: Dice
    ) -> list[list[Span]]:
        """The chords themselves."""
        colour = self._colour
        colour.begin(dice)
        flat = [(bar, slot) for bar, row in zip(phrase.bars, rows, strict=True) for slot in row]
        found: dict[int, list[Span]] = {bar.place: [] for bar in phrase.bars}
        for number, (bar, slot) in enumerate(flat):
            is_final = number == len(flat) - 1
            following = 0 if is_final else flat[number + 1][1].degree or 0
            settled = phrase.is_last(bar) and bar.onset + slot.offset + slot.length == phrase.end
            if is_final and phrase.leads_to is not None:
                chord = self._leading_over(phrase.leads_to)
            else:
                known = following if not is_final or phrase.closing else None
                chord = self._chord(phrase.key, slot.degree or 0, known, settled=settled)
                if is_final and phrase.closing:
                    chord = self._closing(phrase.key, chord)
            voices = chord.upper_voices(colour.roughness(settled=settled))
            bound = settled or (is_final and phrase.closing) or (phrase.opens and number == 0)
            inverted = dice.chance(self._character.inverted)
            low = (chord.root,) if bound or not inverted else (chord.third, chord.root)
            found[bar.place].append(Span(bar.onset + slot.offset, slot.length, chord, voices, low))
        return list(found.values())

    def _chord(self, key: Field, degree: int, following: int | None, *, settled: bool) -> Chord:
        scale, colour = key.scale, self._colour
        chord = chord_on(scale, degree, key.tonic)
        if len(scale.steps) != _DIATONIC or degree == 0:
            return chord
        if following is not None:
            onward = chord_on(scale, following, key.tonic)
            if (onward.root - chord.root) % OCTAVE == _FOURTH:
                return as_dominant(chord) if colour.borrows(to_home=following == 0) else chord
        is_subdominant = (chord.root - key.tonic) % OCTAVE == _FOURTH
        is_major = (chord.third - chord.root) % OCTAVE == _MAJOR_THIRD
        if not settled and colour.mixes():
            if is_subdominant and is_major:
                return as_minor(chord)
            if not is_major and (chord.root - key.tonic) % OCTAVE in {9, 11}:
                return flattened(chord)
        return chord

    def _closing(self, key: Field, chord: Chord) -> Chord:
        """The last chord but one; its third leads to the tonic if possible."""
        leads = self._colour.leads and (key.tonic - chord.root) % OCTAVE == _FOURTH
        return as_dominant(chord) if leads and len(key.scale.steps) == _DIATONIC else chord

    @staticmethod
    def _leading_over(key: Field) -> Chord:
        """The dominant of the next phrase's key."""
        scale = key.scale
        degree = scale.carrying(Function.DOMINANT)[0]
        chord = chord_on(scale, degree, key.tonic)
        if (key.tonic - chord.root) % OCTAVE == _FOURTH and len(scale.steps) == _DIATONIC:
            return as_dominant(chord)
        return chord

    def blues(self, phrase: Phrase, number_in_chorus: int, dice: Dice) -> list[list[Span]]:
        """The chords of a phrase of the blues: a third of its twelve bars."""
        self._colour.begin(dice)
        key = phrase.key
        tones = frozenset((key.tonic + step) % OCTAVE for step in key.scale.steps)
        scheme = BLUES_QUICK if self._character.moving > WHOLE // 2 else BLUES
        third = scheme[number_in_chorus % len(scheme)]
        found = []
        for bar in phrase.bars:
            place = bar.place
            if phrase.whole not in {4, 5}:
                place = bar.place * 4 // phrase.whole
            up = third[min(place, len(third) - 1)]
            if phrase.closing and bar is phrase.bars[-1]:
                # The turnaround before the last chord: nothing but the dominant leads to that.
                up = third[min(place, len(third) - 1)] or _FIFTH
            chord = blues_chord((key.tonic + up) % OCTAVE, tones)
            way = min(self._colour.roughness(settled=False), len(chord.coloured) - 1)
            found.append([Span(bar.onset, bar.length, chord, chord.coloured[way], (chord.root,))])
        return found


def _under(melody: Sequence[Sequence[int]], usual: Sequence[int], key: Field) -> Mapping[int, int]:
    """The weight of each chord under a bar's melody: the more tones they share, the higher."""
    steps = key.scale.steps
    sung = [(key.tonic + steps[degree % len(steps)]) % OCTAVE for bar in melody for degree in bar]
    return {
        degree: 1
        + weight * sum(tone in chord_on(key.scale, degree, key.tonic).triad for tone in sung) ** 2
        for degree, weight in enumerate(usual)
    }


def _pivots(key: Field, onward: Field, usual: Sequence[int]) -> dict[int, int]:
    """The weight of each chord before another key's dominant: most for one that both keys have."""
    tones = {(onward.tonic + step) % OCTAVE for step in onward.scale.steps}
    found = {}
    for degree, weight in enumerate(usual):
        chord = chord_on(key.scale, degree, key.tonic)
        common = sum(tone in tones for tone in chord.triad)
        prepares = (chord.root - onward.tonic) % OCTAVE in _PREPARING
        found[degree] = 1 + weight * common**4 * (4 if prepares else 1)
    return found


def last_span(key: Field, goal: int, end: int) -> Span:
    """The piece's last chord."""
    if key.scale.is_blues:
        tones = frozenset((key.tonic + step) % OCTAVE for step in key.scale.steps)
        chord = blues_chord(key.tonic, tones)
        return Span(goal, end - goal, chord, chord.coloured[0], (chord.root,))
    chord = chord_on(key.scale, 0, key.tonic)
    return Span(goal, end - goal, chord, chord.resting, (chord.root,))
