"""The pitches that a melody may take, and how usual it is to go from one to another."""

from itertools import pairwise

from harmonic_music.composing.character import Character
from harmonic_music.composing.form import Field
from harmonic_music.composing.shape import between
from harmonic_music.theory.intervals import OCTAVE

#: Around this pitch lies every melody's range, whatever its key: C above middle C.
CENTRE = 72
#: A melody's span from narrow to wide, in semitones.
_SPANS = (4, 5, 7, 9, 11, 13, 16, 20, 26)
_SMALLEST_SPAN = 4
_FEW_RUNGS = 4
#: How usual a movement by so many semitones is, 0 to 12, each way; further is as rare as the last.
_BY_INTERVAL = (138, 400, 300, 132, 110, 80, 10, 52, 18, 18, 5, 2, 16)
_STEP, _THIRD = 2, 4


#: Rows by pitch: how usual it is to go from it to each other.
Transitions = list[list[int]]
#: A pitch as a scale sees it: steps above the tonic, and semitones above that step.
Degree = tuple[int, int]


class Ladder:
    """A key's pitches around its tonic, within a span."""

    def __init__(self, key: Field, width: int, character: Character) -> None:
        span = max(_SMALLEST_SPAN, between(width, _SPANS) + character.span)
        below = span * character.below_percent // 100
        # The octave whose range's centre is nearest to where melodies lie.
        self.tonic = CENTRE - span // 2 + below
        self.tonic += (key.tonic - self.tonic + OCTAVE // 2) % OCTAVE - OCTAVE // 2
        tones = frozenset((key.tonic + step) % OCTAVE for step in key.scale.steps)
        low = self.tonic - below
        while low % OCTAVE not in tones:
            low += 1
        high = low + span
        while high % OCTAVE not in tones:
            high -= 1
        #: All semitones: where a chord borrows a tone, the melody may.
        self.pitches = list(range(low, high + 1))
        self.rungs = [pitch for pitch in self.pitches if pitch % OCTAVE in tones]
        self._steps = key.scale.steps
        #: Without the highest, which is kept for the climax, if it can be spared.
        self.inner = self.pitches[:-1] if len(self.rungs) > _FEW_RUNGS else self.pitches
        self.transitions = self._transitions(character)

    @property
    def width(self) -> int:
        """The semitones from the lowest pitch to the highest."""
        return self.pitches[-1] - self.pitches[0]

    def height(self, percent: int) -> int:
        """The pitch so far up, whether it is in the scale or not."""
        return self.pitches[0] + self.width * percent // 100

    def degree(self, pitch: int) -> Degree:
        """A pitch as the scale sees it, to be found again in another key."""
        octave, above = divmod(pitch - self.tonic, OCTAVE)
        place = max(n for n, step in enumerate(self._steps) if step <= above)
        return octave * len(self._steps) + place, above - self._steps[place]

    def pitch(self, degree: Degree) -> int:
        """The pitch of a degree here, by octaves within reach."""
        octave, place = divmod(degree[0], len(self._steps))
        pitch = self.tonic + OCTAVE * octave + self._steps[place] + degree[1]
        while pitch > self.pitches[-1]:
            pitch -= OCTAVE
        while pitch < self.pitches[0]:
            pitch += OCTAVE
        return min(pitch, self.pitches[-1])

    def reaches(self, degree: Degree) -> bool:
        """Whether a degree lies within the span as it is."""
        octave, place = divmod(degree[0], len(self._steps))
        pitch = self.tonic + OCTAVE * octave + self._steps[place] + degree[1]
        return self.pitches[0] <= pitch <= self.pitches[-1]

    def _transitions(self, character: Character) -> Transitions:
        """How usual each movement is in this piece; a row for every pitch up to the highest."""
        top = self.pitches[-1]
        usual = [_usual(min(by, len(_BY_INTERVAL) - 1), character) for by in range(top + 1)]
        step = max(_BY_INTERVAL[1], _BY_INTERVAL[_STEP] // 2) * character.steps
        rows: Transitions = [[]] * (top + 1)
        for one in self.pitches:
            rows[one] = usual[one:0:-1] + usual[: top + 1 - one]
        for low, high in pairwise(self.rungs):
            if high - low > _STEP:
                rows[low][high] = rows[high][low] = step // 2
        return rows


def _usual(semitones: int, character: Character) -> int:
    weight = _BY_INTERVAL[semitones]
    if semitones == 0:
        return weight * character.repeats
    if semitones <= _STEP:
        return weight * character.steps
    if semitones <= _THIRD:
        return weight * character.thirds
    return weight * character.leaps
