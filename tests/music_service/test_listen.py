"""The examples to judge by can be heard and seen."""

import struct
import wave
from pathlib import Path

import pytest

from harmonic_music.composing import compose
from listen.examples import EXAMPLES, Example
from listen.picture import write_roll
from listen.sound import RATE, write_wav
from music_service.measures import piece


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


@pytest.mark.parametrize("example", [it for it in EXAMPLES if it.duration < 100])
def test_examples_are_valid_requests(example: Example) -> None:
    assert compose(example.request).events
