"""The theory's tables say what every musician would."""

from typing import get_args

import pytest

from harmonic_music.theory.chords import MAX_ROUGHNESS, chord_on
from harmonic_music.theory.intervals import agreement
from harmonic_music.theory.keys import fifths_above_c, pitch_class
from harmonic_music.theory.scales import SCALES, Function
from harmonic_protocol.values import TONICS, Scale

SCALE_NAMES: tuple[str, ...] = get_args(Scale)


def test_there_is_a_shape_for_every_scale_that_a_client_may_name() -> None:
    assert set(SCALES) == set(SCALE_NAMES)


@pytest.mark.parametrize("key", TONICS)
def test_a_keys_two_descriptions_agree(key: str) -> None:
    assert pitch_class(key) == 7 * fifths_above_c(key) % 12


@pytest.mark.parametrize(
    ("key", "expected"), [("C", 0), ("Cb", 11), ("B#", 0), ("E#", 5), ("Fb", 4), ("F#", 6)]
)
def test_a_key_is_a_pitch_class_however_it_is_spelled(key: str, expected: int) -> None:
    assert pitch_class(key) == expected


@pytest.mark.parametrize(
    ("scale", "degree", "triad"),
    [
        ("major", 0, (0, 4, 7)),
        ("major", 1, (2, 5, 9)),
        ("major", 4, (7, 11, 2)),
        ("minor", 3, (5, 8, 0)),
        ("harmonic_minor", 4, (7, 11, 2)),
        ("phrygian", 1, (1, 5, 8)),
        ("whole_tone", 0, (0, 4, 8)),
        ("major_pentatonic", 1, (2, 7, 9)),
        ("chromatic", 2, (2, 5, 9)),
        ("chromatic", 8, (8, 0, 3)),
    ],
)
def test_chords_are_the_usual_ones(scale: str, degree: int, triad: tuple[int, int, int]) -> None:
    assert chord_on(SCALES[scale], degree, 0).triad == triad


@pytest.mark.parametrize("scale", SCALE_NAMES)
def test_chords_stay_in_the_scale_and_get_rougher(scale: str) -> None:
    shape = SCALES[scale]
    tones = {(step + 3) % 12 for step in shape.steps}
    for degree in range(len(shape.steps)):
        chord = chord_on(shape, degree, 3)
        ways = [chord.upper_voices(roughness) for roughness in range(MAX_ROUGHNESS + 1)]
        assert {chord.root, *(tone for way in ways for tone in way)} <= tones
        coloured = [agreement((chord.root, *way)) for way in ways[1:]]
        assert coloured == sorted(coloured, reverse=True)


@pytest.mark.parametrize("scale", SCALE_NAMES)
def test_every_function_has_a_usual_degree_and_a_substitute(scale: str) -> None:
    shape = SCALES[scale]
    assert shape.carrying(Function.TONIC)[0] == 0
    assert all(len(shape.carrying(function)) > 1 for function in Function)
    assert all(d < len(shape.steps) for f in Function for d in shape.carrying(f))
