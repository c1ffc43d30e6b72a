"""A request made into what listeners get: notes and drums as JSON, and a MIDI file."""

from dataclasses import dataclass

from harmonic_music.composing import CompositionRequest, compose
from harmonic_music.midi import render
from harmonic_music.score import Score


@dataclass(frozen=True, slots=True)
class Performance:
    """A piece, the JSON arrays of its notes and its drums, and its Standard MIDI File."""

    score: Score
    notes: bytes
    drums: bytes
    midi: bytes


def perform(request: CompositionRequest) -> Performance:
    """Compose a piece and write it down both ways."""
    score = compose(request)
    return Performance(score, notes_json(score), drums_json(score), render(score))


def notes_json(score: Score) -> bytes:
    """The JSON array of a piece's notes, as their declaration writes them.

    Nothing in a note needs escaping: that is why no library is asked to look.
    """
    written = ",".join(
        f'{{"pitch":{pitch},"startTime":{start!r},"duration":{duration!r},'
        f'"velocity":{velocity},"voice":"{voice}"'
        + (f',"section":"{section}"}}' if section else "}")
        for pitch, start, duration, velocity, voice, section in score.timed()
    )
    return f"[{written}]".encode()


def drums_json(score: Score) -> bytes:
    """The JSON array of a piece's strokes."""
    written = ",".join(
        f'{{"key":{key},"startTime":{start!r},"velocity":{velocity}}}'
        for key, start, velocity in score.timed_strokes()
    )
    return f"[{written}]".encode()
