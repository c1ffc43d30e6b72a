"""A score as a Standard MIDI File, one track and one channel a voice."""

from io import BytesIO
from itertools import pairwise

from mido import Message, MetaMessage, MidiFile, MidiTrack

from harmonic_music.composing import COMPOSER_VERSION
from harmonic_music.score import TICKS_PER_BEAT, Score, ScoreNote, Voice
from harmonic_music.theory.keys import signature

#: Tracks' names and General MIDI programs, counted from 0: grand piano, strings, acoustic bass.
_TRACKS = {Voice.MELODY: ("Melody", 0), Voice.PADS: ("Strings", 48), Voice.BASS: ("Bass", 32)}


def render(score: Score) -> bytes:
    """The file's bytes: the same for the same score."""
    file = MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(_conductor(score))
    for voice in Voice:
        notes = [event for event in score.events if event.voice is voice]
        if notes:
            file.tracks.append(_track(voice, notes, score.end))
    written = BytesIO()
    file.save(file=written)
    return written.getvalue()


def _conductor(score: Score) -> MidiTrack:
    """Who made it, tempo, signatures, and a marker where each section begins."""
    track = MidiTrack()
    track.append(MetaMessage("track_name", name=f"{score.key} {score.scale}"))
    track.append(MetaMessage("text", text=f"Composer version {COMPOSER_VERSION}"))
    track.append(MetaMessage("set_tempo", tempo=score.beat_us))
    track.append(MetaMessage("time_signature", numerator=4, denominator=4))
    track.append(MetaMessage("key_signature", key=signature(score.key, score.scale)))
    onsets = (0, *(section.onset for section in score.sections))
    for (before, after), section in zip(pairwise(onsets), score.sections, strict=True):
        track.append(MetaMessage("marker", text=section.name, time=after - before))
    track.append(MetaMessage("end_of_track", time=score.end - onsets[-1]))
    return track


def _track(voice: Voice, notes: list[ScoreNote], end: int) -> MidiTrack:
    name, program = _TRACKS[voice]
    # At the same tick a note ends before the next begins: a repeated pitch sounds twice.
    moments = sorted(
        [(note.onset, note.velocity, note.pitch) for note in notes]
        + [(note.end, 0, note.pitch) for note in notes]
    )
    track = MidiTrack()
    track.append(MetaMessage("track_name", name=name))
    track.append(Message("program_change", channel=voice, program=program))
    for (before, _, _), (tick, velocity, pitch) in pairwise([(0, 0, 0), *moments]):
        kind = "note_on" if velocity else "note_off"
        track.append(
            Message(kind, channel=voice, note=pitch, velocity=velocity, time=tick - before)
        )
    track.append(MetaMessage("end_of_track", time=end - moments[-1][0]))
    return track
