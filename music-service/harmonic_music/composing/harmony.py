"""Chords for every bar.

A phrase goes from rest away and over the dominant home, Riemann's cadence. Consonance decides how
often a function is carried by its usual degree, and how rough a chord sounds.
"""

from dataclasses import dataclass

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Bar, Cadence, Form
from harmonic_music.theory.chords import MAX_ROUGHNESS, Chord, Voices, chord_on
from harmonic_music.theory.scales import Function, ScaleShape

#: At full consonance every chord is pure; without any, most are as rough as they come.
_ROUGHNESS_RANGE = 4
#: A function's usual degree is taken in this share of cases, and by this more with consonance.
_USUAL_SHARE = 0.3
_USUAL_BY_CONSONANCE = 0.5
#: An inner bar has a second chord in this share of cases.
_MOVING_SHARE = 0.3
#: In this share of inner bars at most the harmony wanders to any degree at all.
_WANDERING_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Span:
    """A chord from ``onset`` on for ``length`` ticks, and what the upper voices sound of it."""

    onset: int
    length: int
    chord: Chord
    voices: Voices

    @property
    def end(self) -> int:
        """The first tick after the chord."""
        return self.onset + self.length


@dataclass(frozen=True, slots=True)
class _Slot:
    function: Function
    settled: bool = False


class Harmony:
    """The chords of a piece, bar by bar; bars with the same idea have the same."""

    def __init__(self, form: Form, scale: ScaleShape, tonic: int, level: float, dice: Dice) -> None:
        self._scale = scale
        self._tonic = tonic
        self._level = level
        self._dice = dice
        known: dict[tuple[str, int, int], list[tuple[Chord, Voices]]] = {}
        self.bars: list[list[Span]] = []
        for bar in form.bars:
            if bar.idea not in known:
                known[bar.idea] = [self._chord(slot) for slot in self._slots(bar, form.pulse)]
            chords = known[bar.idea]
            part = bar.length // len(chords)
            self.bars.append(
                [Span(bar.onset + n * part, part, *chord) for n, chord in enumerate(chords)]
            )
        tonic_chord = chord_on(scale, 0, tonic)
        self.goal = Span(form.goal, form.end - form.goal, tonic_chord, tonic_chord.triad)

    def _slots(self, bar: Bar, pulse: int) -> tuple[_Slot, ...]:
        """The functions of a bar's chords, which share it equally."""
        home, dominant = _Slot(Function.TONIC, settled=True), _Slot(Function.DOMINANT)
        away = _Slot(Function.AWAY)
        if bar.phrase_bars == 1:
            return (home, dominant) if bar.length >= 2 * pulse else (dominant,)
        if bar.is_first:
            # A contrasting theme sets out from elsewhere.
            return (home,) if bar.idea[0] in {"", "A"} else (away,)
        if bar.is_last:
            return (home,) if bar.cadence is Cadence.CLOSED else (dominant,)
        if bar.place == bar.phrase_bars - 2:
            return (away, dominant) if bar.cadence is Cadence.CLOSED else (away,)
        return (
            (_Slot(Function.TONIC), away)
            if self._dice.chance(_MOVING_SHARE)
            else (_Slot(Function.TONIC),)
        )

    def _chord(self, slot: _Slot) -> tuple[Chord, Voices]:
        chord = chord_on(self._scale, self._degree(slot), self._tonic)
        discord = 1 - self._level
        roughness = int(_ROUGHNESS_RANGE * discord * discord + self._dice.fraction())
        roughness = min(roughness, MAX_ROUGHNESS)
        if slot.settled:
            roughness = max(0, roughness - 1)
        return chord, chord.upper_voices(roughness)

    def _degree(self, slot: _Slot) -> int:
        carriers = self._scale.carrying(slot.function)
        wanders = self._dice.chance(_WANDERING_SHARE * (1 - self._level))
        anywhere = self._dice.below(len(self._scale.steps))
        usual = self._dice.chance(_USUAL_SHARE + _USUAL_BY_CONSONANCE * self._level)
        substitute = carriers[1 + self._dice.below(len(carriers) - 1)]
        if slot.settled:
            return carriers[0]
        if wanders:
            return anywhere
        return carriers[0] if usual else substitute
