"""The endless piece over minutes: arcs, layers that rest, gradual changes, and what comes back."""

from collections.abc import Sequence
from itertools import islice, pairwise
from statistics import correlation

import pytest

from harmonic_music.endless import ComposedBar
from harmonic_music.endless.arcs import ARCS, arc_of
from harmonic_music.endless.course import chapter_of
from harmonic_music.endless.players import players_of
from harmonic_music.endless.timing import approached, beat_ns
from harmonic_music.endless.wire import read
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from music_service.endless_day import lengths
from music_service.endless_people import people
from music_service.test_endless import played, steady

SEEDS = range(6)


def energies(seed: int, chapter: int) -> list[int]:
    """A chapter's energy at twelve even distances."""
    found = chapter_of(seed, chapter, blues=False).energies
    return [found[place * (len(found) - 1) // 11] for place in range(12)]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_arc_comes_once_before_any_comes_again(seed: int) -> None:
    names = [arc_of(seed, chapter).name for chapter in range(8 * len(ARCS))]
    for turn in range(0, len(names), len(ARCS)):
        assert len(set(names[turn : turn + len(ARCS)])) == len(ARCS)
    assert all(one != other for one, other in pairwise(names))
    assert len({tuple(names[at : at + len(ARCS)]) for at in range(0, len(names), len(ARCS))}) > 4


@pytest.mark.parametrize("seed", SEEDS)
def test_chapters_rise_and_fall_in_ways_of_their_own(seed: int) -> None:
    found = [energies(seed, chapter) for chapter in range(40)]
    alike = [correlation(one, other) for one, other in pairwise(found)]
    assert sum(alike) / len(alike) < 0.2
    assert min(alike) < -0.4
    starts, ends = [it[0] for it in found], [it[-1] for it in found]
    assert min(starts) < 30
    assert max(starts) > 66
    assert min(ends) < 26
    assert max(ends) > 74
    bars = [sum(s.length for s in chapter_of(seed, n, blues=False).slots) for n in range(40)]
    assert min(bars) <= 36
    assert max(bars) >= 80


@pytest.mark.parametrize(("style", "seed"), [("strings", 1), ("pop", 2), ("swing", 3)])
def test_layers_breathe(style: str, seed: int) -> None:
    bars = steady(400, style, seed)
    for layer, most_played, most_rested in (("melody", 32, 10), ("pads", 36, 8), ("bass", 36, 12)):
        plays = [any(note.voice == layer for note in bar.notes) for bar in bars]
        assert max(lengths(plays)) <= most_played, layer
        assert max(lengths([not it for it in plays])) <= most_rested, layer
    assert all(bar.notes for bar in bars)


def test_alone_few_and_all_play() -> None:
    bars = [bar for seed in range(3) for bar in steady(240, "strings", seed)]
    layers = [frozenset(note.voice for note in bar.notes) for bar in bars]
    shares = {it: layers.count(it) / len(layers) for it in set(layers)}
    assert shares[frozenset({"melody"})] > 0.01
    assert shares[frozenset({"pads"})] > 0.01
    assert shares[frozenset({"melody", "counter", "pads", "bass"})] > 0.15
    assert max(shares.values()) < 0.7


@pytest.mark.parametrize("there", [0.0, 1.0])
def test_the_range_of_the_melody_moves_by_a_few_semitones_a_bar(there: float) -> None:
    wide, narrow = (
        (MusicParameters(melody_range=unit), PhysicsParameters()) for unit in (there, 1 - there)
    )
    for seed in range(4):
        bars = list(played([narrow] * (17 + seed) + [wide] * 20, seed=seed))
        widths = [
            position.segment.asked.width for bar in bars if (position := read(bar.next_state))
        ]
        steps = [other - one for one, other in pairwise(widths)]
        assert max(map(abs, steps)) <= 135
        assert sum(step != 0 for step in steps) == 6
        assert widths[-1] == 100 + 800 * there


def test_the_melody_goes_on_within_an_octave_over_bar_lines() -> None:
    # Some themes have a larger leap of their own.
    leaps = [
        leap
        for seed in SEEDS
        for leap in melody_leaps(list(played(list(islice(people(seed), 160)), seed=seed)))
    ]
    assert sum(leap <= 12 for leap in leaps) / len(leaps) > 0.95
    assert sum(leap <= 7 for leap in leaps) / len(leaps) > 0.85
    assert sum(leaps) / len(leaps) < 4


def melody_leaps(bars: Sequence[ComposedBar]) -> list[int]:
    found = []
    for before, after in pairwise(bars):
        ends = [note.pitch for note in before.notes if note.voice == "melody"][-1:]
        begins = [note.pitch for note in after.notes if note.voice == "melody"][:1]
        found += [abs(one - other) for one, other in zip(ends, begins, strict=False)]
    return found


def test_a_large_change_of_tempo_takes_some_bars() -> None:
    slow, fast = ((MusicParameters(tempo=tempo), PhysicsParameters()) for tempo in (50, 180))
    for records in ([slow] * 3 + [fast] * 5, [fast] * 3 + [slow] * 5):
        bars = list(played(records))
        beats = [beat_ns(bar.tempo) for bar in bars]
        for before, after in pairwise(beats):
            assert max(before, after) <= 1.801 * min(before, after)
        assert bars[2].tempo != bars[3].tempo != bars[4].tempo
        assert [bar.tempo for bar in bars[5:]] == [records[-1][0].tempo] * 3
        for (before, after), bar in zip(pairwise(beats), bars[1:], strict=True):
            assert bar.duration_s == pytest.approx(4 * (before + after) / 2 / 1e9, abs=1e-4)


@pytest.mark.parametrize("asked", [250_000_000, 1_900_000_000])
def test_any_tempo_is_reached(asked: int) -> None:
    beat = 500_000_000
    for _ in range(4):
        beat = approached(beat, asked)
    assert beat == asked


def test_a_chapter_ends_slowly_and_the_next_begins_in_tempo() -> None:
    bars = steady(400, "strings", 5)
    slow = [number for number, bar in enumerate(bars) if bar.duration_s > 2]
    ends = [
        number
        for number, (one, other) in enumerate(pairwise(bars))
        if chapter(one) != chapter(other)
    ]
    assert {it - 1 for it in slow} <= set(ends)
    assert len(slow) >= 3
    assert all(bars[it].duration_us == 2_120_000 for it in slow)
    assert {bar.duration_us for number, bar in enumerate(bars) if number not in slow} == {2_000_000}


def chapter(bar: ComposedBar) -> int:
    position = read(bar.next_state)
    assert position is not None
    return position.segment.chapter


@pytest.mark.parametrize(("key", "seed"), [("G", 1), ("F", 2), ("D", 3), ("Bb", 4)])
def test_a_key_is_prepared_by_a_chord_that_both_have(key: str, seed: int) -> None:
    here = MusicParameters(harmony=1)
    there = MusicParameters.model_validate({"harmony": 1, "key": key})
    records = [(music, PhysicsParameters()) for music in [here] * 13 + [there] * 2]
    leading = list(played(records, seed=seed))[13]
    tones = [{(pitch_class(it) + step) % 12 for step in SCALES["major"].steps} for it in ("C", key)]
    struck = {
        note.pitch % 12
        for note in leading.notes
        if note.voice == "pads" and note.start < 0.2 * leading.duration_s
    }
    assert struck
    assert len(struck - (tones[0] & tones[1])) <= 1


def test_a_theme_is_kept_for_later_and_returns() -> None:
    kept, main = [], []
    for bar in steady(900, "strings", 7):
        position = read(bar.next_state)
        assert position is not None
        themes = position.segment.carried.themes
        if "ZA" in themes and "AA" in themes and position.segment.slot == 0:
            kept.append(themes["ZA"])
            main.append(themes["AA"])
    assert any(one == other for one, other in zip(kept, main, strict=True))
    assert any(one != other for one, other in zip(kept, main, strict=True))


def test_other_instruments_have_the_tune_from_chapter_to_chapter() -> None:
    for style in STYLES.values():
        found = [players_of(style.name, 3, number) for number in range(30)]
        assert found[0] == style.programs
        assert {it[2:] for it in found} == {style.programs[2:]}
        alone = style.name in {"classical", "chorale", "ragtime"}
        assert len(set(found)) == 1 if alone else len(set(found)) > 2


def test_outer_voices_hardly_move_in_parallel_over_bar_lines() -> None:
    parallel = moved = 0
    for seed in range(4):
        for before, after in pairwise(steady(200, "strings", seed)):
            rows = [pitches(bar, voice) for voice in ("melody", "bass") for bar in (before, after)]
            if not all(rows):
                continue
            melody, onward, bass, low = rows[0][-1], rows[1][0], rows[2][-1], rows[3][0]
            if melody != onward and bass != low:
                moved += 1
                alike = (onward - melody) * (low - bass) > 0
                one, other = (melody - bass) % 12, (onward - low) % 12
                parallel += alike and one == other and one in {0, 7}
    assert moved > 300
    assert parallel / moved < 0.06


def pitches(bar: ComposedBar, voice: str) -> list[int]:
    return [note.pitch for note in bar.notes if note.voice == voice]
