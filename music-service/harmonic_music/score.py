"""A finished piece: notes on a grid of ticks, and the same notes in seconds.

All of composing counts in whole ticks. Seconds are worked out once, here, with fractions and in
whole microseconds, so that every machine finds the same numbers.
"""

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from math import nextafter

from harmonic_protocol.values import Key, Note, Scale, VoiceName

#: Divides into sixteenths (120) and triplets (160).
TICKS_PER_BEAT = 480
_US_PER_S = 10**6
#: Seconds are told to so many decimals: a tick at the fastest tempo is five times as long.
_DECIMALS = 4
_SCALE = 10**4


class Voice(IntEnum):
    """Who plays a note."""

    MELODY = 0
    PADS = 1
    BASS = 2


_NAMES: dict[Voice, VoiceName] = {
    Voice.MELODY: "melody",
    Voice.PADS: "pads",
    Voice.BASS: "bass",
}


@dataclass(frozen=True, slots=True, order=True)
class ScoreNote:
    """One note: where it begins and how long it sounds, in ticks."""

    onset: int
    voice: Voice
    pitch: int
    length: int
    velocity: int

    @property
    def end(self) -> int:
        """The first tick without the note."""
        return self.onset + self.length


@dataclass(frozen=True, slots=True)
class Section:
    """Where a part of the form begins, and its letter: the same letter is the same part again."""

    onset: int
    name: str


@dataclass(frozen=True, slots=True)
class Score:
    """A piece of ``duration`` seconds at ``tempo`` beats a minute; its notes are in order."""

    key: Key
    scale: Scale
    tempo: float
    duration: float
    events: tuple[ScoreNote, ...]
    sections: tuple[Section, ...] = ()
    #: The ticks at which phrases begin.
    phrases: tuple[int, ...] = ()

    @property
    def beat_us(self) -> int:
        """The whole microseconds of a beat, as a MIDI file counts tempo: all times follow it."""
        return beat_us(self.tempo)

    @property
    def end(self) -> int:
        """The tick at which the piece ends."""
        return whole_ticks(self.duration, self.tempo)

    def notes(self) -> tuple[Note, ...]:
        """The notes in seconds, sorted by their start; the last ones end with the piece.

        The first note of a section tells its letter.
        """
        opening = {section.onset: section.name for section in self.sections}
        # Fractions take longer than all else that is done for a note: once is enough.
        beat, end = self.beat_us, self.end
        return tuple(
            self._in_seconds(event, beat, end, opening.pop(event.onset, None))
            for event in self.events
        )

    def _in_seconds(self, event: ScoreNote, beat: int, end: int, section: str | None) -> Note:
        start = _seconds(event.onset, beat)
        if event.end >= end:
            length = _up_to(self.duration, start)
        else:
            length = round(_seconds(event.end, beat) - start, _DECIMALS)
        return Note.model_construct(
            pitch=event.pitch,
            start_time=start,
            duration=length,
            velocity=event.velocity,
            voice=_NAMES[event.voice],
            section=section,
        )


def _seconds(ticks: int, beat_us: int) -> float:
    """Ticks in seconds, rounded to the nearest."""
    unit = TICKS_PER_BEAT * _US_PER_S // _SCALE
    return (ticks * beat_us + unit // 2) // unit / _SCALE


def _up_to(end: float, start: float) -> float:
    """The longest duration that, added to a start, is not beyond an end."""
    length = round(end - start, _DECIMALS)
    if start + length != end:
        length = end - start
    while start + length > end:
        length = nextafter(length, 0)
    return length


def whole_ticks(duration: float, tempo: float) -> int:
    """The ticks that fit into so many seconds: at least one."""
    microseconds = Fraction(duration) * _US_PER_S
    return max(1, int(microseconds * TICKS_PER_BEAT / beat_us(tempo)))


def beat_us(tempo: float) -> int:
    """The microseconds of a beat at so many beats a minute."""
    return round(60 * _US_PER_S / Fraction(tempo))
