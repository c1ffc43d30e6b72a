"""What carries the melody: three upper voices of each chord, and its bass.

Both play one of a row of textures, from held to moving; liveliness decides how far along the row,
and each section has its own.
"""

from collections.abc import Sequence

from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import BAR, Form
from harmonic_music.composing.harmony import Harmony, Span
from harmonic_music.composing.part import Tone
from harmonic_music.composing.voicing import (
    FIRST_VOICING,
    LOWEST_BASS,
    nearest_bass,
    nearest_voicing,
)
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.intervals import OCTAVE

#: A texture says at which eighth of a chord which of its voices sound; eight are a bar.
Texture = tuple[tuple[int, tuple[int, ...]], ...]
_EIGHTH = TICKS_PER_BEAT // 2

_ALL, _UPPER = (0, 1, 2), (1, 2)
_PADS: tuple[Texture, ...] = (
    ((0, _ALL),),
    ((0, _ALL), (4, _ALL)),
    ((0, (0,)), (2, _UPPER), (4, (0,)), (6, _UPPER)),
    ((0, (0,)), (2, (1,)), (4, (2,)), (6, (1,))),
    ((0, _ALL), (3, _ALL), (6, _UPPER)),
    ((0, (0,)), (2, (1,)), (3, (2,)), (4, (0,)), (6, (1,)), (7, (2,))),
    ((0, (0,)), (1, (2,)), (2, (1,)), (3, (2,)), (4, (0,)), (5, (2,)), (6, (1,)), (7, (2,))),
)
#: The bass has its tone and another to move to; the upper voices are three.
_BASS_TONES = 2
_ROOT, _FIFTH = (0,), (1,)
_BASSES: tuple[Texture, ...] = (
    ((0, _ROOT),),
    ((0, _ROOT), (4, _ROOT)),
    ((0, _ROOT), (4, _FIFTH)),
    ((0, _ROOT), (3, _FIFTH), (4, _ROOT)),
    ((0, _ROOT), (2, _FIFTH), (4, _ROOT), (6, _FIFTH)),
)
#: How far a section may stray from the piece's liveliness, in thousandths of the row.
_STRAY = 280


class Accompaniment:
    """The upper voices and the bass of a piece of at most so many notes a bar."""

    def __init__(
        self, form: Form, harmony: Harmony, liveliness: int, notes_per_bar: int, dice: Dice
    ) -> None:
        self._form, self._harmony = form, harmony
        strays = [(dice.around(_STRAY), dice.around(_STRAY)) for _ in range(form.sections)]
        self._pads = _chosen(_PADS, liveliness, notes_per_bar * 2 // 3, strays, 0)
        self._basses = _chosen(_BASSES, liveliness, notes_per_bar // 3, strays, 1)

    def pads(self) -> list[Tone]:
        """The upper voices; phrases end on a held chord."""
        voicing = FIRST_VOICING
        tones: list[Tone] = []
        for bar, spans in zip(self._form.bars, self._harmony.bars, strict=True):
            for span in spans:
                voicing = nearest_voicing(voicing, span.voices)
                texture = _PADS[0] if bar.is_last else self._pads[bar.section_number]
                tones += _play(texture, span, voicing)
        goal = self._harmony.goal
        return tones + _play(_PADS[0], goal, nearest_voicing(voicing, goal.voices))

    def bass(self) -> list[Tone]:
        """The bass, which ends on the tonic."""
        tones: list[Tone] = []
        last = LOWEST_BASS + OCTAVE // 2
        for bar, spans in zip(self._form.bars, self._harmony.bars, strict=True):
            for span in spans:
                last = nearest_bass(last, span.bass)
                other = span.chord.fifth if span.bass == span.chord.root else span.chord.root
                texture = _BASSES[0] if bar.is_last else self._basses[bar.section_number]
                tones += _play(texture, span, (last, nearest_bass(last, other)))
        goal = self._harmony.goal
        return tones + _play(_BASSES[0], goal, (nearest_bass(last, goal.bass),))


def _chosen(
    row: Sequence[Texture],
    liveliness: int,
    most: int,
    strays: Sequence[tuple[int, int]],
    part: int,
) -> list[Texture]:
    """Each section's texture."""
    fitting = [texture for texture in row if sum(len(v) for _, v in texture) <= max(most, 1)]
    fitting = fitting or [row[0]]
    ways = [min(max(liveliness + stray[part], 0), WHOLE) for stray in strays]
    return [fitting[(way * (len(fitting) - 1) + WHOLE // 2) // WHOLE] for way in ways]


def _play(texture: Texture, span: Span, pitches: Sequence[int]) -> list[Tone]:
    """The texture's part that fits the chord: each voice lasts until it sounds again."""
    steps = [(span.onset + eighth * _EIGHTH, chosen) for eighth, chosen in texture]
    steps = [(onset, chosen) for onset, chosen in steps if onset < span.end]
    if span.length > BAR:
        steps = steps[:1]
    silent = set(range(len(pitches))) - {voice for _, chosen in steps for voice in chosen}
    if silent and len(pitches) > _BASS_TONES:
        # A chord too short for all of its figure still sounds as a whole.
        onset, chosen = steps[-1]
        steps[-1] = onset, (*chosen, *sorted(silent))
    again = dict.fromkeys(range(len(pitches)), span.end)
    tones = []
    for onset, chosen in reversed(steps):
        tones += [Tone(onset, again[voice] - onset, pitches[voice]) for voice in chosen]
        again |= dict.fromkeys(chosen, onset)
    return tones[::-1]
