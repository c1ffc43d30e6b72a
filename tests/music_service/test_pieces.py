"""What holds for every piece, whatever it is made from."""

import json
import random
from collections import Counter
from itertools import combinations

import pytest

from harmonic_music.composing import COMPOSER_VERSION
from harmonic_music.score import TICKS_PER_BEAT, Score, Voice
from harmonic_protocol.messages.music import MAX_DURATION_S
from harmonic_protocol.values import Scale
from music_service import golden
from music_service.likeness import alike
from music_service.measures import consonance, melody, piece
from music_service.validity import SCALE_NAMES, faults, random_request

REQUESTS = 2000
MAX_NOTES_BYTES = 250_000


def notes_json(score: Score) -> str:
    return json.dumps([note.to_wire() for note in score.notes()], separators=(",", ":"))


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
def test_the_longest_and_busiest_piece_stays_small(tempo: float, scale: Scale) -> None:
    busiest = piece(
        MAX_DURATION_S, scale=scale, tempo=tempo, gravity=0, rhythm_complexity=1, elasticity=1
    )
    assert len(notes_json(busiest)) < MAX_NOTES_BYTES


@pytest.mark.parametrize("scale", sorted(set(SCALE_NAMES)))
def test_harmony_purifies_every_scale(scale: Scale) -> None:
    rough, middle, pure = (
        sum(consonance(piece(30, seed, scale=scale, harmony=harmony)) for seed in range(8))
        for harmony in (0, 0.5, 1)
    )
    assert rough < middle < pure


def test_another_key_moves_the_piece_and_changes_nothing_else() -> None:
    in_c, in_d = melody(piece()), melody(piece(key="D"))
    moved = {
        (a.pitch - b.pitch, a.onset - b.onset, a.length - b.length)
        for a, b in zip(in_d, in_c, strict=True)
    }
    assert len(moved) == 1
    assert {shift % 12 for shift, _, _ in moved} == {2}


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
    ranges = {Voice.BASS: (32, 47), Voice.PADS: (48, 61), Voice.MELODY: (62, 108)}
    lowest, highest = ranges[voice]
    for seed in range(20):
        events = piece(30, seed, melody_range=1, air_resistance=0).events
        assert all(lowest <= e.pitch <= highest for e in events if e.voice is voice)


def test_notes_tell_their_voice_and_sections_their_beginning() -> None:
    score = piece(96)
    notes = score.notes()
    assert {note.voice for note in notes} == {"melody", "pads", "bass"}
    assert [note.section for note in notes if note.section] == [s.name for s in score.sections]
    beat_s = 60 / score.tempo
    opening = [note.start_time for note in notes if note.section]
    assert opening == [s.onset / TICKS_PER_BEAT * beat_s for s in score.sections]


def test_this_version_makes_the_same_pieces_on_every_machine() -> None:
    assert golden.digest() == golden.DIGESTS[COMPOSER_VERSION]
