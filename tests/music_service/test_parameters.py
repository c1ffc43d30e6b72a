"""Every parameter acts over its whole range, each on its own, as the package's table says."""

from collections import Counter
from itertools import pairwise
from statistics import fmean

import pytest

from harmonic_music.composing.shape import level, shape_of, thousandths
from harmonic_music.score import Voice
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from music_service.measures import (
    MEASURES,
    PARAMETERS,
    correlations,
    melody,
    piece,
    sixteen_bars,
)

UNIT = (0.0, 0.25, 0.5, 0.75, 1.0)
#: The bench looks at thirty seeds and nine steps.
SEEDS, STEPS = 16, 7
FEWER_PIECES_SLACK = 0.03


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_moves_its_own_measures_and_no_other(name: str) -> None:
    parameter = PARAMETERS[name]
    found = correlations(name, steps=STEPS, seeds=SEEDS)
    wrong = {it for it, rho in found.items() if not parameter.allows(it, rho, FEWER_PIECES_SLACK)}
    assert not wrong, found


@pytest.mark.parametrize(
    ("name", "own"), [(name, own) for name, it in PARAMETERS.items() for own in it.moves]
)
def test_a_parameter_acts_all_the_way(name: str, own: str) -> None:
    lowest, highest = PARAMETERS[name].lowest, PARAMETERS[name].highest
    direction = PARAMETERS[name].moves[own]
    means = [
        fmean(
            MEASURES[own](sixteen_bars(seed, **{name: lowest + (highest - lowest) * share}))
            for seed in range(SEEDS)
        )
        for share in UNIT
    ]
    assert all(direction * (later - earlier) > 0 for earlier, later in pairwise(means)), means


@pytest.mark.parametrize(
    ("physical", "musical"),
    [
        ("friction", "harmony"),
        ("elasticity", "rhythm_complexity"),
        ("air_resistance", "melody_range"),
    ],
)
@pytest.mark.parametrize("end", [0.0, 1.0])
def test_physics_acts_wherever_the_music_stands(physical: str, musical: str, end: float) -> None:
    own, direction = next(iter(PARAMETERS[physical].moves.items()))
    less, more = (
        fmean(
            MEASURES[own](sixteen_bars(seed, **{physical: value, musical: end}))
            for seed in range(SEEDS)
        )
        for value in (0.0, 1.0)
    )
    assert direction * (more - less) > 0


@pytest.mark.parametrize("value", UNIT)
def test_at_its_defaults_physics_bends_nothing(value: float) -> None:
    music = MusicParameters(
        harmony=value, tempo=40 + 160 * value, rhythm_complexity=value, melody_range=value
    )
    shape = shape_of(music, PhysicsParameters())
    assert shape.tempo == music.tempo
    assert shape.consonance == shape.liveliness == shape.width == thousandths(level(value))
    assert shape.length_percent == 100


def test_gravity_leaves_the_notes_as_they_are_in_beats() -> None:
    heavy, light = piece(37.5, gravity=20), piece(25, gravity=0)
    assert (heavy.tempo, light.tempo) == (96, 144)
    # A microsecond's rounding of a beat may make the end a tick earlier.
    assert [(e.onset, e.voice, e.pitch, e.velocity) for e in heavy.events] == [
        (e.onset, e.voice, e.pitch, e.velocity) for e in light.events
    ]


def test_the_melodys_range_leaves_rhythm_bass_and_drums_as_they_are() -> None:
    for seed in range(6):
        # Upper voices follow the melody: they lie close below it. Where no tone is coloured, the
        # bass is the same.
        narrow, wide = (
            piece(30, seed, melody_range=value, harmony=1.0, style="march") for value in (0.0, 1.0)
        )
        assert [e.onset for e in melody(narrow)] == [e.onset for e in melody(wide)]
        basses, others = (
            [
                {(e.onset, e.pitch) for e in s.events[:-4] if (e.voice is Voice.BASS) is wanted}
                for s in (narrow, wide)
            ]
            for wanted in (True, False)
        )
        # A tone that another voice begins as well is that voice's.
        assert basses[0] - basses[1] <= others[1]
        assert basses[1] - basses[0] <= others[0]
        # The unevenness of hands moves them by a tick or two.
        strokes = [Counter((it.key, it.velocity) for it in s.strokes) for s in (narrow, wide)]
        assert strokes[0] == strokes[1]


def test_harmony_and_friction_leave_the_rhythm_as_it_is() -> None:
    pure, rough = piece(harmony=1, friction=0), piece(harmony=0, friction=1)
    assert [e.onset for e in melody(pure)] == [e.onset for e in melody(rough)]


def test_the_time_scale_changes_lengths_and_nothing_else() -> None:
    short, long = piece(time_scale=0.1), piece(time_scale=5)
    assert [(e.onset, e.voice, e.pitch, e.velocity) for e in short.events] == [
        (e.onset, e.voice, e.pitch, e.velocity) for e in long.events
    ]
