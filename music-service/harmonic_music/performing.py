"""A request made into what listeners get: notes as JSON, and a MIDI file."""

import json
from dataclasses import dataclass

from harmonic_music.composing import CompositionRequest, compose
from harmonic_music.midi import render
from harmonic_music.score import Score


@dataclass(frozen=True, slots=True)
class Performance:
    """A piece, the JSON array of its notes, and its Standard MIDI File."""

    score: Score
    notes: bytes
    midi: bytes


def perform(request: CompositionRequest) -> Performance:
    """Compose a piece and write it down both ways."""
    score = compose(request)
    notes = json.dumps([note.to_wire() for note in score.notes()], separators=(",", ":"))
    return Performance(score, notes.encode(), render(score))
