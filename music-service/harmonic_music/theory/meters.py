"""Meters: the length of a bar, its division, and the metrical weights of its places.

The weights are the metrical levels of Lerdahl and Jackendoff (*A Generative Theory of Tonal
Music*, 1983).
"""

from dataclasses import dataclass

#: The units of a quarter note: three are a sixteenth, four an eighth of a triplet.
UNITS_PER_BEAT = 12


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter, in units.

    A bar has ``groups`` of ``group`` units, each with a rhythmic figure of its own. ``pulse`` is
    the length of a felt beat. ``levels`` are the periods of the metrical levels, the heaviest
    first.
    """

    numerator: int
    denominator: int
    groups: int
    group: int
    pulse: int
    levels: tuple[int, ...]

    @property
    def name(self) -> str:
        """The time signature."""
        return f"{self.numerator}/{self.denominator}"

    @property
    def bar(self) -> int:
        """The units of a bar."""
        return self.groups * self.group

    def weight(self, units: int) -> int:
        """The metrical weight of a place in a bar: 4 at its beginning, 0 between the eighths."""
        place = units % self.bar
        for number, period in enumerate(self.levels):
            if place % period == 0:
                return 4 - number
        return 0


FOUR_FOUR = Meter(4, 4, 2, 24, 12, (48, 24, 12, 6))
THREE_FOUR = Meter(3, 4, 1, 36, 12, (36, 36, 12, 6))
SIX_EIGHT = Meter(6, 8, 2, 18, 18, (36, 18, 18, 6))
