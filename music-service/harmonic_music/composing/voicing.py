"""Where the voices of a chord lie: upper voices that move as little as they can, and a bass.

The law of the shortest way is Anton Bruckner's name for the first; the bass may leap, but rather
goes to the nearer of two octaves.
"""

from functools import lru_cache
from itertools import pairwise, product

from harmonic_music.theory.chords import Voices
from harmonic_music.theory.intervals import OCTAVE

#: Each in a register of its own below the melody: no two voices ever meet on a pitch.
LOWEST_BASS, HIGHEST_BASS = 32, 47
LOWEST_PAD, HIGHEST_PAD = 48, 61
#: Where the upper voices would like to begin.
FIRST_VOICING = (50, 54, 58)
#: Voices nearer than a minor third sound thick down here: so much of a detour avoids it.
_CLOSE_SEMITONES, _CLOSE_COST = 3, 2

Voicing = tuple[int, int, int]


@lru_cache(maxsize=16384)
def nearest_voicing(before: Voicing, voices: Voices) -> Voicing:
    """The chord's voices, placed so that they move least."""
    register = range(LOWEST_PAD, HIGHEST_PAD + 1)
    places = [[pitch for pitch in register if pitch % OCTAVE == voice] for voice in voices]
    voicings = sorted({tuple(sorted(chosen)) for chosen in product(*places)})
    low, middle, high = min(voicings, key=lambda chosen: (_cost(before, chosen), chosen))
    return low, middle, high


def _cost(before: Voicing, after: tuple[int, ...]) -> int:
    moves = sum(abs(one - other) for one, other in zip(before, after, strict=True))
    thick = sum(high - low < _CLOSE_SEMITONES for low, high in pairwise(after))
    return moves + _CLOSE_COST * thick


def nearest_bass(before: int, tone: int) -> int:
    """The pitch of the bass that sounds a tone nearest to where it was."""
    places = range(LOWEST_BASS + (tone - LOWEST_BASS) % OCTAVE, HIGHEST_BASS + 1, OCTAVE)
    return min(places, key=lambda pitch: (abs(pitch - before), pitch))
