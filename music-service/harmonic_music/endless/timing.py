"""A bar in time: the length of its ticks, its change of tempo, and ringing notes.

A bar whose tempo differs from the one before goes from one to the other: the length of a beat
changes evenly from tick to tick, so that the tempo is continuous between bars. A large change takes
some bars. At the end of a chapter a bar slows down, and the next is in tempo again. All times are
whole nanoseconds. A bar is rounded to whole microseconds, and the remainder is added to the next.
"""

from dataclasses import dataclass
from fractions import Fraction

from harmonic_music.score import TICKS_PER_BEAT

_NS_PER_MINUTE = 60 * 10**9
_HALF_NS_PER_US = 2000
#: The unit of times: a tenth of a millisecond.
_NS_PER_STEP, STEPS_PER_S = 10**5, 10**4
#: The most by which a beat becomes longer or shorter within a bar, and how much longer it is at the
#: end of a chapter, in thousandths.
_MOST_CHANGE, _SLOWING = 1800, 1120
_WHOLE = 1000


def beat_ns(tempo: float) -> int:
    """The nanoseconds of a beat at a tempo in beats per minute."""
    return round(_NS_PER_MINUTE / Fraction(tempo))


def tempo_of(beat: int) -> float:
    """The tempo in beats per minute of a beat in nanoseconds."""
    return round(_NS_PER_MINUTE / beat, 3)


def approached(before: int, asked: int) -> int:
    """The length of a beat at the end of a bar that begins with ``before``, in nanoseconds.

    It is ``asked``, or as near to that as the change within a bar may be.
    """
    slowest, fastest = before * _MOST_CHANGE // _WHOLE, -(-before * _WHOLE // _MOST_CHANGE)
    return min(max(asked, fastest), slowest)


def slowed(beat: int) -> int:
    """The length of a beat at the end of a chapter, in nanoseconds."""
    return beat * _SLOWING // _WHOLE


@dataclass(frozen=True, slots=True)
class BarTime:
    """A bar of ``ticks``; a beat has ``before`` nanoseconds at first, and ``after`` at last."""

    ticks: int
    before: int
    after: int

    def us(self, rest: int) -> tuple[int, int]:
        """The bar's whole microseconds, and the half nanoseconds left; ``rest`` were left before.

        Exact: the sum of all bars' microseconds differs by less than one from their total length.
        """
        return divmod(
            self.ticks // TICKS_PER_BEAT * (self.before + self.after) + rest, _HALF_NS_PER_US
        )

    def steps(self, tick: int) -> int:
        """The time of a tick, in tenths of milliseconds; after the bar, the last tempo goes on."""
        within = min(tick, self.ticks)
        ns = self.before * within // TICKS_PER_BEAT
        ns += (self.after - self.before) * within * within // (2 * self.ticks * TICKS_PER_BEAT)
        return (ns + self.after * (tick - within) // TICKS_PER_BEAT) // _NS_PER_STEP

    def ringing(self, tick: int) -> int:
        """The end of a note that would end at a tick, however fast the next bar will be.

        A note that rings beyond the bar's end is shortened. Even if the next bar sped up to no
        length at all, a note at that place would not begin earlier.
        """
        over = min(tick - self.ticks, self.ticks)
        if over <= 0:
            return tick
        return self.ticks + over * (2 * self.ticks - over) // (2 * self.ticks)
