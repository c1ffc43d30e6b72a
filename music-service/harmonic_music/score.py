"""A finished piece: notes on a grid of ticks, as they are played, and the same in seconds.

Composing counts in whole ticks. Seconds are computed once, here, from whole microseconds, so that
every machine gets the same numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from math import nextafter
from typing import Any, NamedTuple

from harmonic_music.theory.meters import FOUR_FOUR, UNITS_PER_BEAT, Meter
from harmonic_protocol.values import Key, Note, Scale, VoiceName

#: A beat is a quarter note, in every meter. Divides into sixteenths (120) and triplets (160).
TICKS_PER_BEAT = 480
_US_PER_S = 10**6
#: Decimals of seconds: a tick at the fastest tempo is five units of the last one.
_DECIMALS = 4
_SCALE = 10**4


class Voice(IntEnum):
    """The player of a note, the highest part first."""

    MELODY = 0
    COUNTER = 1
    PADS = 2
    BASS = 3


VOICE_NAMES: dict[Voice, VoiceName] = {
    Voice.MELODY: "melody",
    Voice.COUNTER: "counter",
    Voice.PADS: "pads",
    Voice.BASS: "bass",
}


@dataclass(frozen=True, slots=True, order=True)
class ScoreNote:
    """One note: its onset and its length, in ticks."""

    onset: int
    voice: Voice
    pitch: int
    length: int
    velocity: int

    @property
    def end(self) -> int:
        """The first tick without the note."""
        return self.onset + self.length


class PlayedNote(NamedTuple):
    """A note as it is played: a few ticks off the grid; ``written`` is its onset on it."""

    onset: int
    voice: Voice
    pitch: int
    length: int
    velocity: int
    written: int

    @property
    def end(self) -> int:
        """The first tick without the note."""
        return self.onset + self.length


class PlayedStroke(NamedTuple):
    """A stroke of the drums as it is played, by General MIDI's key."""

    onset: int
    key: int
    velocity: int


class Timed(NamedTuple):
    """A note in seconds."""

    pitch: int
    start: float
    duration: float
    velocity: int
    voice: VoiceName
    section: str | None

    def fields(self) -> dict[str, Any]:
        """The note by the field names of messages and stored pieces."""
        return {
            "pitch": self.pitch,
            "start_time": self.start,
            "duration": self.duration,
            "velocity": self.velocity,
            "voice": self.voice,
            "section": self.section,
        }


@dataclass(frozen=True, slots=True)
class Section:
    """The begin of a part of the form, and its letter: an equal letter is the same part again."""

    onset: int
    name: str


@dataclass(frozen=True, slots=True)
class Score:
    """A piece of ``duration`` seconds at ``tempo`` beats per minute.

    ``events`` are its notes in order, on the grid; ``played`` and ``strokes`` are the notes and
    strokes as they are heard, sorted by time. ``programs`` are the voices' instruments in General
    MIDI, from 0.
    """

    key: Key
    scale: Scale
    tempo: float
    duration: float
    events: tuple[ScoreNote, ...]
    sections: tuple[Section, ...] = ()
    #: The ticks at which phrases begin.
    phrases: tuple[int, ...] = ()
    style: str = ""
    meter: Meter = FOUR_FOUR
    programs: dict[Voice, int] = field(default_factory=dict)
    played: tuple[PlayedNote, ...] = ()
    strokes: tuple[PlayedStroke, ...] = ()
    #: The theme, in the form in which an answering piece reads it.
    theme: str | None = None

    @property
    def beat_us(self) -> int:
        """The whole microseconds of a beat, as a MIDI file stores tempo: all times follow it."""
        return beat_us(self.tempo)

    @property
    def end(self) -> int:
        """The tick at which the piece ends."""
        return whole_ticks(self.duration, self.tempo)

    @property
    def bar(self) -> int:
        """The ticks of a bar."""
        return self.meter.bar * TICKS_PER_BEAT // UNITS_PER_BEAT

    def timed(self) -> Iterator[Timed]:
        """The notes in seconds, sorted by their start; the last ones end with the piece.

        The first note of a section has its letter.
        """
        waiting = [(section.onset, section.name) for section in self.sections][::-1]
        unit = TICKS_PER_BEAT * _US_PER_S // _SCALE
        half, beat, end, duration = unit // 2, self.beat_us, self.end, self.duration
        for onset, voice, pitch, length, velocity, written in self.played:
            opens = None
            while waiting and written >= waiting[-1][0]:
                opens = waiting.pop()[1]
            start = (onset * beat + half) // unit / _SCALE
            until = onset + length
            if until >= end:
                lasts = _up_to(duration, start)
            else:
                lasts = round((until * beat + half) // unit / _SCALE - start, _DECIMALS)
            yield Timed(pitch, start, lasts, velocity, VOICE_NAMES[voice], opens)

    def notes(self) -> tuple[Note, ...]:
        """The notes as clients get them."""
        return tuple(Note.model_construct(**note.fields()) for note in self.timed())

    def timed_strokes(self) -> Iterator[tuple[int, float, int]]:
        """The drums: key, start in seconds and velocity, sorted by start."""
        unit = TICKS_PER_BEAT * _US_PER_S // _SCALE
        beat = self.beat_us
        for onset, key, velocity in self.strokes:
            yield key, (onset * beat + unit // 2) // unit / _SCALE, velocity


def _up_to(end: float, start: float) -> float:
    """The longest duration from a start that is not beyond an end."""
    length = round(end - start, _DECIMALS)
    if start + length != end:
        length = end - start
    while start + length > end:
        length = nextafter(length, 0)
    return length


def whole_ticks(duration: float, tempo: float) -> int:
    """The ticks that fit into a duration in seconds: at least one."""
    microseconds = Fraction(duration) * _US_PER_S
    return max(1, int(microseconds * TICKS_PER_BEAT / beat_us(tempo)))


def beat_us(tempo: float) -> int:
    """The microseconds of a beat at a tempo in beats per minute."""
    return round(60 * _US_PER_S / Fraction(tempo))
