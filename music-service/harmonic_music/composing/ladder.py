"""The pitches that a melody may take, and how usual it is to go from one to another."""

from collections.abc import Sequence
from itertools import pairwise

from harmonic_music.composing.character import Character
from harmonic_music.composing.shape import between
from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.scales import ScaleShape

#: No melody goes below this pitch, D above middle C: underneath lies what carries it.
LOWEST = 62
#: A melody's span from narrow to wide, in semitones.
_SPANS = (4, 5, 7, 9, 11, 13, 15, 20, 26)
_SMALLEST_SPAN = 4
_FEW_RUNGS = 4
#: How usual a movement by so many semitones is, 0 to 12, each way; further is as rare as the last.
_BY_INTERVAL = (138, 400, 300, 132, 110, 80, 10, 52, 18, 18, 5, 2, 16)
_STEP, _THIRD = 2, 4


#: Rows by pitch: how usual it is to go from it to each other.
Transitions = list[list[int]]


class Ladder:
    """A scale's pitches around a tonic, within a span."""

    def __init__(self, scale: ScaleShape, tonic: int, width: int, character: Character) -> None:
        span = max(_SMALLEST_SPAN, between(width, _SPANS) + character.span)
        below = span * character.below_percent // 100
        lowest = LOWEST + (5 if span < OCTAVE else 0)
        self.tonic = lowest + below + (tonic - lowest - below) % OCTAVE
        tones = frozenset((tonic + step) % OCTAVE for step in scale.steps)
        low = self.tonic - below
        while low % OCTAVE not in tones:
            low += 1
        high = low + span
        while high % OCTAVE not in tones:
            high -= 1
        self._tones = tones
        #: All semitones: where a chord borrows a tone, the melody may.
        self.pitches = list(range(low, high + 1))
        self.rungs = [pitch for pitch in self.pitches if pitch % OCTAVE in tones]
        #: Without the highest, which is kept for the climax, if it can be spared.
        self.inner = self.pitches[:-1] if len(self.rungs) > _FEW_RUNGS else self.pitches

    @property
    def width(self) -> int:
        """The semitones from the lowest pitch to the highest."""
        return self.pitches[-1] - self.pitches[0]

    def height(self, percent: int) -> int:
        """The pitch so far up, whether it is in the scale or not."""
        return self.pitches[0] + self.width * percent // 100

    def moved(self, pitches: Sequence[int], steps: int) -> list[int] | None:
        """The pitches so many steps of the scale higher, if they are all within reach."""
        places = {pitch: place for place, pitch in enumerate(self.rungs)}
        found = []
        for pitch in pitches:
            place = places.get(pitch, -1) + steps
            if pitch not in places or not 0 <= place < len(self.rungs):
                return None
            found.append(self.rungs[place])
        return found

    def transitions(self, character: Character) -> Transitions:
        """How usual each movement is in this piece; a row for every pitch up to the highest."""
        neighbours = set(pairwise(self.rungs))
        neighbours |= {(high, low) for low, high in neighbours}
        rows: Transitions = [[]] * self.pitches[0]
        for one in self.pitches:
            row = [0] * (self.pitches[-1] + 1)
            for other in self.pitches:
                row[other] = _usual(abs(one - other), character, near=(one, other) in neighbours)
            rows.append(row)
        return rows


def _usual(semitones: int, character: Character, *, near: bool) -> int:
    weight = _BY_INTERVAL[min(semitones, len(_BY_INTERVAL) - 1)]
    if semitones == 0:
        return weight * character.repeats
    if semitones <= _STEP or near:
        return max(weight, _BY_INTERVAL[_STEP] // 2) * character.steps
    if semitones <= _THIRD:
        return weight * character.thirds
    return weight * character.leaps
