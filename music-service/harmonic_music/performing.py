"""A composed piece in the forms that listeners get: notes and drums as JSON, and a MIDI file."""

from dataclasses import dataclass

from harmonic_music.composing import CompositionRequest, compose
from harmonic_music.midi import render
from harmonic_music.score import VOICE_NAMES, Score


@dataclass(frozen=True, slots=True)
class Performance:
    """A piece, the JSON array of its notes, and its Standard MIDI File.

    ``more`` is the JSON object of everything else that listeners get: the style, the meter,
    instruments and drums.
    """

    score: Score
    notes: bytes
    more: bytes
    midi: bytes

    def members(self, after: str | None) -> bytes:
        """The value of the frame's ``notes`` and the members that follow it, as they are stored.

        ``after`` is the piece that this one answers.
        """
        answered = f',"after":"{after}"'.encode() if after else b""
        return self.notes + b"," + self.more[1:-1] + answered


def perform(request: CompositionRequest) -> Performance:
    """Compose a piece and write it in both forms."""
    score = compose(request)
    return Performance(score, notes_json(score), more_json(score), render(score))


def notes_json(score: Score) -> bytes:
    """The JSON array of a piece's notes, as their declaration serializes them.

    Nothing in a note needs escaping, so no library is used.
    """
    written = ",".join(
        f'{{"pitch":{pitch},"startTime":{start!r},"duration":{duration!r},'
        f'"velocity":{velocity},"voice":"{voice}"'
        + (f',"section":"{section}"}}' if section else "}")
        for pitch, start, duration, velocity, voice, section in score.timed()
    )
    return f"[{written}]".encode()


def more_json(score: Score) -> bytes:
    """The JSON object of everything besides the notes."""
    sounding = {note.voice for note in score.played}
    instruments = ",".join(
        f'"{VOICE_NAMES[voice]}":{program}'
        for voice, program in score.programs.items()
        if voice in sounding
    )
    written = f'{{"style":"{score.style}","meter":"{score.meter.name}"'
    written += f',"instruments":{{{instruments}}}'
    if score.strokes:
        strokes = ",".join(
            f'{{"key":{key},"startTime":{start!r},"velocity":{velocity}}}'
            for key, start, velocity in score.timed_strokes()
        )
        written += f',"drums":[{strokes}]'
    return f"{written}}}".encode()
