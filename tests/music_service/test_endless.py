"""The endless piece: each bar follows from its record, and goes on from the one before."""

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonic_music.composing.shape import shape_of
from harmonic_music.endless import MAX_STATE_BYTES, ComposedBar, compose_bar
from harmonic_music.endless.timing import BarTime, beat_ns
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from music_service.validity import KEYS, SCALE_NAMES

Record = tuple[MusicParameters, PhysicsParameters]
PLAIN: Record = (MusicParameters(), PhysicsParameters())
#: The voices of which one note sounds at a time, where notes are not lengthened.
LINES = ("melody", "counter", "bass")


def played(
    records: Sequence[Record], *, style: str | None = "strings", seed: int = 5
) -> Iterator[ComposedBar]:
    """The bars of a piece, each with what was asked at its record."""
    state = None
    for number, (music, physics) in enumerate(records):
        bar = compose_bar(music, physics, style=style, seed=seed, bar=number, state=state)
        yield bar
        state = bar.next_state


@lru_cache(maxsize=8)
def steady(bars: int, style: str = "strings", seed: int = 5) -> tuple[ComposedBar, ...]:
    return tuple(played([PLAIN] * bars, style=style, seed=seed))


def moved(seed: int, bars: int, share: float) -> list[Record]:
    """Records of which so many have a slider moved, anywhere in its range."""
    rng = random.Random(seed)
    music, physics = PLAIN
    found = []
    for _ in range(bars):
        if rng.random() < share:
            unit = rng.random()
            music_moved: dict[str, object] = rng.choice(
                [
                    {"harmony": unit},
                    {"tempo": 40 + 160 * unit},
                    {"key": rng.choice(KEYS)},
                    {"scale": rng.choice(SCALE_NAMES)},
                    {"rhythm_complexity": unit},
                    {"melody_range": unit},
                ]
            )
            physics_moved: dict[str, object] = rng.choice(
                [
                    {"gravity": 20 * unit},
                    {"friction": unit},
                    {"elasticity": unit},
                    {"air_resistance": unit},
                    {"time_scale": 0.1 + 4.9 * unit},
                ]
            )
            if rng.random() < 0.5:
                music = music.model_copy(update=music_moved)
            else:
                physics = physics.model_copy(update=physics_moved)
        found.append((music, physics))
    return found


@pytest.mark.parametrize("style", STYLES)
def test_bars_are_playable_whatever_is_moved(style: str) -> None:
    records = moved(len(style), 24, 0.4)
    for (music, physics), bar in zip(records, played(records, style=style), strict=True):
        assert len(bar.next_state) <= MAX_STATE_BYTES
        assert bar.next_state.isascii()
        assert bar.style == style
        assert bar.tempo == shape_of(music, physics).tempo
        assert (bar.key, bar.scale) == (music.key, music.scale)
        starts = [note.start for note in bar.notes]
        assert starts == sorted(starts)
        for note in bar.notes:
            assert 0 <= note.pitch <= 127
            assert 1 <= note.velocity <= 127
            assert 0 <= note.start < bar.duration_s
            assert note.duration > 0
        for key, start, velocity in bar.drums:
            assert 27 <= key <= 87
            assert 0 <= start < bar.duration_s
            assert 1 <= velocity <= 127


def test_a_bar_follows_from_its_record_alone() -> None:
    records = moved(1, 60, 0.2)
    bars = list(played(records))
    states = [None, *(bar.next_state for bar in bars)]
    for number in random.Random(2).sample(range(len(bars)), len(bars)):
        music, physics = records[number]
        again = compose_bar(
            music, physics, style="strings", seed=5, bar=number, state=states[number]
        )
        assert again == bars[number]


def test_an_unreadable_state_begins_a_new_section() -> None:
    before = steady(20)[-1]
    for state in ("", "2;0;1;0|{}", before.next_state[:-9], before.next_state * 9, None):
        bar = compose_bar(*PLAIN, style="strings", seed=5, bar=20, state=state)
        assert bar.opens
        assert bar.next_state != before.next_state


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_state_stops_the_music(data: st.DataObject) -> None:
    state = steady(20)[data.draw(st.integers(0, 18))].next_state
    at = data.draw(st.integers(0, len(state) - 1))
    text = data.draw(st.text(st.characters(codec="ascii"), max_size=3))
    bar = compose_bar(
        *PLAIN,
        style="strings",
        seed=5,
        bar=data.draw(st.integers(0, 21)),
        state=state[:at] + text + state[at + 1 :],
    )
    assert len(bar.next_state) <= MAX_STATE_BYTES


@settings(max_examples=30)
@given(st.lists(st.floats(40, 200), min_size=1, max_size=9), st.integers(3, 4))
def test_bars_add_up_to_what_the_tempo_says(tempos: list[float], beats: int) -> None:
    told, rest, before = 0, 0, beat_ns(tempos[0])
    expected, exactly = Fraction(0), 60 / Fraction(tempos[0])
    for tempo in tempos:
        for _ in range(99):
            after, exact = beat_ns(tempo), 60 / Fraction(tempo)
            us, rest = BarTime(beats * TICKS_PER_BEAT, before, after).us(rest)
            told += us
            expected += beats * (exactly + exact) / 2
            before, exactly = after, exact
    # A microsecond, and half a nanosecond for every beat.
    assert abs(told - expected * 10**6) < 1 + 99 * len(tempos) * beats / 1000


@pytest.mark.parametrize("style", ["strings", "waltz", "barcarolle"])
def test_a_bar_is_as_long_as_its_beats(style: str) -> None:
    records = [(MusicParameters(tempo=117.3), PhysicsParameters())] * 12
    told = sum(bar.duration_us for bar in played(records, style=style))
    assert abs(told - 12 * STYLES[style].meter.bar / 12 * 60e6 / 117.3) < 2


def test_a_tempo_is_reached_within_a_bar() -> None:
    records = [PLAIN] * 3 + [(MusicParameters(tempo=60), PhysicsParameters())] * 2
    durations = [bar.duration_s for bar in played(records)]
    assert durations == [2, 2, 2, 3, 4]


def test_a_key_is_led_to_by_its_dominant_and_reached_after_a_bar() -> None:
    pure = MusicParameters(harmony=1)
    there = MusicParameters(harmony=1, key="E")
    for seed in range(12):
        records = [(music, PhysicsParameters()) for music in [pure] * (9 + seed) + [there] * 3]
        *_, leading, reached, _ = played(records, seed=seed)
        # Nothing but the leading tone of the new key is foreign to the old one here.
        sounding = {note.pitch % 12 for note in leading.notes}
        assert pitch_class("D#") in sounding
        tones = {(pitch_class("E") + step) % 12 for step in SCALES["major"].steps}
        assert {note.pitch % 12 for note in reached.notes} <= tones
