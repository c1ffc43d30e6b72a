"""The endless piece: each bar follows from its record, and goes on from the one before."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonic_music.composing.shape import shape_of
from harmonic_music.endless import BARS_VERSION, MAX_STATE_BYTES, ComposedBar, compose_bar
from harmonic_music.endless.timing import BarTime, approached, beat_ns
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.intervals import consonance
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from music_service import endless_golden
from music_service.endless_day import longest_repeat, measured, stretches
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
    beat = None
    for (music, physics), bar in zip(records, played(records, style=style), strict=True):
        assert len(bar.next_state) <= MAX_STATE_BYTES
        assert bar.next_state.isascii()
        assert bar.style == style
        asked = beat_ns(shape_of(music, physics).tempo)
        beat = asked if beat is None else approached(beat, asked)
        assert bar.tempo == pytest.approx(60e9 / beat, abs=0.001)
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


def test_a_tempo_is_reached_within_a_bar_or_two() -> None:
    for tempo, expected in ((80, [2, 2, 2, 2.5, 3, 3]), (60, [2, 2, 2, 2.8, 3.8, 4])):
        records = [PLAIN] * 3 + [(MusicParameters(tempo=tempo), PhysicsParameters())] * 3
        assert [bar.duration_s for bar in played(records)] == expected


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


def sounding(bars: Sequence[ComposedBar]) -> list[tuple[str, int, int, int]]:
    """Voice, pitch, start and end of all notes, in microseconds from the first bar's beginning."""
    found = []
    begins = 0
    for bar in bars:
        for note in bar.notes:
            start = begins + round(note.start * 10**6)
            found.append((note.voice, note.pitch, start, start + round(note.duration * 10**6)))
        begins += bar.duration_us
    return sorted(found, key=lambda it: it[2])


@pytest.mark.parametrize("seed", range(6))
def test_no_pitch_begins_while_it_sounds(seed: int) -> None:
    style = list(STYLES)[seed]
    ends: dict[int, int] = {}
    for _, pitch, start, end in sounding(list(played(moved(seed, 60, 0.5), style=style))):
        assert start >= ends.get(pitch, 0)
        ends[pitch] = end


@pytest.mark.parametrize("seed", range(6))
def test_lines_have_one_note_at_a_time(seed: int) -> None:
    records = [
        (music, physics.model_copy(update={"time_scale": min(physics.time_scale, 1.0)}))
        for music, physics in moved(seed, 60, 0.5)
    ]
    style = list(STYLES)[-1 - seed]
    ends: dict[str, int] = {}
    # Hands are a little uneven.
    for voice, _, start, end in sounding(list(played(records, style=style))):
        if voice in LINES:
            assert ends.get(voice, 0) - start < 50_000
            ends[voice] = end


@pytest.mark.parametrize(("key", "scale"), [("C", "major"), ("F#", "minor"), ("Eb", "dorian")])
def test_with_full_harmony_no_tone_is_foreign(key: str, scale: str) -> None:
    music = MusicParameters.model_validate({"key": key, "scale": scale, "harmony": 1})
    tones = {(pitch_class(key) + step) % 12 for step in SCALES[scale].steps}
    for bar in played([(music, PhysicsParameters())] * 90, style="pop"):
        assert {note.pitch % 12 for note in bar.notes} <= tones


@pytest.mark.parametrize(
    ("moved_to", "measure", "rises"),
    [
        ({"rhythm_complexity": 1}, "onsets", True),
        ({"melody_range": 0}, "width", False),
        ({"elasticity": 1}, "loudness", True),
        ({"air_resistance": 1}, "loudness", False),
        ({"harmony": 0}, "foreign", True),
        ({"friction": 1}, "purity", False),
        ({"time_scale": 0.3}, "length", False),
    ],
)
def test_a_slider_is_heard_from_the_next_bar(
    moved_to: dict[str, object], measure: str, *, rises: bool
) -> None:
    name = next(iter(moved_to))
    music, physics = PLAIN
    if name in MusicParameters.model_fields:
        music = music.model_copy(update=moved_to)
    else:
        physics = physics.model_copy(update=moved_to)
    for seed in range(2):
        before = [PLAIN] * (13 + seed)
        *_, changed = played([*before, (music, physics)], seed=seed)
        assert changed.notes != steady(40, "strings", seed)[len(before)].notes
    # What the slider asks for is what is heard, on average over some bars.
    there = sum(heard(measure, list(played([(music, physics)] * 40, seed=it))) for it in range(2))
    here = sum(heard(measure, steady(40, "strings", it)) for it in range(2))
    assert there > 1.1 * here if rises else there < 0.9 * here


def heard(measure: str, bars: Sequence[ComposedBar]) -> float:
    notes = [note for bar in bars for note in bar.notes]
    melody = [note for note in notes if note.voice == "melody"]
    if measure == "onsets":
        return len(melody)
    if measure == "width":
        return max(note.pitch for note in melody) - min(note.pitch for note in melody)
    if measure == "loudness":
        return sum(note.velocity for note in notes) / len(notes)
    if measure == "length":
        return sum(note.duration for note in notes) / len(notes)
    if measure == "purity":
        pairs = [pair for bar in bars for pair in combinations(chord(bar, 0, 0.25), 2)]
        return sum(consonance(*pair) for pair in pairs) / len(pairs)
    tones = {(pitch_class("C") + step) % 12 for step in SCALES["major"].steps}
    return sum(note.pitch % 12 not in tones for note in notes) / len(notes) + 0.01


def test_gravity_has_drums_and_bass_stay_or_leave() -> None:
    shares = []
    for gravity in (0.0, 9.81, 20.0):
        record = (MusicParameters(), PhysicsParameters(gravity=gravity))
        bars = [bar for seed in range(2) for bar in played([record] * 48, style="pop", seed=seed)]
        shares.append(sum(bool(bar.drums) for bar in bars) / len(bars))
        low = [any(note.voice == "bass" for note in bar.notes) for bar in bars]
        shares.append(sum(low) / len(low))
    assert shares[0] == 0 < shares[2] < shares[4]
    assert shares[1] < shares[3] < shares[5]


def test_upper_voices_lead_on_over_bar_lines_whatever_moves() -> None:
    moves, steps = [], []
    for seed in range(4):
        records = moved(seed, 60, 0.3)
        bars = list(played(records, seed=seed))
        for before, after in pairwise(bars):
            last = chord(before, 0, 1)
            first = chord(after, 0, 0.25)
            # A single voice may be part of a unison.
            if last and len(first) > 1:
                moves += [min(abs(pitch - other) for other in last) for pitch in first]
            ends = [note.pitch for note in before.notes if note.voice == "melody"][-1:]
            begins = [note.pitch for note in after.notes if note.voice == "melody"][:1]
            steps += [abs(one - other) for one, other in zip(ends, begins, strict=False)]
    assert sum(moves) / len(moves) < 3
    assert sum(move <= 7 for move in moves) / len(moves) > 0.95
    assert sum(step <= 12 for step in steps) / len(steps) > 0.98


def chord(bar: ComposedBar, start: float, end: float) -> set[int]:
    """What the upper voices strike in a part of a bar."""
    lasts = bar.duration_s
    return {
        note.pitch
        for note in bar.notes
        if note.voice == "pads" and start * lasts <= note.start < end * lasts
    }


def test_sections_come_back_and_contrasts_do_not_sound_like_them() -> None:
    returns: list[float] = []
    contrasts: list[float] = []
    for seed in range(4):
        bars = steady(90, "strings", seed)
        first: list[str] = []
        sections: list[list[ComposedBar]] = []
        for bar in bars:
            if bar.opens:
                first.append(bar.section)
                sections.append([])
            sections[-1].append(bar)
        main = next(part for name, part in zip(first, sections, strict=True) if name == "A")
        known = {tune(bar) for bar in main}
        for name, part in list(zip(first, sections, strict=True))[first.index("A") + 1 :]:
            sung = [bar for bar in part if any(note.voice == "melody" for note in bar.notes)]
            share = sum(tune(bar) in known for bar in sung) / max(1, len(sung))
            (returns if name == "A" else contrasts if name == "B" else []).append(share)
    assert sum(returns) / len(returns) > 0.3
    assert sum(contrasts) / len(contrasts) < 0.1


def tune(bar: ComposedBar) -> tuple[tuple[int, int], ...]:
    """A bar's melody on the grid of sixteenths in any key; a rest is unlike any other."""
    step = bar.duration_s / 16
    melody = [note for note in bar.notes if note.voice == "melody"]
    return tuple((round(note.start / step), note.pitch - melody[0].pitch) for note in melody) or (
        (id(bar), 0),
    )


def test_no_layer_is_stuck_and_no_passage_comes_twice() -> None:
    bars = [measured(bar, None) for bar in steady(400, "pop", 3)]
    assert longest_repeat([bar.all_notes for bar in bars]) < 8
    assert longest_repeat([bar.melody for bar in bars]) < 20
    for layer in ("melody", "counter", "bass", "drums"):
        runs = stretches([layer in bar.layers for bar in bars])
        assert 1 <= runs[False] <= 48
        assert runs[True] <= 160
    loudness = sorted(bar.loudness for bar in bars)
    assert loudness[360] - loudness[40] > 25
    assert len({bar.layers for bar in bars}) >= 6
    assert len({bar.key for bar in bars}) >= 3


@pytest.mark.parametrize("hashing", ["1", "2"])
def test_every_process_composes_the_same_bars(hashing: str) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "music_service.endless_golden", "60"],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": hashing},
    ).stdout
    assert made.split()[0] == endless_golden.digest(60)


def test_bars_are_those_of_this_version() -> None:
    assert endless_golden.digest(120) == endless_golden.DIGESTS[BARS_VERSION]


def test_the_longest_passage_that_comes_twice_is_found() -> None:
    assert longest_repeat("abcdabcx") == 3
    assert longest_repeat("aaaa") == 3
    assert longest_repeat("abcd") == 0


def test_the_bass_is_never_left_alone() -> None:
    # Here the tune would rest while the upper voices do.
    for bar in played([PLAIN] * 68, style="minimal", seed=24):
        assert {note.voice for note in bar.notes} - {"bass"}
