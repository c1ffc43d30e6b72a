"""A finished piece: notes on a grid of ticks, and the same notes in seconds.

All of composing counts in whole ticks. Seconds are worked out once, here, with fractions and in
whole microseconds, so that every machine finds the same numbers.
"""

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

from harmonic_protocol.values import Key, Note, Scale

#: Divides into sixteenths (120) and triplets (160).
TICKS_PER_BEAT = 480
_SECONDS_PER_MINUTE = 60
_US_PER_S = 10**6


class Voice(IntEnum):
    """Who plays a note."""

    MELODY = 0
    PADS = 1
    BASS = 2


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
class Score:
    """A piece of ``duration`` seconds at ``tempo`` beats a minute; its notes are in order."""

    key: Key
    scale: Scale
    tempo: float
    duration: float
    events: tuple[ScoreNote, ...]

    def notes(self) -> tuple[Note, ...]:
        """The notes in seconds, to the microsecond, sorted by their start."""
        return tuple(self._in_seconds(event) for event in self.events)

    def _in_seconds(self, event: ScoreNote) -> Note:
        start = self._microseconds(event.onset)
        # The last microsecond stays silent: then start plus length, added as floats, is never
        # beyond the piece's duration.
        last = int(Fraction(self.duration) * _US_PER_S) - 1
        length = min(self._microseconds(event.end), last) - start
        return Note(
            pitch=event.pitch,
            start_time=start / _US_PER_S,
            # Only a piece of less than two microseconds leaves nothing; its note begins at 0.
            duration=length / _US_PER_S if length > 0 else self.duration,
            velocity=event.velocity,
        )

    def _microseconds(self, ticks: int) -> int:
        beats_per_second = Fraction(self.tempo) / _SECONDS_PER_MINUTE
        return int(ticks * _US_PER_S / (beats_per_second * TICKS_PER_BEAT))


def whole_ticks(duration: float, tempo: float) -> int:
    """The ticks that fit into so many seconds: at least one."""
    beats = Fraction(duration) * Fraction(tempo) / _SECONDS_PER_MINUTE
    return max(1, int(beats * TICKS_PER_BEAT))
