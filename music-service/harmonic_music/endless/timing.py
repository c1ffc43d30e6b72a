"""A bar in time: how long its ticks are, where the tempo moves within it, and what rings on.

A bar whose tempo is another than the one before goes from one to the other: the length of a beat
changes evenly from tick to tick, so that where two bars meet, the tempo is the same. All times are
whole nanoseconds; what a bar in whole microseconds is too short is given to the next.
"""

from dataclasses import dataclass
from fractions import Fraction

from harmonic_music.score import TICKS_PER_BEAT

_NS_PER_MINUTE = 60 * 10**9
_HALF_NS_PER_US = 2000
#: Times are told in tenths of milliseconds.
_NS_PER_STEP, STEPS_PER_S = 10**5, 10**4


def beat_ns(tempo: float) -> int:
    """The nanoseconds of a beat at so many beats a minute."""
    return round(_NS_PER_MINUTE / Fraction(tempo))


@dataclass(frozen=True, slots=True)
class BarTime:
    """A bar of ``ticks``; a beat has ``before`` nanoseconds at first, and ``after`` at last."""

    ticks: int
    before: int
    after: int

    def us(self, rest: int) -> tuple[int, int]:
        """The bar's whole microseconds, and the half nanoseconds left; ``rest`` were left before.

        Exact: the microseconds of all bars are less than one away from the sum of their lengths.
        """
        return divmod(
            self.ticks // TICKS_PER_BEAT * (self.before + self.after) + rest, _HALF_NS_PER_US
        )

    def steps(self, tick: int) -> int:
        """When a tick is, in tenths of milliseconds; beyond the bar the last tempo goes on."""
        within = min(tick, self.ticks)
        ns = self.before * within // TICKS_PER_BEAT
        ns += (self.after - self.before) * within * within // (2 * self.ticks * TICKS_PER_BEAT)
        return (ns + self.after * (tick - within) // TICKS_PER_BEAT) // _NS_PER_STEP

    def ringing(self, tick: int) -> int:
        """Where a note ends that would end at a tick, however fast the next bar will be.

        What rings over the bar's end is shortened: were the next bar to speed up to no length at
        all, a note in its place would not begin earlier.
        """
        over = min(tick - self.ticks, self.ticks)
        if over <= 0:
            return tick
        return self.ticks + over * (2 * self.ticks - over) // (2 * self.ticks)
