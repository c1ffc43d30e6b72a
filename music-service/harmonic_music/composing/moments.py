"""The onsets of a melody, each with everything that decides its pitch."""

from collections.abc import Sequence
from dataclasses import dataclass

from harmonic_music.composing.form import Phrase
from harmonic_music.composing.harmony import Span
from harmonic_music.composing.variation import Derived
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.gestures import Motion
from harmonic_music.theory.meters import UNITS_PER_BEAT, Meter

#: A note is strong from this metrical weight on, or if it is longer than this.
_STRONG_WEIGHT = 3
_GRID = 40
_STRONG_TICKS = 2 * TICKS_PER_BEAT


@dataclass(frozen=True, slots=True)
class Moment:
    """One onset: its chord, its note's length, and the bass that sounds or is struck then."""

    onset: int
    length: int
    span: Span
    strong: bool
    on_beat: bool
    bass: int
    struck: bool = False
    move: Motion = Motion.FREE


def moments_of(
    phrase: Phrase,
    spans: Sequence[Sequence[Span]],
    rows: Sequence[Derived],
    bass: Sequence[tuple[int, int]],
    *,
    meter: Meter,
    goal: Span | None,
) -> list[Moment]:
    """The onsets of a phrase, each with its chord, its length and the bass; and the last note.

    ``bass`` are onsets and pitches in order.
    """
    places = [
        (bar, bar.onset + begun.onset, chords, begun.move)
        for bar, chords, row in zip(phrase.bars, spans, rows, strict=True)
        for begun in row
    ]
    last = phrase.bars[-1]
    onsets = [begun.onset for begun in rows[-1]]
    ending = None
    if onsets and phrase.is_last(last) and not phrase.elided:
        ending = last.onset + last_note(onsets, last.length)
    unit, pulse = TICKS_PER_BEAT // UNITS_PER_BEAT, meter.pulse * TICKS_PER_BEAT // UNITS_PER_BEAT
    # A phrase of less than a bar may have no note at all.
    nexts = [*(onset for _, onset, _, _ in places), phrase.end][1:]
    moments = []
    at = 0
    before = Motion.FREE
    for (bar, onset, chords, move), following in zip(places, nexts, strict=True):
        span = next(chord for chord in chords if onset < chord.end)
        length = following - onset
        into = onset - bar.onset
        strong = into % unit == 0 and meter.weight(into // unit) >= _STRONG_WEIGHT
        if onset == ending:
            # A phrase's last note leaves time to breathe.
            length -= length // 2 if length > _STRONG_TICKS else length * 3 // 8 // _GRID * _GRID
        while at + 1 < len(bass) and bass[at + 1][0] <= onset:
            at += 1
        low = bass[at][1] if bass and bass[at][0] <= onset else span.bass[0]
        strong = strong or following - onset > _STRONG_TICKS
        struck = bool(bass) and bass[at][0] == onset
        going = before.arrival if move is Motion.FREE else move
        before = move
        on_beat = into % pulse == 0
        moments.append(Moment(onset, length, span, strong, on_beat, low, struck, going))
    if goal is not None:
        low = bass[-1][1] if bass else goal.bass[0]
        moments.append(Moment(goal.onset, goal.length, goal, strong=True, on_beat=True, bass=low))
    return moments


def last_note(onsets: Sequence[int], bar: int) -> int:
    """The onset of a phrase's last note within its last bar; later notes lead over."""
    lengths = [after - onset for onset, after in zip(onsets, [*onsets[1:], bar], strict=True)]
    return max(zip(lengths, onsets, strict=True))[1]
