"""The theory's tables say what every musician would, and what an independent library says."""

import warnings
from typing import Any, get_args

import pytest
from music21 import chord as m21chord
from music21 import key as m21key
from music21 import pitch as m21pitch
from music21 import roman
from music21 import scale as m21scale

from harmonic_music.theory.chords import (
    MAX_ROUGHNESS,
    as_dominant,
    as_minor,
    blues_chord,
    chord_on,
    flattened,
)
from harmonic_music.theory.figures import ENDINGS, FIGURES
from harmonic_music.theory.gestures import GESTURES, Motion
from harmonic_music.theory.intervals import agreement
from harmonic_music.theory.keys import fifths_above_c, pitch_class, signature, spelled
from harmonic_music.theory.meters import FOUR_FOUR, SIX_EIGHT, THREE_FOUR, Meter
from harmonic_music.theory.progressions import movement, usualness
from harmonic_music.theory.scales import SCALES, Function
from harmonic_protocol.values import TONICS, Scale

SCALE_NAMES: tuple[str, ...] = get_args(Scale)
THEIR_SCALES: dict[str, Any] = {
    "major": m21scale.MajorScale,
    "minor": m21scale.MinorScale,
    "harmonic_minor": m21scale.HarmonicMinorScale,
    "melodic_minor": m21scale.MelodicMinorScale,
    "dorian": m21scale.DorianScale,
    "phrygian": m21scale.PhrygianScale,
    "lydian": m21scale.LydianScale,
    "mixolydian": m21scale.MixolydianScale,
    "locrian": m21scale.LocrianScale,
    "whole_tone": m21scale.WholeToneScale,
}
METERS = (FOUR_FOUR, THREE_FOUR, SIX_EIGHT)
USUAL_TONICS = ("C", "G", "D", "A", "E", "B", "F#", "F", "Bb", "Eb", "Ab", "Db", "Gb")


def theirs(name: str) -> m21pitch.Pitch:
    return m21pitch.Pitch(name.replace("b", "-"))


def test_there_is_a_shape_for_every_scale_that_a_client_may_name() -> None:
    assert set(SCALES) == set(SCALE_NAMES)


@pytest.mark.parametrize("key", TONICS)
def test_a_keys_descriptions_agree(key: str) -> None:
    assert pitch_class(key) == 7 * fifths_above_c(key) % 12 == theirs(key).pitchClass


@pytest.mark.parametrize("tonic", USUAL_TONICS)
@pytest.mark.parametrize("scale", THEIR_SCALES)
def test_scales_are_spelled_as_music21_spells_them(tonic: str, scale: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pitches = THEIR_SCALES[scale](theirs(tonic)).getPitches(
            direction=m21scale.Direction.ASCENDING
        )
    names = [pitch.name.replace("-", "b") for pitch in pitches][:-1]
    ours = spelled(tonic, scale)
    if scale == "whole_tone":
        assert [theirs(name).pitchClass for name in ours] == [theirs(n).pitchClass for n in names]
    else:
        assert list(ours) == names


@pytest.mark.parametrize("tonic", USUAL_TONICS)
def test_signatures_are_those_of_music21s_keys(tonic: str) -> None:
    assert m21key.Key(theirs(tonic).name).sharps == fifths_above_c(tonic)
    assert signature(tonic, "major") == tonic


@pytest.mark.parametrize(
    ("key", "scale", "expected"),
    [("D", "dorian", "C"), ("A", "minor", "Am"), ("G#", "major", "Ab"), ("Fb", "minor", "Em")],
)
def test_modes_and_rare_keys_have_a_signature(key: str, scale: str, expected: str) -> None:
    assert signature(key, scale) == expected


@pytest.mark.parametrize("scale", ["major", "minor", "harmonic_minor"])
@pytest.mark.parametrize("degree", range(7))
def test_triads_are_those_of_music21s_numerals(scale: str, degree: int) -> None:
    triad = chord_on(SCALES[scale], degree, 0)
    tones = [(degree + step) % 7 for step in (0, 2, 4)]
    expected = {SCALES[scale].steps[tone] for tone in tones}
    # A sixth stands in for a fifth that is not perfect; a major third is taken where there is one.
    if (SCALES[scale].steps[degree] + 7) % 12 in expected:
        assert set(triad.triad) == expected
    if scale == "major":
        numeral = roman.RomanNumeral(degree + 1, m21key.Key("C"))
        assert numeral.root().pitchClass == triad.root


@pytest.mark.parametrize("scale", ["major", "minor", "dorian"])
def test_a_borrowed_dominant_is_a_major_triad(scale: str) -> None:
    for degree in range(7):
        chord = as_dominant(chord_on(SCALES[scale], degree, 2))
        assert m21chord.Chord(list(chord.triad)).isMajorTriad()
        assert {chord.root, chord.third, chord.fifth} <= chord.tones


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


def test_the_dominant_leads_home_more_than_anywhere() -> None:
    major = SCALES["major"]
    from_dominant = {d: movement(major, 4, d) * usualness(major, d) for d in range(7)}
    assert max(from_dominant, key=lambda degree: from_dominant[degree]) == 0
    assert min(range(7), key=lambda degree: usualness(major, degree)) == 6


@pytest.mark.parametrize("meter", METERS, ids=lambda meter: meter.name)
def test_figures_fill_a_group_and_are_all_different(meter: Meter) -> None:
    figures = FIGURES[meter]
    assert len({figure.onsets for figure in figures}) == len(figures)
    assert all(0 <= place < meter.group for figure in figures for place in figure.onsets)
    assert all(0 <= place < meter.bar for places, _ in ENDINGS[meter] for place in places)


def test_a_bar_is_heaviest_where_it_begins() -> None:
    assert [FOUR_FOUR.weight(12 * beat) for beat in range(4)] == [4, 2, 3, 2]
    assert [THREE_FOUR.weight(12 * beat) for beat in range(3)] == [4, 2, 2]
    assert [SIX_EIGHT.weight(18 * beat) for beat in range(2)] == [4, 3]
    for meter in METERS:
        assert meter.weight(6) > meter.weight(3)


def test_the_tonic_of_locrian_is_diminished_and_rests_without_its_fifth() -> None:
    tonic = chord_on(SCALES["locrian"], 0, 0)
    assert tonic.triad == (0, 3, 6)
    assert tonic.resting == (0, 3, 0)


def test_blues_chords_are_dominant_sevenths() -> None:
    blues = frozenset(SCALES["blues"].steps)
    for root in (0, 5, 7):
        chord = blues_chord(root, blues)
        assert chord.coloured[0] == ((root + 4) % 12, (root + 7) % 12, (root + 10) % 12)
        assert all({(root + 4) % 12, (root + 10) % 12} <= set(way) for way in chord.coloured)


@pytest.mark.parametrize("scale", ["major", "minor", "dorian"])
def test_borrowed_chords_are_those_of_the_parallel_key(scale: str) -> None:
    for degree in range(7):
        chord = chord_on(SCALES[scale], degree, 2)
        assert m21chord.Chord(list(as_minor(chord).triad)).isMinorTriad()
        lowered = flattened(chord)
        assert m21chord.Chord(list(lowered.triad)).isMajorTriad()
        assert lowered.root == (chord.root - 1) % 12
        assert set(lowered.triad) <= lowered.tones


@pytest.mark.parametrize("meter", [FOUR_FOUR, THREE_FOUR, SIX_EIGHT])
def test_figures_and_gestures_fill_their_part_of_a_bar_and_are_all_different(meter: Meter) -> None:
    figures, gestures = FIGURES[meter], GESTURES[meter]
    assert len({figure.onsets for figure in figures}) == len(figures)
    assert len({(gesture.onsets, gesture.moves) for gesture in gestures}) == len(gestures)
    onsets = [figure.onsets for figure in figures] + [gesture.onsets for gesture in gestures]
    assert all(0 <= place < meter.group for row in onsets for place in row)
    assert all(list(row) == sorted(set(row)) for row in onsets)


@pytest.mark.parametrize("meter", [FOUR_FOUR, THREE_FOUR, SIX_EIGHT])
def test_a_gesture_begins_where_it_likes_and_goes_somewhere(meter: Meter) -> None:
    for gesture in GESTURES[meter]:
        assert len(gesture.moves) == len(gesture.onsets)
        assert gesture.moves[0] is Motion.FREE
        assert any(move.binds for move in gesture.moves)
