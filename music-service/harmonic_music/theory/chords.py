"""Chords, built from a scale's own tones alone."""

from dataclasses import dataclass
from itertools import combinations

from harmonic_music.theory.intervals import agreement
from harmonic_music.theory.keys import OCTAVE
from harmonic_music.theory.scales import ScaleShape

#: What is taken for a third and for a fifth, the first that the scale has: a fourth or a second
#: hangs where no third is, a sixth is better than a diminished fifth.
_THIRDS = (4, 3, 5, 2)
_FIFTHS = (7, 8, 6, 9)

#: The roughest of the ways to sound a chord, counted from the pure triad as 0.
MAX_ROUGHNESS = 4

Voices = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Chord:
    """Pitch classes; ``coloured`` are ways to sound it with other tones, from mild to harsh."""

    root: int
    third: int
    fifth: int
    coloured: tuple[Voices, ...]

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


def chord_on(scale: ScaleShape, degree: int, tonic: int) -> Chord:
    """The chord on a degree of the scale above a tonic."""
    tones = frozenset((tonic + step) % OCTAVE for step in scale.steps)
    home = frozenset((tonic + step) % OCTAVE for step in scale.home or scale.steps)
    root = (tonic + scale.steps[degree]) % OCTAVE
    third = _first(_THIRDS, root, home)
    fifth = _first(_FIFTHS, root, tones - {third})
    pairs = combinations(sorted(tones - {root, third}), 2)
    coloured = sorted(
        ((third, *pair) for pair in pairs),
        key=lambda voices: (-agreement((root, *voices)), voices),
    )
    return Chord(root, third, fifth, tuple(coloured))
