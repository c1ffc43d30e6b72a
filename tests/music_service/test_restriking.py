"""Voices are not struck on one pitch on and on."""

from itertools import pairwise

import pytest

from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.restriking import MOST_STROKES, Restriking, Strike
from harmonic_music.score import TICKS_PER_BEAT

EIGHTH, BAR = TICKS_PER_BEAT // 2, 4 * TICKS_PER_BEAT
C_MAJOR = frozenset({0, 2, 4, 5, 7, 9, 11})
CHORD = (55, 60, 64)


def restriking(seed: int = 1, share: int = 1000) -> Restriking:
    return Restriking(C_MAJOR, BAR, share, Dice(seed, Layer.ACCOMPANIMENT))


def struck(pitch: int, count: int, first: int = 0, step: int = EIGHTH) -> list[Strike]:
    onsets = range(first, first + count * step, step)
    return [(onset, pitch, onset + step) for onset in onsets]


def longest_row(row: list[Strike]) -> int:
    """Of strokes of one pitch and length that come one after the other."""
    longest = count = 1
    for (onset, pitch, end), (following, other, until) in pairwise(row):
        alike = pitch == other and end - onset == until - following and end == following
        count = count + 1 if alike else 1
        longest = max(longest, count)
    return longest


@pytest.mark.parametrize("seed", range(20))
def test_a_chord_struck_for_four_bars_is_held_moves_and_rests(seed: int) -> None:
    rows = [struck(pitch, 32) for pitch in CHORD]
    varied = restriking(seed).varied(rows)
    assert max(map(longest_row, varied)) <= MOST_STROKES
    assert any(end - onset > EIGHTH for row in varied for onset, _, end in row)
    assert any(pitch not in CHORD for row in varied for _, pitch, _ in row)
    # Something is struck wherever something was, but for a place or two.
    assert len({onset for row in varied for onset, _, _ in row}) >= 28
    assert {pitch % 12 for row in varied for _, pitch, _ in row} <= C_MAJOR
    for row in varied:
        assert row == sorted(row)
        assert all(end <= following for (_, _, end), (following, _, _) in pairwise(row))


def test_voices_change_what_they_do_after_two_bars() -> None:
    first, second = (
        [[strike for strike in row if lo <= strike[0] < hi] for row in made]
        for made in [restriking().varied([struck(pitch, 32) for pitch in CHORD])]
        for lo, hi in ((0, 2 * BAR), (2 * BAR, 4 * BAR))
    )
    moved = [
        [(onset - 2 * BAR, pitch, end - 2 * BAR) for onset, pitch, end in row] for row in second
    ]
    assert all(one != other for one, other in zip(first, moved, strict=True))


def test_few_strokes_and_broken_chords_stay() -> None:
    few = [struck(pitch, MOST_STROKES) for pitch in CHORD]
    assert restriking().varied(few) == few
    broken = [
        struck(pitch, 8, first=place * EIGHTH, step=3 * EIGHTH) for place, pitch in enumerate(CHORD)
    ]
    assert restriking().varied(broken) == broken


def test_a_voice_that_must_not_move_leaves_its_strokes_out() -> None:
    varied = restriking(share=0).varied([struck(pitch, 32) for pitch in CHORD])
    assert all(pitch == own for row, own in zip(varied, CHORD, strict=True) for _, pitch, _ in row)
    assert max(map(longest_row, varied)) <= MOST_STROKES
