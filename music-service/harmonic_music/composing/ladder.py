"""The pitches that a melody may take, and the weight of each movement between them."""

from itertools import pairwise

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE
from harmonic_music.composing.form import Field
from harmonic_music.composing.shape import between
from harmonic_music.theory.gestures import Motion
from harmonic_music.theory.intervals import OCTAVE

#: The centre of every melody's range, whatever its key: C above middle C.
CENTRE = 72
#: A song's span from narrow to wide, in semitones, and a movement's.
_SPANS = (4, 5, 7, 9, 11, 13, 16, 20, 26)
_BROAD_SPANS = (4, 6, 8, 11, 14, 17, 20, 23, 26)
_SMALLEST_SPAN = 4
_FEW_RUNGS = 4
#: The weight of a movement by 0 to 12 semitones, each way; a wider one has the last weight.
_BY_INTERVAL = (138, 400, 300, 132, 110, 80, 10, 52, 18, 18, 5, 2, 16)
_STEP, _THIRD = 2, 4

#: Moves that go up, or arrive from below; then the weights of a fitting move, of a chord's wide
#: step, and of a step after an arrival.
_UPWARDS = frozenset({Motion.STEP_UP, Motion.SKIP_UP, Motion.CHORD_UP, Motion.ON_UP})
_FITTING, _WIDE, _GOES_ON = 4096, 512, 5
_ARRIVING = frozenset({Motion.ON_UP, Motion.ON_DOWN})
_BREAKING = frozenset({Motion.CHORD_UP, Motion.CHORD_DOWN})
#: Semitones of moves that are not steps of the scale, and of a chord's wide steps.
_WAYS = {
    Motion.SKIP_UP: range(3, 5),
    Motion.SKIP_DOWN: range(3, 5),
    Motion.CHORD_UP: range(3, 6),
    Motion.CHORD_DOWN: range(3, 6),
    Motion.SAME: range(1),
}
_CHORD_LEAPS = range(6, 8)

#: Rows by pitch: the weight of going from it to each other pitch.
Transitions = list[list[int]]
#: A pitch in terms of a scale: steps above the tonic, and semitones above that step.
Degree = tuple[int, int]


class Ladder:
    """A key's pitches around its tonic, within a span."""

    def __init__(self, key: Field, width: tuple[int, int], character: Character) -> None:
        wide, breadth = width
        span = between(wide, _SPANS)
        span += (between(wide, _BROAD_SPANS) - span) * breadth // WHOLE
        span = max(_SMALLEST_SPAN, span + character.span)
        below = span * character.below_percent // 100
        # The octave whose range has its centre nearest to that of melodies.
        tonic = CENTRE - span // 2 + below
        tonic += (key.tonic - tonic + OCTAVE // 2) % OCTAVE - OCTAVE // 2
        tones = frozenset((key.tonic + step) % OCTAVE for step in key.scale.steps)
        low = tonic - below
        while low % OCTAVE not in tones:
            low += 1
        high = low + span
        while high % OCTAVE not in tones:
            high -= 1
        self._lay(key, tonic, (low, high), character)

    def in_key(self, key: Field, character: Character) -> "Ladder":
        """The same register in another key."""
        tones = frozenset((key.tonic + step) % OCTAVE for step in key.scale.steps)
        rungs = [pitch for pitch in self.pitches if pitch % OCTAVE in tones]
        if len(rungs) < 2:  # noqa: PLR2004
            return self
        other = object.__new__(Ladder)
        middle = (rungs[0] + rungs[-1]) // 2
        tonic = middle + (key.tonic - middle + OCTAVE // 2) % OCTAVE - OCTAVE // 2
        tonic = self.tonic if key.tonic == self.tonic % OCTAVE else tonic
        other._lay(key, tonic, (rungs[0], rungs[-1]), character)
        return other

    def _lay(self, key: Field, tonic: int, ends: tuple[int, int], character: Character) -> None:
        tones = frozenset((key.tonic + step) % OCTAVE for step in key.scale.steps)
        self.tonic = tonic
        #: All semitones: if a chord borrows a tone, the melody may use it.
        self.pitches = list(range(ends[0], ends[1] + 1))
        self.rungs = [pitch for pitch in self.pitches if pitch % OCTAVE in tones]
        self._steps = key.scale.steps
        #: Without the highest pitch, which is kept for the climax if possible.
        self.inner = self.pitches[:-1] if len(self.rungs) > _FEW_RUNGS else self.pitches
        self.transitions = self._transitions(character)
        self._moves: dict[Motion, Transitions] = {Motion.FREE: self.transitions}

    @property
    def width(self) -> int:
        """The semitones from the lowest pitch to the highest."""
        return self.pitches[-1] - self.pitches[0]

    def height(self, percent: int) -> int:
        """The pitch at a percentage of the span, whether it is in the scale or not."""
        return self.pitches[0] + self.width * percent // 100

    def degree(self, pitch: int) -> Degree:
        """A pitch in terms of the scale, to be transposed to another key."""
        octave, above = divmod(pitch - self.tonic, OCTAVE)
        place = max(n for n, step in enumerate(self._steps) if step <= above)
        return octave * len(self._steps) + place, above - self._steps[place]

    def pitch(self, degree: Degree) -> int:
        """The pitch of a degree here, moved by octaves into reach."""
        octave, place = divmod(degree[0], len(self._steps))
        pitch = self.tonic + OCTAVE * octave + self._steps[place] + degree[1]
        while pitch > self.pitches[-1]:
            pitch -= OCTAVE
        while pitch < self.pitches[0]:
            pitch += OCTAVE
        return min(pitch, self.pitches[-1])

    def reaches(self, degree: Degree) -> bool:
        """Whether a degree lies within the span without a change of octave."""
        octave, place = divmod(degree[0], len(self._steps))
        pitch = self.tonic + OCTAVE * octave + self._steps[place] + degree[1]
        return self.pitches[0] <= pitch <= self.pitches[-1]

    def movement(self, move: Motion) -> Transitions:
        """The weights of all movements of one kind."""
        if move not in self._moves:
            self._moves[move] = self._moving(move)
        return self._moves[move]

    def _moving(self, move: Motion) -> Transitions:
        rows: Transitions = [[]] * (self.pitches[-1] + 1)
        for one in self.pitches:
            rows[one] = row = self._row(move, one)
            if move in _ARRIVING:
                usual = self.transitions[one]
                rows[one] = [fits * weight for fits, weight in zip(row, usual, strict=True)]
        return rows

    def _row(self, move: Motion, pitch: int) -> list[int]:
        """The weight of each movement from a pitch, by how well it fits a kind."""
        top = self.pitches[-1]
        upwards, arriving = move in _UPWARDS, move in _ARRIVING
        ways = _WAYS.get(move) or range(1, 1 + max(_STEP, self._step_from(pitch, upwards=upwards)))
        sign = 1 if upwards else -1
        row = [int(arriving)] * (top + 1)
        # At the end of the span, the only way is back.
        weights = [] if arriving else [(-along, 1) for along in ways]
        weights += [(along, _WIDE) for along in _CHORD_LEAPS if move in _BREAKING]
        weights += [(along, _GOES_ON if arriving else _FITTING) for along in ways]
        for along, weight in weights:
            if 0 <= pitch + sign * along <= top:
                row[pitch + sign * along] = weight
        return row

    def _step_from(self, pitch: int, *, upwards: bool) -> int:
        """The semitones to the next tone of the scale, if that is within the span."""
        if upwards:
            return next((rung - pitch for rung in self.rungs if rung > pitch), 0)
        return next((pitch - rung for rung in reversed(self.rungs) if rung < pitch), 0)

    def _transitions(self, character: Character) -> Transitions:
        """The weight of each movement in this piece; a row for every pitch up to the highest."""
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
