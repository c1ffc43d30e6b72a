"""Each layer by itself: form, chords, rhythm, voices and walks."""

from itertools import pairwise

import pytest

from harmonic_music.composing.character import Character, character_of
from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.form import BAR, Cadence, Form, Treatment
from harmonic_music.composing.harmony import Colour, Harmony
from harmonic_music.composing.lattice import walk
from harmonic_music.composing.planning import lay_out, phrase_lengths
from harmonic_music.composing.rhythm import Rhythm
from harmonic_music.composing.voicing import FIRST_VOICING, nearest_bass, nearest_voicing
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.scales import SCALES, Function

SEEDS = range(30)


def character(seed: int) -> Character:
    return character_of(Dice(seed, Layer.CHARACTER))


def form(bars: float, seed: int = 1) -> Form:
    return lay_out(int(bars * BAR), character(seed), Dice(seed, Layer.FORM))


def harmony(planned: Form, seed: int, scale: str = "major") -> Harmony:
    colour = Colour(900, 0, Dice(seed, Layer.COLOUR))
    dice = Dice(seed, Layer.HARMONY)
    return Harmony(planned, (SCALES[scale], 0), character(seed), dice, colour)


@pytest.mark.parametrize("bars", range(1, 40))
def test_phrases_have_four_bars_and_the_last_takes_what_is_over(bars: int) -> None:
    lengths = phrase_lengths(bars)
    assert sum(lengths) == bars
    assert set(lengths[:-1]) <= {4}
    assert lengths[-1] <= 6


@pytest.mark.parametrize("bars", [2, 2.9, 3, 7.3, 16, 33.5, 150])
def test_bars_follow_one_another_up_to_the_last_chord(bars: float) -> None:
    planned = form(bars)
    assert [bar.onset for bar in planned.bars] == [n * BAR for n in range(len(planned.bars))]
    assert planned.goal == len(planned.bars) * BAR
    assert BAR / 2 <= planned.end - planned.goal < 1.5 * BAR


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bar_comes_from_an_earlier_one_and_the_end_is_closed(seed: int) -> None:
    planned = form(64, seed)
    for number, bar in enumerate(planned.bars):
        assert (bar.origin is None) == (bar.treatment is Treatment.NEW)
        assert bar.origin is None or bar.origin < number
    assert planned.bars[-1].cadence is Cadence.CLOSED


@pytest.mark.parametrize("seed", SEEDS)
def test_cadences_end_where_they_say(seed: int) -> None:
    planned = form(32, seed)
    chords = harmony(planned, seed)
    roots = {Cadence.CLOSED: 0, Cadence.HALF: 7}
    for bar, spans in zip(planned.bars, chords.bars, strict=True):
        if bar.is_last and bar.cadence in roots and not bar.keeps_chords:
            assert spans[-1].chord.root == roots[bar.cadence]
    assert chords.goal.chord.root == 0


@pytest.mark.parametrize("scale", ["major", "dorian", "blues", "whole_tone"])
def test_something_leads_to_the_last_chord(scale: str) -> None:
    shape = SCALES[scale]
    leading = {
        shape.steps[degree]
        for function in (Function.DOMINANT, Function.AWAY)
        for degree in shape.carrying(function)
    }
    for seed in SEEDS:
        assert harmony(form(8, seed), seed, scale).bars[-1][-1].chord.root in leading


def test_most_roots_move_by_fourths_and_fifths() -> None:
    moves = []
    for seed in range(100):
        spans = [span for bar in harmony(form(16, seed), seed).bars for span in bar]
        roots = [span.chord.root for span in spans]
        moves += [(b - a) % 12 for a, b in pairwise(roots) if a != b]
    assert 0.45 < sum(move in {5, 7} for move in moves) / len(moves) < 0.65


@pytest.mark.parametrize("seed", SEEDS)
def test_what_returns_has_its_rhythm_again(seed: int) -> None:
    planned = form(32, seed)
    rhythm = Rhythm(planned, 500, 100, character(seed), Dice(seed, Layer.RHYTHM))
    for bar, onsets in zip(planned.bars, rhythm.bars, strict=True):
        assert onsets == sorted(set(onsets))
        assert onsets[0] >= 0
        assert onsets[-1] < BAR
        if bar.origin is not None:
            assert onsets == rhythm.bars[bar.origin]


@pytest.mark.parametrize("seed", SEEDS)
def test_phrases_end_on_a_long_note(seed: int) -> None:
    planned = form(32, seed)
    rhythm = Rhythm(planned, 900, 100, character(seed), Dice(seed, Layer.RHYTHM))
    for bar, onsets in zip(planned.bars, rhythm.bars, strict=True):
        if bar.is_last and bar.treatment is Treatment.NEW:
            lengths = [b - a for a, b in zip(onsets, [*onsets[1:], BAR], strict=True)]
            assert max(lengths) >= TICKS_PER_BEAT


def test_a_walk_arrives_where_it_has_to() -> None:
    line = [[1 if abs(one - other) == 1 else 0 for other in range(9)] for one in range(9)]
    anywhere = dict.fromkeys(range(9), 1)
    moments = [{0: 1}, *[anywhere] * 7, {8: 1}]
    for seed in SEEDS:
        assert walk(moments, line, None, Dice(seed, Layer.MELODY).place) == list(range(9))


def test_voices_take_the_shortest_way() -> None:
    c_major = nearest_voicing(FIRST_VOICING, (0, 4, 7))
    assert sorted(pitch % 12 for pitch in c_major) == [0, 4, 7]
    a_minor = nearest_voicing(c_major, (9, 0, 4))
    assert sum(abs(a - b) for a, b in zip(c_major, a_minor, strict=True)) == 2


def test_the_bass_goes_to_the_nearer_octave() -> None:
    assert nearest_bass(47, 0) == 36
    assert nearest_bass(45, 10) == 46


def test_dice_of_different_layers_are_independent() -> None:
    rows = [[Dice(5, layer).below(1000) for _ in range(3)] for layer in Layer]
    assert len({tuple(row) for row in rows}) == len(Layer)


def test_weights_decide_how_often() -> None:
    dice = Dice(1, Layer.FORM)
    drawn = [dice.weighted("abc", (1, 0, 3)) for _ in range(4000)]
    assert drawn.count("b") == 0
    assert 900 < drawn.count("a") < 1100
