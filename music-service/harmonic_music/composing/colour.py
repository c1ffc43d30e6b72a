"""How plain and how pure chords are."""

from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.shape import between
from harmonic_music.theory.chords import MAX_ROUGHNESS

#: Without consonance, this share of the usual weights is replaced by equal weights.
_WANDERING, _ONE_FOR_ALL = 700, 8
#: How often a dominant in minor, one within a phrase, and a chord of the parallel key borrow tones,
#: in percent of the distance from full harmony.
_LEADING_PERCENT, _APPLIED_PERCENT, _MIXTURE_PERCENT = 250, 220, 70
#: How rough chords are from no consonance to full, in thousandths of a step from mild to harsh.
_ROUGHNESS = (4700, 3800, 2850, 2000, 1130, 420, 0)


class Colour:
    """How plain and how pure the chords are, as harmony and friction determine."""

    def __init__(self, consonance: int, chromatic: int, dice: Dice) -> None:
        self._consonance = consonance
        self._chromatic = chromatic
        self.begin(dice)

    def begin(self, dice: Dice) -> None:
        """Begin a phrase: spread borrowed chords over it, and draw how rough its chords are."""
        self._home, self._applied, self._mixed = dice.quota(), dice.quota(), dice.quota()
        self._rough = dice.quota()

    @property
    def leads(self) -> bool:
        """Whether the last dominant has a leading tone, even if the scale has none."""
        return self._chromatic > 0

    def flattened(self, weight: int) -> int:
        """A weight, closer to equal weights the less consonance there is."""
        wandering = _WANDERING * (WHOLE - self._consonance) // WHOLE
        return max(1, (weight * (WHOLE - wandering) + _ONE_FOR_ALL * wandering) // WHOLE)

    def roughness(self, *, settled: bool) -> int:
        """How rough the next chord sounds."""
        whole, rest = divmod(between(self._consonance, _ROUGHNESS), WHOLE)
        roughness = min(whole + self._rough.takes(rest), MAX_ROUGHNESS)
        return max(0, roughness - 1) if settled else roughness

    def borrows(self, *, to_home: bool) -> bool:
        """Whether a dominant takes the leading tone that the scale does not have."""
        if to_home:
            return self._home.takes(min(WHOLE, self._chromatic * _LEADING_PERCENT // 100))
        return self._applied.takes(min(WHOLE, self._chromatic * _APPLIED_PERCENT // 100))

    def mixes(self) -> bool:
        """Whether a chord is borrowed from the parallel key."""
        return self._mixed.takes(self._chromatic * _MIXTURE_PERCENT // 100)
