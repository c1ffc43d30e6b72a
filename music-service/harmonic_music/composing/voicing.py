"""The pitches of a chord's upper voices: between the bass and the melody, moving little.

Anton Bruckner called this the law of the shortest way. Low voices lie apart; high ones lie close to
one another and to the melody.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, product

from harmonic_music.theory.chords import Voices
from harmonic_music.theory.intervals import OCTAVE

#: The upper voices lie above this pitch, D below middle C, and below the melody.
LOWEST_VOICE = 50
#: However low the melody is, they may use pitches up to here; without a melody, up to here.
LOWEST_CEILING, HIGHEST_CEILING = 61, 76
#: Below G, voices a third apart sound thick; voices further apart than this do not blend.
_THICK_BELOW, _THICK_SEMITONES, _THICK_COST = 56, 4, 9
_CLOSE_SEMITONES, _CLOSE_COST = 2, 3
_WIDE_SEMITONES, _WIDE_COST = 9, 2
#: How far the highest voice may lie below the melody without a cost.
_BELOW_MELODY = 6
_ABOVE_BASS = 3

#: Pitches, the lowest first.
Voicing = tuple[int, ...]
FIRST_VOICING: Voicing = (55, 60, 65)


@lru_cache(maxsize=65536)
def nearest_voicing(before: Voicing, voices: Voices, bass: int, ceiling: int) -> Voicing:
    """The chord's voices below a ceiling and above a bass that move least from the ones before."""
    lowest = max(LOWEST_VOICE, bass + _ABOVE_BASS)
    # An octave at least: a high bass and a low melody leave less, and every tone needs a place.
    register = range(lowest, max(ceiling, lowest + OCTAVE - 1) + 1)
    places = [[pitch for pitch in register if pitch % OCTAVE == voice] for voice in voices]
    chosen = {tuple(sorted(way)) for way in product(*(row for row in places if row))}
    ways = [way for way in sorted(chosen) if len(set(way)) == len(way)] or sorted(chosen)
    return min(ways, key=lambda way: (_cost(before, way, bass, ceiling), way))


def alike(voicing: Voicing, before: Sequence[Voicing]) -> bool:
    """Whether two or more voices would stay where they were in all of the chords before."""
    stay = set(voicing).intersection(*before)
    return len(before) > 1 and len(stay) > 0


def _cost(before: Voicing, after: Voicing, bass: int, ceiling: int) -> int:
    cost = sum(abs(one - other) for one, other in zip(before[::-1], after[::-1], strict=False))
    for low, high in pairwise((bass, *after)):
        apart = high - low
        if apart <= _THICK_SEMITONES and low < _THICK_BELOW:
            cost += _THICK_COST
        elif apart <= _CLOSE_SEMITONES:
            cost += _CLOSE_COST
        elif apart > _WIDE_SEMITONES and low != bass:
            cost += _WIDE_COST * (apart - _WIDE_SEMITONES)
    return cost + 2 * max(0, ceiling - after[-1] - _BELOW_MELODY)
