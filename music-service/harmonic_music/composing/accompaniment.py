"""What carries the melody: three upper voices of each chord, and its bass.

The upper voices move as little as they can from chord to chord (the law of the shortest way,
Anton Bruckner's name for it). Both play one of a row of patterns, from held to moving; liveliness
decides how far along the row.
"""

from collections.abc import Sequence
from itertools import product

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Bar, Form
from harmonic_music.composing.harmony import Harmony, Span
from harmonic_music.composing.part import Tone
from harmonic_music.theory.keys import OCTAVE

#: The upper voices lie around middle C, the bass from A upwards to where they begin.
_LOWEST_PAD, _HIGHEST_PAD = 48, 62
_LOWEST_BASS = 33
#: Where the upper voices would like to begin.
_FIRST_VOICING = (52, 56, 60)

#: A pattern says at which half pulse of a chord which of its pitches sound.
Pattern = tuple[tuple[int, tuple[int, ...]], ...]

_ALL = (0, 1, 2)
_PAD_PATTERNS: tuple[Pattern, ...] = (
    ((0, _ALL),),
    ((0, _ALL), (4, _ALL)),
    ((0, (0,)), (2, (1,)), (4, (2,)), (6, (1,))),
    ((0, (0,)), (2, (1,)), (3, (2,)), (4, (0,)), (6, (1,))),
)
_ROOT, _FIFTH = (0,), (1,)
_BASS_PATTERNS: tuple[Pattern, ...] = (
    ((0, _ROOT),),
    ((0, _ROOT), (4, _FIFTH)),
    ((0, _ROOT), (3, _FIFTH)),
)
#: How far a section may stray from the piece's liveliness, in patterns.
_STRAY = 0.7


def pads_of(form: Form, harmony: Harmony, liveliness: float, dice: Dice) -> list[Tone]:
    """The upper voices; phrases end on a held chord."""
    patterns = _Patterns(_PAD_PATTERNS, liveliness, dice)
    voicing: Sequence[int] = _FIRST_VOICING
    tones: list[Tone] = []
    for bar, spans in zip(form.bars, harmony.bars, strict=True):
        pattern = patterns.of(bar)
        for span in spans:
            voicing = nearest_voicing(voicing, span.voices)
            tones += _play(_PAD_PATTERNS[0] if bar.is_last else pattern, span, voicing, form.pulse)
    voicing = nearest_voicing(voicing, harmony.goal.voices)
    return tones + _play(_PAD_PATTERNS[0], harmony.goal, voicing, form.pulse)


def bass_of(form: Form, harmony: Harmony, liveliness: float, dice: Dice) -> list[Tone]:
    """The bass, which ends on the tonic."""
    patterns = _Patterns(_BASS_PATTERNS, liveliness, dice)
    tones: list[Tone] = []
    for bar, spans in zip(form.bars, harmony.bars, strict=True):
        pattern = patterns.of(bar)
        for span in spans:
            tones += _play(pattern, span, _bass_pitches(span), form.pulse)
    return tones + _play(_BASS_PATTERNS[0], harmony.goal, _bass_pitches(harmony.goal), form.pulse)


class _Patterns:
    """One pattern for each section."""

    def __init__(self, row: Sequence[Pattern], liveliness: float, dice: Dice) -> None:
        self._row = row
        self._middle = liveliness * (len(row) - 1)
        self._dice = dice
        self._chosen: dict[int, Pattern] = {}

    def of(self, bar: Bar) -> Pattern:
        if bar.section not in self._chosen:
            place = round(self._middle + _STRAY * (2 * self._dice.fraction() - 1))
            self._chosen[bar.section] = self._row[min(max(place, 0), len(self._row) - 1)]
        return self._chosen[bar.section]


def _play(pattern: Pattern, span: Span, pitches: Sequence[int], pulse: int) -> list[Tone]:
    """The pattern's part that fits the chord: each step lasts until the next."""
    onsets = [span.onset + half * pulse // 2 for half, _ in pattern]
    tones = []
    for (_, chosen), onset, following in zip(pattern, onsets, [*onsets[1:], span.end], strict=True):
        if onset < span.end:
            length = min(following, span.end) - onset
            tones += [Tone(onset, length, pitches[number]) for number in chosen]
    return tones


def _bass_pitches(span: Span) -> tuple[int, int]:
    root = _LOWEST_BASS + (span.chord.root - _LOWEST_BASS) % OCTAVE
    fifth = root + (span.chord.fifth - span.chord.root) % OCTAVE
    return root, fifth if fifth < _LOWEST_PAD else fifth - OCTAVE


def nearest_voicing(before: Sequence[int], voices: Sequence[int]) -> tuple[int, ...]:
    """The chord's voices, placed so that they move least."""
    register = range(_LOWEST_PAD, _HIGHEST_PAD + 1)
    places = [[pitch for pitch in register if pitch % OCTAVE == voice] for voice in voices]
    voicings = sorted({tuple(sorted(chosen)) for chosen in product(*places)})
    return min(
        voicings,
        key=lambda chosen: sum(abs(a - b) for a, b in zip(before, chosen, strict=True)),
    )
