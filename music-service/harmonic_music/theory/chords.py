"""Chords, built from a scale's own tones, and the dominants that borrow one."""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

from harmonic_music.theory.intervals import OCTAVE, agreement
from harmonic_music.theory.scales import ScaleShape

#: The intervals that serve as third and as fifth, the first that the scale has: a fourth or second
#: replaces a missing third, and a sixth is better than a diminished fifth.
_THIRDS = (4, 3, 5, 2)
_FIFTHS = (7, 8, 6, 9)
#: The tonic keeps its own fifth, even a diminished one: with a sixth it would be another chord.
_TONIC_FIFTHS = (7, 6, 8, 9)
_MINOR_THIRD, _MAJOR_THIRD, _FIFTH, _MINOR_SEVENTH = 3, 4, 7, 10

#: The roughest way to sound a chord, counted from the pure triad as 0.
MAX_ROUGHNESS = 4

Voices = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Chord:
    """Pitch classes; ``coloured`` are ways to sound it with other tones, from mild to harsh.

    ``tones`` are those that a melody above it may use.
    """

    root: int
    third: int
    fifth: int
    coloured: tuple[Voices, ...]
    tones: frozenset[int]

    @property
    def triad(self) -> Voices:
        """Root, third and fifth."""
        return self.root, self.third, self.fifth

    @property
    def is_stable(self) -> bool:
        """Whether music can rest on it: its fifth is perfect."""
        return (self.fifth - self.root) % OCTAVE == _FIFTH

    @property
    def resting(self) -> Voices:
        """Three tones to end on: a diminished fifth is replaced by the root."""
        return self.triad if self.is_stable else (self.root, self.third, self.root)

    def upper_voices(self, roughness: int) -> Voices:
        """Three pitch classes to sound above the root: the triad, or the third with colours."""
        if roughness == 0:
            return self.triad
        return self.coloured[(roughness - 1) * (len(self.coloured) - 1) // (MAX_ROUGHNESS - 1)]


def _first(above: tuple[int, ...], root: int, tones: frozenset[int]) -> int:
    for interval in above:
        if (root + interval) % OCTAVE in tones:
            return (root + interval) % OCTAVE
    raise ValueError(f"no chord can be built on {root}")


@lru_cache(maxsize=4096)
def chord_on(scale: ScaleShape, degree: int, tonic: int) -> Chord:
    """The chord on a degree of the scale above a tonic."""
    tones = frozenset((tonic + step) % OCTAVE for step in scale.steps)
    home = frozenset((tonic + step) % OCTAVE for step in scale.home or scale.steps)
    root = (tonic + scale.steps[degree]) % OCTAVE
    third = _first(_THIRDS, root, home)
    fifth = _first(_TONIC_FIFTHS if degree == 0 else _FIFTHS, root, tones - {third})
    return Chord(root, third, fifth, _coloured(root, third, tones), tones)


def _coloured(root: int, third: int, tones: frozenset[int]) -> tuple[Voices, ...]:
    """The ways to colour a chord, the mildest first: of equal ones, that with fifth and seventh."""
    return tuple(
        sorted(
            ((third, *pair) for pair in combinations(sorted(tones - {root, third}), 2)),
            key=lambda voices: (-agreement((root, *voices)), voices),
        )
    )


@lru_cache(maxsize=4096)
def as_dominant(chord: Chord) -> Chord:
    """The major triad on a chord's root: leading to the fifth below, whatever the scale.

    It replaces a tone of the scale a semitone from its third or fifth: by the leading tone of
    minor, or by the borrowed tone of a secondary dominant.
    """
    return _altered(chord, chord.root + _MAJOR_THIRD)


@lru_cache(maxsize=4096)
def as_minor(chord: Chord) -> Chord:
    """The minor triad on a chord's root: the minor subdominant that major borrows."""
    return _altered(chord, chord.root + _MINOR_THIRD)


@lru_cache(maxsize=4096)
def flattened(chord: Chord) -> Chord:
    """The major triad a semitone below a chord's root: the sixth or seventh that minor has."""
    return _altered(replace(chord, root=(chord.root - 1) % OCTAVE), chord.root - 1 + _MAJOR_THIRD)


def _altered(chord: Chord, third: int) -> Chord:
    third, fifth = third % OCTAVE, (chord.root + _FIFTH) % OCTAVE
    triad = {chord.root, third, fifth}
    giving_way = {(tone + by) % OCTAVE for tone in triad for by in (-1, 1)} - triad
    tones = (chord.tones - giving_way) | triad
    return replace(
        chord, third=third, fifth=fifth, coloured=_coloured(chord.root, third, tones), tones=tones
    )


@lru_cache(maxsize=256)
def blues_chord(root: int, tones: frozenset[int]) -> Chord:
    """The dominant seventh chord on a root; a melody above it has the scale's tones and its own."""
    third, fifth = (root + _MAJOR_THIRD) % OCTAVE, (root + _FIFTH) % OCTAVE
    seventh = (root + _MINOR_SEVENTH) % OCTAVE
    # A ninth always, other tones above the seventh where the scale has them.
    above = [(root + by) % OCTAVE for by in (2, 9, 3) if by == 2 or (root + by) % OCTAVE in tones]  # noqa: PLR2004
    ways = ((third, fifth, seventh), *((third, seventh, tone) for tone in above))
    return Chord(root, third, fifth, ways, tones | {root, third, fifth, seventh})
