"""Chords for every bar, phrase by phrase on the way to its cadence.

Consonance decides how often the usual degree is taken, and how rough a chord sounds; how many
chords a bar has is the piece's own. Below full harmony, dominants may borrow their leading tone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import BAR, Bar, Cadence, Form
from harmonic_music.composing.lattice import walk
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.chords import MAX_ROUGHNESS, Chord, Voices, as_dominant, chord_on
from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.progressions import movement, usualness
from harmonic_music.theory.scales import Function, ScaleShape

#: What the last chord of a phrase does, by its cadence; a deceptive one has another in its place.
_GOALS = {
    Cadence.CLOSED: Function.TONIC,
    Cadence.HALF: Function.DOMINANT,
    Cadence.DECEPTIVE: Function.TONIC,
    Cadence.OPEN: Function.AWAY,
}
#: How much likelier a dominant is before a close than its usualness says, and another subdominant.
_APPROACH = {Function.DOMINANT: 24, Function.AWAY: 3}
#: The share of chords that begin a piece at home.
_FIRST_AT_HOME = 850
#: Of two chords, those that divide the bar in halves; the others come with the fourth beat.
_HALVED = 850
#: Without any consonance, so much of what is usual gives way to one weight for all.
_WANDERING, _ONE_FOR_ALL = 700, 8
#: By so much of the way from full harmony a dominant in minor, and one within, borrows its third.
_LEADING_PERCENT, _APPLIED_PERCENT = 250, 45
#: How rough a chord is grows with the square of what consonance lacks, and faster further on.
_ROUGHNESS_RANGE, _ROUGHNESS_START = 4, 400
_DIATONIC = 7
_FOURTH = 5


@dataclass(frozen=True, slots=True)
class Span:
    """A chord from ``onset`` on for ``length`` ticks.

    ``voices`` are what the upper voices sound of it, ``bass`` what the bass does.
    """

    onset: int
    length: int
    chord: Chord
    voices: Voices
    bass: int

    @property
    def end(self) -> int:
        """The first tick after the chord."""
        return self.onset + self.length


@dataclass(frozen=True, slots=True)
class _Slot:
    offset: int
    length: int
    degree: int | None = None


class Harmony:
    """The chords of a piece: the spans of each bar, and the last chord."""

    def __init__(
        self,
        form: Form,
        key: tuple[ScaleShape, int],
        character: Character,
        dice: Dice,
        colour: "Colour",
    ) -> None:
        scale, tonic = self._scale, self._tonic = key
        self._character, self._dice, self._colour = character, dice, colour
        self._usual = [
            colour.flattened(usualness(scale, degree)) for degree in range(len(scale.steps))
        ]
        self._moves = [
            [movement(scale, one, other) for other in range(len(scale.steps))]
            for one in range(len(scale.steps))
        ]
        self._slots: list[list[_Slot]] = []
        home = chord_on(scale, 0, tonic)
        self.goal = Span(form.goal, form.end - form.goal, home, home.triad, home.root)
        passages = form.passages()
        for bars in passages:
            self._plan(bars, ends=bars is passages[-1])
        self.bars: list[list[Span]] = []
        for bar, slots in zip(form.bars, self._slots, strict=True):
            if bar.origin is not None and bar.keeps_chords and bar.length == BAR:
                self.bars.append(self._again(bar, slots, form.bars[bar.origin]))
            else:
                self.bars.append(self._spans(bar, slots))

    def _plan(self, bars: Sequence[Bar], *, ends: bool) -> None:
        """The slots of a phrase's bars, each with its degree."""
        rows = [self._divided(bar) for bar in bars]
        flat = [slot for row in rows for slot in row]
        moments = [self._options(slot) for slot in flat]
        self._bind(bars[-1], rows, moments, ends=ends)
        if bars[0].onset == 0 and len(moments) > 1 and self._dice.chance(_FIRST_AT_HOME):
            moments[0] = {0: 1}
        before = self._slots[-1][-1].degree if self._slots else None
        degrees = iter(walk(moments, self._moves, before, self._dice.place))
        self._slots += [[replace(slot, degree=next(degrees)) for slot in row] for row in rows]

    def _divided(self, bar: Bar) -> list[_Slot]:
        if bar.origin is not None and bar.keeps_chords:
            return self._slots[bar.origin]
        moving = self._dice.chance(self._character.moving)
        halved = self._dice.chance(_HALVED)
        if bar.length < BAR:
            if bar.length < 2 * TICKS_PER_BEAT:
                return [_Slot(0, bar.length)]
            first = bar.length // 2 // TICKS_PER_BEAT * TICKS_PER_BEAT
        elif not moving or bar.is_last:
            return [_Slot(0, bar.length)]
        else:
            first = BAR // 2 if halved else BAR - TICKS_PER_BEAT
        return [_Slot(0, first), _Slot(first, bar.length - first)]

    def _options(self, slot: _Slot) -> Mapping[int, int]:
        if slot.degree is not None:
            return {slot.degree: 1}
        return dict(enumerate(self._usual))

    def _bind(
        self,
        last: Bar,
        rows: Sequence[Sequence[_Slot]],
        moments: list[Mapping[int, int]],
        *,
        ends: bool,
    ) -> None:
        """Have the phrase's end close as it should."""
        if rows[-1][-1].degree is not None or not (last.is_last or ends):
            return
        carriers = self._scale.carrying
        if ends:
            # The piece's last chord follows: what leads to it.
            moments[-1] = {
                degree: weight * factor
                for function, factor in _APPROACH.items()
                for degree, weight in self._weights(carriers(function)).items()
            }
            return
        goal = carriers(_GOALS[last.cadence])
        if last.cadence is Cadence.DECEPTIVE:
            moments[-1] = dict.fromkeys(goal[1:], 1)
        elif last.cadence is Cadence.OPEN:
            moments[-1] = self._weights(goal)
        else:
            moments[-1] = {goal[0]: 1}
        closes = last.cadence in {Cadence.CLOSED, Cadence.DECEPTIVE}
        if closes and len(moments) > 1 and len(moments[-2]) > 1:
            before = dict(moments[-2])
            for function, factor in _APPROACH.items():
                for degree in carriers(function):
                    before[degree] *= factor
            moments[-2] = before

    def _weights(self, degrees: Sequence[int]) -> dict[int, int]:
        return {degree: self._usual[degree] for degree in degrees}

    def _again(self, bar: Bar, slots: Sequence[_Slot], origin: Bar) -> list[Span]:
        known = self.bars[origin.onset // BAR]
        return [
            replace(span, onset=bar.onset + slot.offset)
            for span, slot in zip(known, slots, strict=True)
        ]

    def _spans(self, bar: Bar, slots: Sequence[_Slot]) -> list[Span]:
        number = bar.onset // BAR
        later = self._slots[number + 1][0] if number + 1 < len(self._slots) else _Slot(0, 0, 0)
        spans = []
        for slot, following in zip(slots, [*slots[1:], later], strict=True):
            chord = self._chord(slot.degree or 0, following.degree or 0)
            settled = bar.is_last and slot is slots[-1]
            inverted = self._dice.chance(self._character.inverted)
            low = chord.third if inverted and not settled and number else chord.root
            voices = chord.upper_voices(self._colour.roughness(settled=settled))
            spans.append(Span(bar.onset + slot.offset, slot.length, chord, voices, low))
        return spans

    def _chord(self, degree: int, following: int) -> Chord:
        chord = chord_on(self._scale, degree, self._tonic)
        onward = chord_on(self._scale, following, self._tonic)
        leads = (onward.root - chord.root) % OCTAVE == _FOURTH
        borrows = self._colour.borrows(to_home=following == 0)
        usable = len(self._scale.steps) == _DIATONIC and degree != 0
        return as_dominant(chord) if leads and borrows and usable else chord


class Colour:
    """How plainly and how purely chords are chosen: what harmony and friction decide."""

    def __init__(self, consonance: int, chromatic: int, dice: Dice) -> None:
        self._consonance = consonance
        self._chromatic = chromatic
        self._dice = dice

    def flattened(self, weight: int) -> int:
        """A weight, the nearer to all others the less consonance there is."""
        wandering = _WANDERING * (WHOLE - self._consonance) // WHOLE
        return max(1, (weight * (WHOLE - wandering) + _ONE_FOR_ALL * wandering) // WHOLE)

    def roughness(self, *, settled: bool) -> int:
        """How rough the next chord sounds."""
        discord = WHOLE - self._consonance
        wanted = _ROUGHNESS_RANGE * discord * discord * (discord + _ROUGHNESS_START)
        wanted //= WHOLE * (WHOLE + _ROUGHNESS_START)
        wanted += self._dice.below(WHOLE)
        roughness = min(wanted // WHOLE, MAX_ROUGHNESS)
        return max(0, roughness - 1) if settled else roughness

    def borrows(self, *, to_home: bool) -> bool:
        """Whether a dominant takes the leading tone that the scale does not have."""
        percent = _LEADING_PERCENT if to_home else _APPLIED_PERCENT
        return self._dice.chance(self._chromatic * percent // 100)
