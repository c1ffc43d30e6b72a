"""The examples to judge by can be heard and seen."""

import struct
import wave
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from mido import Message, MidiFile, MidiTrack
from numpy.typing import NDArray

from harmonic_music.composing import compose
from harmonic_music.midi import render
from listen.endless import STREAM, midi_of, programme, stream, write_systems
from listen.examples import EXAMPLES, Example
from listen.picture import draw_work, write_roll
from listen.sound import TAIL_S, write_wav
from listen.spectrum import write_spectrogram
from listen.timbres import RATE
from music_service.measures import piece
from music_service.works import work_of


def loud(path: Path) -> tuple[float, NDArray[np.float64]]:
    """A file's seconds, and how loud its hundredths of a second are, both channels together."""
    with wave.open(str(path)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(float)
    slices = np.abs(frames)[: len(frames) // 640 * 640].reshape(-1, 640)
    return len(frames) / 2 / RATE, slices.mean(axis=1)


def written(path: Path, *, program: int = 0, channel: int = 0, pitch: int = 60) -> Path:
    """The sound of one note, from the first second to the second one."""
    file = MidiFile(ticks_per_beat=480)
    file.tracks.append(
        MidiTrack(
            [
                Message("program_change", channel=channel, program=program),
                Message("note_on", channel=channel, note=pitch, velocity=90, time=960),
                Message("note_off", channel=channel, note=pitch, velocity=0, time=960),
            ]
        )
    )
    data = BytesIO()
    file.save(file=data)
    write_wav(data.getvalue(), path)
    return path


def test_a_piece_becomes_sound_of_its_length(tmp_path: Path) -> None:
    path = tmp_path / "piece.wav"
    write_wav(render(piece(2)), path)
    seconds, loudness = loud(path)
    assert seconds == pytest.approx(2 + TAIL_S, abs=0.01)
    assert loudness[:200].min() > 0


@pytest.mark.parametrize("program", range(128))
def test_every_program_sounds_while_its_note_does(program: int, tmp_path: Path) -> None:
    seconds, loudness = loud(written(tmp_path / "note.wav", program=program))
    assert seconds == pytest.approx(2 + TAIL_S, abs=0.01)
    assert loudness[:99].max() == 0
    assert loudness[110:130].mean() > 100
    assert loudness[-1] < loudness.max() / 50


@pytest.mark.parametrize("key", range(35, 82))
def test_every_drum_strikes_at_once_and_fades(key: int, tmp_path: Path) -> None:
    _, loudness = loud(written(tmp_path / "drum.wav", channel=9, pitch=key))
    assert loudness[:99].max() == 0
    assert loudness[100:105].max() > 100
    assert loudness[-1] < loudness.max() / 50


def test_families_sound_apart(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{program}.wav", program=program) for program in (0, 48, 73, 56)]
    assert len({file.read_bytes() for file in files}) == len(files)


def size(picture: Path) -> tuple[int, int]:
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_a_sound_becomes_a_spectrogram(tmp_path: Path) -> None:
    picture = tmp_path / "note.png"
    write_spectrogram(written(tmp_path / "note.wav"), picture)
    width, height = size(picture)
    assert (width, height) == (200, 448)


def test_a_piece_becomes_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "piece.png"
    write_roll(piece(16), path)
    width, height = size(path)
    assert width > height > 100


def test_a_roll_to_be_rated_tells_no_name_and_no_loudness() -> None:
    score = piece(16)
    loud = replace(score, events=tuple(replace(event, velocity=127) for event in score.events))
    assert draw_work(work_of(score, "one")) == draw_work(work_of(loud, "another"))
    assert draw_work(work_of(score)) != draw_work(work_of(score).melody_alone())


@pytest.mark.parametrize("example", [it for it in EXAMPLES if it.duration < 100])
def test_examples_are_valid_requests(example: Example) -> None:
    assert compose(example.request).events


def test_the_endless_piece_is_drawn_and_written_as_it_sounds(tmp_path: Path) -> None:
    placed = list(stream(*STREAM, moves=((6.0, {"tempo": 90}),), length_s=16))
    assert [one.moved for one in placed].index(True) == 3
    sections = programme(placed).split(") ")
    assert sum(int(section.split("(")[1].strip(")")) for section in sections) == len(placed)
    write_systems(placed, tmp_path / "endless.png")
    assert (tmp_path / "endless.png").read_bytes().startswith(b"\x89PNG")
    file = MidiFile(file=BytesIO(midi_of(placed)))
    struck = [it for track in file.tracks for it in track if it.type == "note_on" and it.velocity]
    assert len(struck) == sum(len(one.bar.notes) + len(one.bar.drums) for one in placed)
    last = max(one.begins + it.start + it.duration for one in placed for it in one.bar.notes)
    assert file.length == pytest.approx(last, abs=0.01)
