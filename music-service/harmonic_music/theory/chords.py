"""Chords, built from a scale's own tones, and the dominants that borrow one."""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

from harmonic_music.theory.intervals import OCTAVE, agreement
from harmonic_music.theory.scales import ScaleShape

#: What is taken for a third and for a fifth, the first that the scale has: a fourth or a second
#: hangs where no third is, a sixth is better than a diminished fifth.
_THIRDS = (4, 3, 5, 2)
_FIFTHS = (7, 8, 6, 9)
_MAJOR_THIRD, _FIFTH = 4, 7

#: The roughest of the ways to sound a chord, counted from the pure triad as 0.
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
    fifth = _first(_FIFTHS, root, tones - {third})
    return Chord(root, third, fifth, _coloured(root, third, tones), tones)


def _coloured(root: int, third: int, tones: frozenset[int]) -> tuple[Voices, ...]:
    return tuple(
        sorted(
            ((third, *pair) for pair in combinations(sorted(tones - {root, third}), 2)),
            key=lambda voices: (-agreement((root, *voices)), voices),
        )
    )


@lru_cache(maxsize=4096)
def as_dominant(chord: Chord) -> Chord:
    """The major triad on a chord's root: leading to the fifth below, whatever the scale.

    A scale's tone a semitone from its third or fifth gives way: the leading tone of minor, the
    borrowed tone of a secondary dominant.
    """
    third, fifth = (chord.root + _MAJOR_THIRD) % OCTAVE, (chord.root + _FIFTH) % OCTAVE
    giving_way = {(third - 1) % OCTAVE, (fifth - 1) % OCTAVE} - {chord.root}
    tones = (chord.tones - giving_way) | {third, fifth}
    return replace(
        chord, third=third, fifth=fifth, coloured=_coloured(chord.root, third, tones), tones=tones
    )
