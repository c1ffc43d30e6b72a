"""Which chord follows which.

Walter Piston's table of usual root progressions (*Harmony*, 1941), reduced to what its rows have in
common, so that it applies to scales of any number of tones: the weight of a movement of the root,
and the weight of the degree that it reaches. Dmitri Tymoczko (*A Geometry of Music*, 2011,
chapter 7) counts the same preferences in Bach's chorales.
"""

from harmonic_music.theory.intervals import OCTAVE
from harmonic_music.theory.scales import Function, ScaleShape

#: The twelve bars of the blues, as semitones of the roots above the tonic; and the variant that a
#: longer chorus may have, with a quick change and a turnaround.
BLUES = ((0, 0, 0, 0), (5, 5, 0, 0), (7, 5, 0, 7))
BLUES_QUICK = ((0, 5, 0, 0), (5, 5, 0, 0), (7, 5, 0, 7))
BLUES_BARS = 12

#: The weight of a root moving up by 0 to 11 semitones: down a fifth has most.
_BY_MOVEMENT = (3, 11, 20, 6, 6, 24, 1, 15, 12, 13, 10, 5)
#: The weights of degrees: those that usually have a function, those that stand in, the others.
_USUAL = {Function.TONIC: 30, Function.AWAY: 22, Function.DOMINANT: 28}
_SUBSTITUTE = 11
_OTHER = 2
#: The divisor of the weight of a triad that is neither major nor minor.
_UNSTABLE_DIVISOR = 5


def usualness(scale: ScaleShape, degree: int) -> int:
    """The weight of the chord on a degree."""
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
    """The weight of the root's movement from one degree to another."""
    return _BY_MOVEMENT[(scale.steps[after] - scale.steps[before]) % OCTAVE]
