"""What holds for every piece, whatever it is made from."""

import json
import random
from collections import Counter
from itertools import combinations
from statistics import fmean
from typing import get_args

import pytest

from harmonic_music.composing import COMPOSER_VERSION, CompositionRequest, compose
from harmonic_music.composing.drumming import DrumStroke
from harmonic_music.composing.memory import read_theme
from harmonic_music.composing.piece import MOST_NOTES, MOST_STROKES, bounded, strokes_bounded
from harmonic_music.performing import perform
from harmonic_music.score import TICKS_PER_BEAT, ScoreNote, Voice
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.messages.music import MAX_DURATION_S
from harmonic_protocol.values import Scale, StyleName
from music_service import golden
from music_service.likeness import alike
from music_service.measures import (
    asked,
    consonance,
    foreign_tones,
    melody,
    onsets_a_beat,
    piece,
)
from music_service.validity import SCALE_NAMES, faults, random_request

REQUESTS = 2000
#: Notes and drums together; the broker takes a megabyte.
MAX_BYTES = 450_000


def test_notes_are_written_as_they_are_declared() -> None:
    for seed in range(10):
        made = perform(CompositionRequest(*asked(), 20, seed))
        declared = [note.to_wire() for note in made.score.notes()]
        assert made.notes == json.dumps(declared, separators=(",", ":")).encode()
        frame = json.loads(b'{"notes":' + made.members("earlier") + b"}")
        assert frame["after"] == "earlier"
        assert frame["style"] == made.score.style


@pytest.mark.parametrize("part", range(4))
def test_no_request_makes_a_piece_with_a_fault(part: int) -> None:
    chance = random.Random(part)
    for _ in range(REQUESTS // 4):
        request = random_request(chance)
        assert faults(request) == [], request


@pytest.mark.parametrize("duration", [1e-9, 0.0004, 0.02])
def test_the_shortest_piece_is_one_chord_that_takes_its_time(duration: float) -> None:
    notes = piece(duration).notes()
    assert {note.start_time for note in notes} == {0}
    assert {note.duration for note in notes} == {duration}


def test_a_phrase_of_less_than_a_bar_may_have_no_melody() -> None:
    music, physics = asked(
        key="Bb", scale="blues", tempo=169.7, rhythm_complexity=0, gravity=20, elasticity=1
    )
    assert faults(CompositionRequest(music, physics, 0.43, 1653432011228813)) == []


@pytest.mark.parametrize("duration", [1, 2, 3, 4])
def test_a_short_piece_is_a_gesture_from_somewhere_to_the_tonic(duration: float) -> None:
    score = piece(duration)
    bass = [event for event in score.events if event.voice is Voice.BASS]
    assert bass[0].onset == 0
    assert bass[-2].pitch % 12 != bass[-1].pitch % 12 == 0
    assert score.notes()[-1].start_time > duration / 4


@pytest.mark.parametrize("time_scale", [0.1, 1, 5])
@pytest.mark.parametrize("duration", [8, 31.4, 299.99])
def test_the_last_chord_sounds_to_the_end(duration: float, time_scale: float) -> None:
    notes = piece(duration, time_scale=time_scale).notes()
    last = [note for note in notes if note.start_time == notes[-1].start_time]
    assert {note.start_time + note.duration for note in last} == {duration}


@pytest.mark.parametrize("tempo", [40, 120, 200])
@pytest.mark.parametrize("scale", ["major", "chromatic"])
@pytest.mark.parametrize("style", [None, "pop", "minimal"])
def test_the_longest_and_busiest_piece_stays_small(
    tempo: float, scale: Scale, style: str | None
) -> None:
    music, physics = asked(scale=scale, tempo=tempo, gravity=0, rhythm_complexity=1, elasticity=1)
    busiest = CompositionRequest(music, physics, MAX_DURATION_S, 1, style)
    made = perform(busiest)
    assert len(made.members("x" * 64)) < MAX_BYTES


@pytest.mark.parametrize("seed", range(6))
def test_the_busiest_pieces_keep_within_the_bound(seed: int) -> None:
    music, physics = asked(tempo=200, gravity=0, rhythm_complexity=1, elasticity=1)
    made = perform(CompositionRequest(music, physics, MAX_DURATION_S, seed, "swing"))
    assert len(made.score.events) <= MOST_NOTES
    assert len(made.score.strokes) <= MOST_STROKES
    assert len(made.members("x" * 64)) < MAX_BYTES


def test_what_is_beyond_the_bound_is_left_out_and_the_last_chord_stays() -> None:
    first = [ScoreNote(n, Voice.MELODY, 72, 10, 64) for n in range(MOST_NOTES)]
    upper = [ScoreNote(n, Voice.PADS, 60, 5 + n, 64) for n in range(9)]
    last = [ScoreNote(MOST_NOTES, Voice.PADS, 60, 1, 64)]
    kept = bounded([*upper, *first, *last], goal=MOST_NOTES)
    assert kept == [*first[1:], *last]
    assert bounded(first, goal=MOST_NOTES) == first
    strokes = [DrumStroke(n, 42, 100) for n in range(MOST_STROKES)]
    assert strokes_bounded([*strokes, DrumStroke(MOST_STROKES, 42, 50)]) == strokes


@pytest.mark.parametrize("scale", sorted(set(SCALE_NAMES) - {"blues"}))
def test_harmony_purifies_every_scale(scale: Scale) -> None:
    # Five tones leave little room for roughness: there, more pieces are heard.
    seeds = range(8 if len(SCALES[scale].steps) > 5 else 24)
    rough, middle, pure = (
        sum(consonance(piece(30, seed, scale=scale, harmony=harmony)) for seed in seeds)
        for harmony in (0, 0.5, 1)
    )
    assert rough < middle < pure


def test_another_key_moves_the_melody_and_changes_nothing_else() -> None:
    for seed in range(10):
        in_c, in_d = melody(piece(8, seed)), melody(piece(8, seed, key="D"))
        # The bass keeps to its register in either key, so melodies may differ where they meet it.
        same = sum((a.pitch - b.pitch) % 12 == 2 for a, b in zip(in_d, in_c, strict=True))
        assert same >= 0.5 * len(in_c)
        assert [a.onset for a in in_d] == [b.onset for b in in_c]


@pytest.mark.parametrize(("key", "next_"), [("G", "Ab"), ("C", "C#"), ("A", "Bb")])
def test_a_semitone_on_the_key_slider_hardly_moves_the_register(key: str, next_: str) -> None:
    moved = [
        fmean(note.pitch for note in melody(piece(16, seed, key=next_)))
        - fmean(note.pitch for note in melody(piece(16, seed, key=key)))
        for seed in range(30)
    ]
    assert abs(fmean(moved)) < 3


def test_no_key_lies_higher_than_another() -> None:
    means = [
        fmean(note.pitch for seed in range(20) for note in melody(piece(8, seed, key=key)))
        for key in ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    ]
    assert max(means) - min(means) < 8


def test_keys_that_sound_alike_give_the_same_notes() -> None:
    assert piece(key="C#").events == piece(key="Db").events


def test_no_two_of_a_thousand_seeds_are_alike() -> None:
    melodies = [tuple((n.onset, n.pitch) for n in melody(piece(32, n))) for n in range(1000)]
    assert max(Counter(melodies).values()) == 1


def test_pieces_of_other_seeds_have_other_melodies() -> None:
    melodies = [[note.pitch for note in melody(piece(32, seed))] for seed in range(60)]
    likeness = sorted(alike(one, other) for one, other in combinations(melodies, 2))
    assert likeness[len(likeness) // 2] < 0.52
    assert likeness[-1] < 0.8


@pytest.mark.parametrize("voice", Voice)
def test_voices_keep_to_their_register(voice: Voice) -> None:
    ranges = {
        Voice.BASS: (28, 60),
        Voice.PADS: (46, 79),
        Voice.COUNTER: (50, 90),
        Voice.MELODY: (52, 96),
    }
    lowest, highest = ranges[voice]
    for seed in range(20):
        events = piece(30, seed, melody_range=1, air_resistance=0).events
        assert all(lowest <= e.pitch <= highest for e in events if e.voice is voice)


def test_notes_tell_their_voice_and_sections_their_beginning() -> None:
    score = piece(96)
    notes = score.notes()
    assert {note.voice for note in notes} == {"melody", "counter", "pads", "bass"}
    assert [note.section for note in notes if note.section] == [s.name for s in score.sections]
    beat_s = 60 / score.tempo
    opening = [note.start_time for note in notes if note.section]
    expected = [s.onset / TICKS_PER_BEAT * beat_s for s in score.sections]
    assert all(abs(a - b) < beat_s for a, b in zip(opening, expected, strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_the_score_is_exact_and_what_is_played_is_not(seed: int) -> None:
    score = piece(32, seed)
    assert all(event.onset % 40 == 0 for event in score.events)
    assert len(score.played) == len(score.events)
    moved = [note.onset - note.written for note in score.played]
    assert sum(by != 0 for by in moved) > 0.7 * len(moved)
    # The end slows down; before that, nobody is far from the beat but for swing.
    last = score.played[-1]
    assert last.onset > last.written
    loud = sorted(note.velocity for note in score.played)
    assert loud[len(loud) * 95 // 100] - loud[len(loud) * 5 // 100] >= 25


def test_the_blues_swings() -> None:
    score = piece(32, scale="blues")
    assert score.style == "blues"
    off = [note.onset - note.written for note in score.played if note.written % 480 == 240]
    assert 50 < sorted(off)[len(off) // 2] < 100


def test_every_style_that_may_be_asked_for_makes_its_piece() -> None:
    assert set(get_args(StyleName)) == set(STYLES)
    for style in STYLES:
        score = piece(30, style=style)
        assert score.style == style
        assert (score.strokes != ()) == (STYLES[style].groove is not None)


def test_styles_are_drawn_from_the_seed() -> None:
    drawn = Counter(piece(4, seed).style for seed in range(300))
    assert set(drawn) == set(STYLES) - {"blues"}
    assert max(drawn.values()) < 90


@pytest.mark.parametrize("parameter", ["rhythm_complexity", "elasticity"])
def test_a_long_and_fast_piece_is_as_lively_in_proportion(parameter: str) -> None:
    def onsets(duration: float, value: float) -> float:
        return fmean(
            onsets_a_beat(piece(duration, seed, tempo=200, **{parameter: value}))
            for seed in range(4)
        )

    for low, high in ((0, 0.5), (0.5, 1)):
        short = onsets(30, high) / onsets(30, low)
        long = onsets(300, high) / onsets(300, low)
        assert long - 1 > 0.5 * (short - 1)


def test_an_answer_begins_with_the_theme_and_goes_elsewhere() -> None:
    for seed in range(10):
        first = piece(30, seed)
        theme = read_theme(first.theme or "")
        assert theme is not None
        request = CompositionRequest(*asked(), 30, seed + 100, None, theme)
        answer, alone = compose(request), piece(30, seed + 100)
        assert answer.meter == first.meter
        assert answer.events != alone.events
        bar = [onset for onset, _ in theme.melody[0]]
        begun = [note.onset for note in melody(answer) if note.onset < answer.bar]
        assert begun == bar


def test_harmony_lets_foreign_tones_in() -> None:
    shares = [
        fmean(foreign_tones(piece(30, seed, harmony=harmony)) for seed in range(10))
        for harmony in (0, 0.5, 0.7, 1)
    ]
    assert shares[0] > shares[1] > shares[2] > 0.03
    assert shares[3] == 0


def test_this_version_makes_the_same_pieces_on_every_machine() -> None:
    assert golden.digest() == golden.DIGESTS[COMPOSER_VERSION]
