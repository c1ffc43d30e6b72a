"""A piece has a form that can be heard: phrases that end, themes that return, and a close."""

from itertools import pairwise
from statistics import fmean

import pytest

from harmonic_music.score import TICKS_PER_BEAT, Voice
from music_service import features
from music_service.boundaries import boundaries
from music_service.measures import melody, piece
from music_service.tunes import tune_of

SEEDS = range(40)


def test_a_detector_that_knows_nothing_finds_the_phrases_of_songs() -> None:
    found = composed = heard = 0
    for seed in SEEDS:
        score = piece(32, seed)
        ends = boundaries(melody(score))
        starts = score.phrases[1:]
        found += sum(any(abs(end - start) <= TICKS_PER_BEAT for end in ends) for start in starts)
        composed += len(starts)
        heard += len(ends)
    assert found / composed >= 0.7
    # Within phrases, the detector takes some long notes and leaps for ends.
    assert found / heard >= 0.6


@pytest.mark.parametrize("harmony", [0.5, 0.75, 1])
@pytest.mark.parametrize("scale", ["major", "minor", "phrygian", "blues", "whole_tone"])
def test_the_last_chord_is_the_tonic(scale: str, harmony: float) -> None:
    for seed in range(10):
        score = piece(20, seed, scale=scale, harmony=harmony, key="E")
        last = {e.voice: e.pitch % 12 for e in score.events if e.onset == score.events[-1].onset}
        assert last[Voice.MELODY] == last[Voice.BASS] == 4


def test_bars_return_literally_and_varied_about_as_often_as_in_songs() -> None:
    returns = [features.returns(tune_of(piece(32, seed))) for seed in range(100)]
    assert 0.1 <= fmean(literal for literal, _ in returns) <= 0.3
    assert 0.15 <= fmean(varied for _, varied in returns) <= 0.4


def test_a_long_piece_comes_back_to_its_first_section() -> None:
    for seed in range(10):
        names = [section.name for section in piece(300, seed).sections]
        letters = [name for name in names if len(name) == 1]
        assert letters[0] == letters[-1] == "A"
        assert len(set(letters)) > 2


def test_the_highest_note_is_rare() -> None:
    shares = []
    for seed in SEEDS:
        pitches = [note.pitch for note in melody(piece(32, seed))]
        shares.append(pitches.count(max(pitches)) / len(pitches))
    assert fmean(shares) < 0.08


def test_upper_voices_move_little_from_chord_to_chord() -> None:
    moves = []
    for seed in SEEDS:
        # Here chords are struck whole.
        score = piece(32, seed, style="ragtime")
        chords: dict[int, list[int]] = {}
        for event in score.events:
            if event.voice is Voice.PADS:
                chords.setdefault(event.onset, []).append(event.pitch)
        rows = [sorted(chord) for chord in chords.values() if len(chord) == 3]
        for before, after in pairwise(rows):
            if before != after and max(after) < 72:
                moves.append(sum(abs(a - b) for a, b in zip(before, after, strict=True)))
    # They follow the melody's register.
    assert 2 < fmean(moves) < 8
