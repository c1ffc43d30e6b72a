"""The MIDI file says what the notes say, as three independent readers understand it."""

import warnings
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mido import MidiFile
from music21 import converter, key, meter, tempo
from music21 import midi as music21_midi

from harmonic_music.composing import COMPOSER_VERSION
from harmonic_music.midi import render, theme_of
from harmonic_music.score import TICKS_PER_BEAT, PlayedNote, Score, Voice
from music_service.measures import piece

#: A file without its notes: of it, the theme is read.
HEADED = render(piece(20))[:2000]
#: What stands before the two bytes of a key signature.
KEY_SIGNATURE = b"\xff\x59\x02"

SCORES = [
    piece(60),
    piece(300, 3, tempo=133.3, time_scale=5, rhythm_complexity=1),
    piece(20, 4, key="Bb", scale="minor", tempo=61.7, time_scale=0.1),
    piece(0.1),
]

Played = list[tuple[int, int, int, int]]


def read(score: Score) -> MidiFile:
    return MidiFile(file=BytesIO(render(score)))


def played(file: MidiFile) -> Played:
    """Start, pitch, end and velocity of all notes but the drums', in ticks."""
    notes = []
    for track in file.tracks:
        if track.name == "Drums":
            continue
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


def written(score: Score) -> Played:
    return sorted((note.onset, note.pitch, note.end, note.velocity) for note in score.played)


def announced(score: Score) -> Played:
    """What clients are told, in the ticks that it is nearest to."""
    a_second = TICKS_PER_BEAT * 10**6 / score.beat_us
    return sorted(
        (
            round(note.start_time * a_second),
            note.pitch,
            min(score.end, round((note.start_time + note.duration) * a_second)),
            note.velocity,
        )
        for note in score.notes()
    )


@pytest.mark.parametrize("score", SCORES)
def test_the_file_holds_the_notes_that_clients_are_told(score: Score) -> None:
    assert played(read(score)) == written(score) == announced(score)


@pytest.mark.parametrize("score", SCORES)
def test_pretty_midi_reads_the_same_notes(score: Score, tmp_path: Path) -> None:
    path = tmp_path / "piece.mid"
    path.write_bytes(render(score))
    file = pretty_midi.PrettyMIDI(str(path))
    found = sorted(
        (
            file.time_to_tick(note.start),
            note.pitch,
            file.time_to_tick(note.end),
            note.velocity,
        )
        for instrument in file.instruments
        if not instrument.is_drum
        for note in instrument.notes
    )
    assert found == written(score)
    voices = sorted({note.voice for note in score.played})
    programs = [i.program for i in file.instruments if not i.is_drum]
    assert programs == [score.programs[voice] for voice in voices]
    struck = sorted(
        (file.time_to_tick(note.start), note.pitch, note.velocity)
        for instrument in file.instruments
        if instrument.is_drum
        for note in instrument.notes
    )
    assert struck == sorted((s.onset, s.key, s.velocity) for s in score.strokes)


@pytest.mark.parametrize("score", SCORES)
def test_music21_reads_the_same_notes(score: Score) -> None:
    file = music21_midi.MidiFile()
    file.readstr(render(score))
    found = []
    for track in file.tracks:
        now, on = 0, {}
        for event in track.events:
            if event.isDeltaTime():
                now += event.time
            elif event.channel == 10:
                continue
            elif event.isNoteOn():
                on[event.pitch] = (now, event.velocity)
            elif event.isNoteOff():
                start, velocity = on.pop(event.pitch)
                found.append((start, event.pitch, now, velocity))
    assert sorted(found) == written(score)


def exact(score: Score) -> Score:
    """The same, played as it is written."""
    played = tuple(
        PlayedNote(e.onset, e.voice, e.pitch, e.length, e.velocity, e.onset) for e in score.events
    )
    return replace(score, played=played, strokes=())


# Its notation misplaces some of the notes that a long time scale makes overlap over bar lines, and
# notes that are played a few ticks apart.
@pytest.mark.parametrize("score", [exact(score) for score in SCORES[2:]])
def test_music21_writes_the_same_notes_down(score: Score, tmp_path: Path) -> None:
    path = tmp_path / "piece.mid"
    path.write_bytes(render(score))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read_back = converter.parse(path, quantizePost=False, forceSource=True)
    found = sorted(
        (round(float(sound.getOffsetInHierarchy(read_back)) * TICKS_PER_BEAT), pitch.midi)
        for sound in read_back.recurse().notes
        if sound.tie is None or sound.tie.type == "start"
        for pitch in sound.pitches
    )
    assert found == sorted((note.onset, note.pitch) for note in score.played)
    (bpm,) = {m.number for m in read_back.recurse().getElementsByClass(tempo.MetronomeMark)}
    assert bpm == pytest.approx(score.tempo, abs=0.01)
    times = read_back.recurse().getElementsByClass(meter.TimeSignature)
    assert {time.ratioString for time in times} == {score.meter.name}


def test_music21_reads_the_key(tmp_path: Path) -> None:
    path = tmp_path / "piece.mid"
    path.write_bytes(render(piece(20, key="Bb", scale="minor")))
    signatures = converter.parse(path).recurse().getElementsByClass(key.KeySignature)
    assert {signature.sharps for signature in signatures} == {-5}


def test_it_says_which_composer_made_it() -> None:
    conductor = read(piece(1)).tracks[0]
    texts = [message.text for message in conductor if message.type == "text"]
    assert texts[:2] == [f"Composer version {COMPOSER_VERSION}", f"Style {piece(1).style}"]


def test_it_lasts_as_long_as_the_piece() -> None:
    assert read(piece(60, tempo=97.3)).length == pytest.approx(60, abs=0.01)


def test_each_voice_has_a_named_track_a_channel_and_an_instrument() -> None:
    score = piece(30, style="swing")
    conductor, *voices, drums = read(score).tracks
    assert conductor.name == "C major"
    assert [
        (track.name, message.channel, message.program)
        for track in voices
        for message in track
        if message.type == "program_change"
    ] == [
        (name, voice, score.programs[voice])
        for name, voice in zip(
            ("Melody", "Second voice", "Accompaniment", "Bass"), Voice, strict=True
        )
    ]
    assert drums.name == "Drums"
    assert {message.channel for message in drums if message.type == "note_on"} == {9}


def test_a_file_tells_the_theme_that_it_begins_with() -> None:
    score = piece(30, 3)
    theme = theme_of(render(score))
    assert theme is not None
    assert theme.written() == score.theme
    assert theme_of(b"no file") is None
    assert theme_of(render(piece(0.1))) is None


@settings(max_examples=200)
@given(st.data())
def test_what_somebody_made_of_a_file_is_read_or_not(data: st.DataObject) -> None:
    file = bytearray(HEADED)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(14, len(file) - 1))
        file[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    theme_of(bytes(file))


def test_a_key_that_there_is_not_makes_a_file_none() -> None:
    at = HEADED.index(KEY_SIGNATURE) + len(KEY_SIGNATURE)
    assert theme_of(HEADED[:at] + b"\x00\x66" + HEADED[at + 2 :]) is None


def test_sections_are_marked() -> None:
    score = piece(96)
    conductor = read(score).tracks[0]
    assert [m.text for m in conductor if m.type == "marker"] == [s.name for s in score.sections]
