"""Every parameter acts over its whole range, each on its own, as the package's table says."""

from itertools import pairwise

import pytest

from harmonic_music.composing.shape import SPAN_SEMITONES, level, shape_of
from harmonic_music.score import Voice
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from music_service.measures import (
    Measure,
    consonant_share,
    mean,
    mean_length,
    melody_span,
    off_beat_share,
    onsets_a_beat,
    piece,
    strong_beat_share,
    tempo,
)

UNIT = (0.0, 0.25, 0.5, 0.75, 1.0)
GRAVITIES = (0.0, 5.0, 9.81, 15.0, 20.0)
ELASTICITIES = (0.0, 0.35, 0.7, 0.85, 1.0)
AIR = (0.0, 0.1, 0.4, 0.7, 1.0)
TIME_SCALES = (0.1, 0.5, 1.0, 2.0, 3.5, 5.0)


def means(measure: Measure, name: str, values: tuple[float, ...], **others: float) -> list[float]:
    return [mean(measure, **{name: value}, **others) for value in values]


@pytest.mark.parametrize(
    ("name", "values", "measure"),
    [
        ("harmony", UNIT, consonant_share),
        ("harmony", UNIT, strong_beat_share),
        ("tempo", (40, 80, 120, 160, 200), tempo),
        ("rhythm_complexity", UNIT, onsets_a_beat),
        ("rhythm_complexity", UNIT, off_beat_share),
        ("melody_range", UNIT, melody_span),
        ("elasticity", ELASTICITIES, onsets_a_beat),
        ("time_scale", TIME_SCALES, mean_length),
    ],
)
def test_more_of_it_raises_its_measure_all_the_way(
    name: str, values: tuple[float, ...], measure: Measure
) -> None:
    measured = means(measure, name, values)
    assert all(lower < higher for lower, higher in pairwise(measured)), measured


@pytest.mark.parametrize(
    ("name", "values", "measure"),
    [
        ("gravity", GRAVITIES, tempo),
        ("friction", UNIT, consonant_share),
        ("friction", UNIT, strong_beat_share),
        ("air_resistance", AIR, melody_span),
    ],
)
def test_more_of_it_lowers_its_measure_all_the_way(
    name: str, values: tuple[float, ...], measure: Measure
) -> None:
    measured = means(measure, name, values)
    assert all(higher > lower for higher, lower in pairwise(measured)), measured


@pytest.mark.parametrize("harmony", [0.0, 1.0])
def test_friction_roughens_the_purest_and_the_roughest_harmony(harmony: float) -> None:
    smooth, rough = means(consonant_share, "friction", (0.0, 1.0), harmony=harmony)
    assert smooth > rough


@pytest.mark.parametrize("complexity", [0.0, 1.0])
def test_elasticity_enlivens_the_calmest_and_the_busiest_rhythm(complexity: float) -> None:
    stiff, springy = means(onsets_a_beat, "elasticity", (0.0, 1.0), rhythm_complexity=complexity)
    assert stiff < springy


@pytest.mark.parametrize("melody_range", [0.0, 1.0])
def test_air_resistance_narrows_the_smallest_and_the_widest_range(melody_range: float) -> None:
    thin, thick = means(melody_span, "air_resistance", (0.0, 1.0), melody_range=melody_range)
    assert thin > thick


@pytest.mark.parametrize("value", UNIT)
def test_at_its_defaults_physics_bends_nothing(value: float) -> None:
    music = MusicParameters(
        harmony=value, tempo=40 + 160 * value, rhythm_complexity=value, melody_range=value
    )
    shape = shape_of(music, PhysicsParameters())
    assert shape.tempo == music.tempo
    assert shape.consonance == shape.liveliness == level(value)
    assert shape.span_semitones == 5 + round(SPAN_SEMITONES * level(value))
    assert shape.length_factor == 1


def test_gravity_leaves_the_notes_as_they_are_in_beats() -> None:
    heavy, light = piece(37.5, gravity=20), piece(25, gravity=0)
    assert (heavy.tempo, light.tempo) == (96, 144)
    assert heavy.events == light.events


def test_the_melodys_range_leaves_rhythm_and_accompaniment_as_they_are() -> None:
    narrow, wide = piece(melody_range=0), piece(melody_range=1)
    assert [e.onset for e in narrow.events] == [e.onset for e in wide.events]
    assert [e for e in narrow.events if e.voice is not Voice.MELODY] == [
        e for e in wide.events if e.voice is not Voice.MELODY
    ]


def test_harmony_and_friction_leave_the_rhythm_as_it_is() -> None:
    pure, rough = piece(harmony=1, friction=0), piece(harmony=0, friction=1)
    assert [(e.voice, e.onset) for e in pure.events] == [(e.voice, e.onset) for e in rough.events]


def test_the_time_scale_changes_lengths_and_nothing_else() -> None:
    short, long = piece(time_scale=0.1), piece(time_scale=5)
    assert [(e.onset, e.voice, e.pitch, e.velocity) for e in short.events] == [
        (e.onset, e.voice, e.pitch, e.velocity) for e in long.events
    ]
