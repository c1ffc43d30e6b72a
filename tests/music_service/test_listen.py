"""The examples to judge by can be heard and seen."""

import struct
import wave
from dataclasses import replace
from pathlib import Path

import pytest

from harmonic_music.composing import compose
from listen.examples import EXAMPLES, Example
from listen.picture import draw_work, write_roll
from listen.sound import RATE, write_wav
from music_service.measures import piece
from music_service.works import work_of


def test_a_piece_becomes_sound_of_its_length(tmp_path: Path) -> None:
    path = tmp_path / "piece.wav"
    write_wav(piece(2), path)
    with wave.open(str(path)) as file:
        assert file.getnframes() == 3 * RATE
        assert any(file.readframes(RATE))


def test_a_piece_becomes_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "piece.png"
    write_roll(piece(8), path)
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width > height > 100


def test_a_roll_to_be_rated_tells_no_name_and_no_loudness() -> None:
    score = piece(16)
    loud = replace(score, events=tuple(replace(event, velocity=127) for event in score.events))
    assert draw_work(work_of(score, "one")) == draw_work(work_of(loud, "another"))
    assert draw_work(work_of(score)) != draw_work(work_of(score).melody_alone())


@pytest.mark.parametrize("example", [it for it in EXAMPLES if it.duration < 100])
def test_examples_are_valid_requests(example: Example) -> None:
    assert compose(example.request).events
