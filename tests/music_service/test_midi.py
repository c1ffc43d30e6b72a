"""The MIDI file says what the notes say, read back by the library that reads MIDI."""

from io import BytesIO

import pytest
from mido import MidiFile, tick2second

from harmonic_music.midi import render
from harmonic_music.score import TICKS_PER_BEAT, Score
from music_service.measures import piece

#: MIDI's tempo is in whole microseconds a beat; over a piece that adds up.
TOLERANCE_S = 0.001


def read(score: Score) -> MidiFile:
    return MidiFile(file=BytesIO(render(score)))


def played(file: MidiFile) -> list[tuple[int, int, int, int]]:
    """Start, pitch, end and velocity of all notes, in ticks."""
    notes = []
    for track in file.tracks:
        now, on = 0, {}
        for message in track:
            now += message.time
            if message.type == "note_on":
                assert message.note not in on
                on[message.note] = (now, message.velocity)
            elif message.type == "note_off":
                start, velocity = on.pop(message.note)
                notes.append((start, message.note, now, velocity))
        assert not on
    return sorted(notes)


@pytest.mark.parametrize(
    "score",
    [piece(60), piece(300, 3, tempo=133.3, time_scale=5, rhythm_complexity=1), piece(0.001)],
)
def test_the_file_holds_the_same_notes(score: Score) -> None:
    file = read(score)
    (tempo,) = {message.tempo for message in file.tracks[0] if message.type == "set_tempo"}
    expected = sorted((note.start_time, note.pitch, note.velocity) for note in score.notes())
    for (start, pitch, _, velocity), (start_time, *tone) in zip(
        sorted(played(file), key=lambda note: (note[0], note[1], note[3])), expected, strict=True
    ):
        assert [pitch, velocity] == tone
        assert tick2second(start, TICKS_PER_BEAT, tempo) == pytest.approx(
            start_time, abs=TOLERANCE_S
        )


def test_its_notes_last_as_long() -> None:
    score = piece(60)
    lengths = sorted((start, pitch, end - start) for start, pitch, end, _ in played(read(score)))
    assert lengths == sorted((e.onset, e.pitch, e.length) for e in score.events)


def test_it_lasts_as_long_as_the_piece() -> None:
    assert read(piece(60, tempo=97.3)).length == pytest.approx(60, abs=0.01)


def test_each_voice_has_a_named_track_and_an_instrument() -> None:
    conductor, *voices = read(piece(10)).tracks
    assert conductor.name == "C major"
    assert [
        (track.name, message.channel, message.program)
        for track in voices
        for message in track
        if message.type == "program_change"
    ] == [("Melody", 0, 0), ("Strings", 1, 48), ("Bass", 2, 32)]


@pytest.mark.parametrize(
    ("key", "scale", "signature"),
    [
        ("C", "major", "C"),
        ("D", "dorian", "C"),
        ("A", "minor", "C"),
        ("F#", "lydian", "C#"),
        ("Cb", "major", "Cb"),
        ("E", "harmonicMinor", "G"),
        ("Bb", "blues", "Db"),
    ],
)
def test_the_signature_is_that_of_the_major_scale_with_these_tones(
    key: str, scale: str, signature: str
) -> None:
    (message,) = (
        m for m in read(piece(10, key=key, scale=scale)).tracks[0] if m.type == "key_signature"
    )
    assert message.key == signature


def test_a_key_of_double_sharps_goes_without_a_signature() -> None:
    types = [message.type for message in read(piece(10, key="G#")).tracks[0]]
    assert "key_signature" not in types
    assert types[-1] == "end_of_track"
