"""What holds for every piece, whatever it is made from."""

import hashlib
import json
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonic_music.composing import CompositionRequest, compose
from harmonic_music.score import TICKS_PER_BEAT, Score, Voice
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.messages.music import MAX_DURATION_S, MAX_SEED
from harmonic_protocol.values import Key, MusicParameters, Note, PhysicsParameters, Scale
from music_service.measures import consonant_share, mean, piece

KEYS: tuple[Key, ...] = get_args(Key)
SCALE_NAMES: tuple[Scale, ...] = get_args(Scale)
SIXTEENTH, TRIPLET = TICKS_PER_BEAT // 4, TICKS_PER_BEAT // 3
MAX_NOTES_BYTES = 250_000

UNIT = st.floats(0, 1)
REQUESTS = st.builds(
    CompositionRequest,
    st.builds(
        MusicParameters,
        harmony=UNIT,
        tempo=st.floats(40, 200),
        key=st.sampled_from(KEYS),
        scale=st.sampled_from(SCALE_NAMES),
        rhythmComplexity=UNIT,
        melodyRange=UNIT,
    ),
    st.builds(
        PhysicsParameters,
        gravity=st.floats(0, 20),
        friction=UNIT,
        elasticity=UNIT,
        airResistance=UNIT,
        timeScale=st.floats(0.1, 5),
    ),
    st.floats(0, 60, exclude_min=True) | st.floats(0, 5, exclude_min=True),
    st.integers(0, MAX_SEED),
)


def notes_json(score: Score) -> str:
    return json.dumps([note.to_wire() for note in score.notes()], separators=(",", ":"))


@given(REQUESTS)
@settings(max_examples=150, deadline=None)
def test_every_piece_is_in_time_in_tune_and_in_range(request: CompositionRequest) -> None:
    score = compose(request)
    notes = score.notes()
    assert notes
    assert [note.start_time for note in notes] == sorted(note.start_time for note in notes)
    for note in notes:
        # Validated again: composing might hand over what no client could send.
        Note.model_validate_json(note.to_json())
        assert note.start_time + note.duration <= request.duration
    tonic = pitch_class(request.music.key)
    scale = {(tonic + step) % 12 for step in SCALES[request.music.scale].steps}
    assert {note.pitch % 12 for note in notes} <= scale
    assert (score.key, score.scale) == (request.music.key, request.music.scale)
    assert all(e.onset % SIXTEENTH == 0 or e.onset % TRIPLET == 0 for e in score.events)


@given(REQUESTS)
@settings(max_examples=50, deadline=None)
def test_every_piece_ends_on_its_tonic(request: CompositionRequest) -> None:
    score = compose(request)
    tonic = pitch_class(request.music.key)
    last = {e.voice: e for e in score.events}
    assert {last[Voice.MELODY].pitch % 12, last[Voice.BASS].pitch % 12} == {tonic}
    assert last[Voice.MELODY].onset == last[Voice.BASS].onset == last[Voice.PADS].onset


@given(REQUESTS)
@settings(max_examples=50, deadline=None)
def test_a_voice_never_strikes_a_pitch_that_still_sounds(request: CompositionRequest) -> None:
    free_from: dict[tuple[Voice, int], int] = {}
    for event in compose(request).events:
        assert event.onset >= free_from.get((event.voice, event.pitch), 0)
        free_from[event.voice, event.pitch] = event.end


@pytest.mark.parametrize("duration", [5e-324, 1e-9, 2e-6, 0.001, 0.05])
def test_the_shortest_of_pieces_is_a_chord(duration: float) -> None:
    notes = piece(duration).notes()
    assert {note.start_time for note in notes} == {0}
    assert all(0 < note.duration <= duration for note in notes)


@pytest.mark.parametrize("duration", [0.8, 1, 2, 3, 4])
def test_a_short_piece_is_a_gesture_from_somewhere_to_the_tonic(duration: float) -> None:
    score = piece(duration)
    chords = [e for e in score.events if e.voice is Voice.BASS]
    assert chords[0].onset == 0
    assert chords[-2].pitch % 12 != chords[-1].pitch % 12 == 0
    assert score.notes()[-1].start_time > duration / 4


@pytest.mark.parametrize("duration", [8, 31.4, 300])
def test_a_piece_takes_the_time_that_was_asked_for(duration: float) -> None:
    last = max(note.start_time + note.duration for note in piece(duration).notes())
    assert last > duration - 1


@pytest.mark.parametrize("tempo", [40, 120, 121, 200])
@pytest.mark.parametrize("scale", ["major", "chromatic"])
def test_the_longest_and_busiest_piece_stays_small(tempo: float, scale: Scale) -> None:
    busiest = piece(
        MAX_DURATION_S,
        scale=scale,
        tempo=tempo,
        gravity=0,
        rhythm_complexity=1,
        elasticity=1,
        harmony=0,
    )
    assert len(notes_json(busiest)) < MAX_NOTES_BYTES


@pytest.mark.parametrize("scale", sorted(set(SCALE_NAMES)))
def test_harmony_purifies_every_scale(scale: Scale) -> None:
    rough, middle, pure = (
        mean(consonant_share, 8, scale=scale, harmony=harmony) for harmony in (0, 0.5, 1)
    )
    assert rough < middle < pure


def test_another_key_moves_the_piece_and_changes_nothing_else() -> None:
    in_c = [e for e in piece().events if e.voice is Voice.MELODY]
    in_d = [e for e in piece(key="D").events if e.voice is Voice.MELODY]
    moved = {
        (a.pitch - b.pitch, a.onset - b.onset, a.length - b.length)
        for a, b in zip(in_d, in_c, strict=True)
    }
    assert len(moved) == 1
    assert {shift % 12 for shift, _, _ in moved} == {2}


def test_keys_that_sound_alike_give_the_same_notes() -> None:
    assert piece(key="C#").events == piece(key="Db").events


def test_a_theme_comes_back() -> None:
    bar = 4 * TICKS_PER_BEAT
    melody = [e for e in piece(64).events if e.voice is Voice.MELODY]
    first, second = (
        [(e.onset % bar, e.pitch) for e in melody if e.onset // bar == number] for number in (0, 8)
    )
    assert [note for note in first if note in second]
    assert [onset for onset, _ in first] == [onset for onset, _ in second]


def test_seeds_make_different_pieces() -> None:
    assert len({piece(30, seed).events for seed in range(20)}) == 20


@pytest.mark.parametrize(
    ("score", "digest"),
    [
        (piece(8, 1), "1f923037e093b2f5"),
        (
            piece(60, MAX_SEED, key="F#", scale="dorian", tempo=93.7, gravity=12.5, friction=0.9),
            "f60f2fb66ad555ef",
        ),
        (
            piece(300, 7, key="Bb", scale="chromatic", rhythm_complexity=1, time_scale=3.3),
            "b0fdc52472df83b7",
        ),
    ],
)
def test_the_same_request_makes_the_same_piece_on_every_machine(score: Score, digest: str) -> None:
    assert hashlib.sha256(notes_json(score).encode()).hexdigest()[:16] == digest
