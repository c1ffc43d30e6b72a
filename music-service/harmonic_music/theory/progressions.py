"""Which chord follows which.

Walter Piston's table of usual root progressions (*Harmony*, 1941) put as what its rows
have in common, so that it serves scales of any number of tones: how usual a movement of the root
is, and how usual the degree is that it reaches. Dmitri Tymoczko (*A Geometry of Music*, 2011,
chapter 7) counts the same preferences in Bach's chorales.
"""

from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.scales import Function, ScaleShape

#: The twelve bars of the blues, as semitones of the roots above the tonic; and those that a longer
#: chorus may have instead, with a quick change and a turnaround.
BLUES = ((0, 0, 0, 0), (5, 5, 0, 0), (7, 5, 0, 7))
BLUES_QUICK = ((0, 5, 0, 0), (5, 5, 0, 0), (7, 5, 0, 7))
BLUES_BARS = 12

#: How usual it is that the root moves up by so many semitones: down a fifth is most, to stay least.
_BY_MOVEMENT = (3, 11, 20, 6, 6, 24, 1, 15, 12, 13, 10, 5)
#: How usual degrees are: those that a function usually has, those that stand in, the others.
_USUAL = {Function.TONIC: 30, Function.AWAY: 22, Function.DOMINANT: 28}
_SUBSTITUTE = 11
_OTHER = 2
#: What a triad that is neither major nor minor loses.
_UNSTABLE_DIVISOR = 5


def usualness(scale: ScaleShape, degree: int) -> int:
    """How usual the chord on a degree is."""
    weight = _OTHER
    for function in Function:
        carriers = scale.carrying(function)
        if degree == carriers[0]:
            weight = max(weight, _USUAL[function])
        elif degree in carriers:
            weight = max(weight, _SUBSTITUTE)
    tones = scale.steps
    stable = (tones[degree] + 7) % OCTAVE in tones
    return weight if stable or degree == 0 else max(1, weight // _UNSTABLE_DIVISOR)


def movement(scale: ScaleShape, before: int, after: int) -> int:
    """How usual it is that the root moves from one degree to another."""
    return _BY_MOVEMENT[(scale.steps[after] - scale.steps[before]) % OCTAVE]
