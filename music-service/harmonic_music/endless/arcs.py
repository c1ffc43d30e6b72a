"""The arcs of chapters: how intensity moves in each, how it begins, and how it ends.

Chapters take the arcs in a shuffled order, so that each arc comes once before any comes again, and
no two chapters in a row have the same. Over several chapters, and over hours, the intensity
drifts as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from harmonic_music.composing.dice import WHOLE, Dice, Layer
from harmonic_music.composing.form import Role
from harmonic_music.composing.melody import along
from harmonic_music.composing.planning import Slot
from harmonic_music.endless.places import Purpose, number_of

#: The least and the most energy of a phrase, in percent.
LEAST, MOST = 14, 90
#: Beyond these, differences of energy are made smaller: no arc is cut flat.
_LOW, _HIGH, _SMALLER = 30, 74, 3
#: How far a chapter deviates from the points of its arc.
_STRAY = 9
#: The drifts, of some minutes and of hours: the chapters from one point to the next, and how far
#: each goes; and what is taken from all chapters, so that the loudest stay rare.
_DRIFTS, _LESS = ((4, 12), (28, 22)), 4
#: What phrases add by their role, and by their place in their section.
_BY_ROLE = {Role.INTRO: -8, Role.CONTRAST: 3, Role.DEVELOPMENT: 2, Role.CLIMAX: 6, Role.CODA: -8}
_GAINS = (0, 2, 6, 3, 2)


@dataclass(frozen=True, slots=True)
class Arc:
    """An arc: lengths in bars to choose from, and the energy at even distances, in percent.

    ``sudden`` chapters begin without an introduction, and ``broken`` ones end without a coda, in
    silence. In ``layered`` ones the layers enter one by one, and in ``fading`` ones they leave so.
    ``terraces`` is added to the energy of every other section, in percent. ``sparse`` is how often
    few play, in percent of how often they usually do.
    """

    name: str
    bars: tuple[int, ...]
    curve: tuple[int, ...]
    sudden: bool = False
    broken: bool = False
    layered: bool = False
    fading: bool = False
    terraces: int = 0
    sparse: int = 100


ARCS = (
    Arc("arch", (72, 80, 96), (36, 48, 60, 74, 84, 62, 38), fading=True),
    Arc("build", (56, 64, 80), (18, 26, 38, 50, 66, 80, 90), layered=True, broken=True, sparse=70),
    Arc("fall", (48, 56, 64), (88, 82, 68, 54, 42, 30, 18), sudden=True, fading=True, sparse=110),
    Arc("waves", (64, 80, 88), (32, 62, 38, 74, 34, 84, 46), layered=True),
    Arc("terraces", (64, 72, 88), (44, 46, 40, 48, 44, 52, 46), sudden=True, terraces=36),
    Arc("night", (28, 36, 44), (26, 32, 24, 38, 30, 22, 16), layered=True, fading=True, sparse=240),
    Arc("storm", (36, 44, 56), (80, 62, 86, 52, 90, 94, 88), sudden=True, broken=True, sparse=60),
    Arc("song", (40, 48, 64), (44, 48, 58, 50, 64, 54, 46), sparse=130),
)


def arc_of(seed: int, chapter: int) -> Arc:
    """The arc of a chapter; a piece begins with the first of them."""
    turn, place = divmod(chapter, len(ARCS))
    order = _shuffled(seed, turn)
    if turn and _shuffled(seed, turn - 1)[-1] == order[0]:
        order = (order[1], order[0], *order[2:])
    return ARCS[order[place]]


@lru_cache(maxsize=256)
def _shuffled(seed: int, turn: int) -> tuple[int, ...]:
    dice = Dice(seed, Layer.FORM, number_of(Purpose.ARC, turn))
    left = list(range(len(ARCS)))
    if not turn:
        # The first place is the first arc's.
        return (left.pop(0), *(left.pop(dice.below(len(left))) for _ in range(len(ARCS) - 1)))
    return tuple(left.pop(dice.below(len(left))) for _ in range(len(ARCS)))


def drift_of(seed: int, chapter: int) -> int:
    """What a chapter adds to the energy, in percent: it rises and falls over minutes and hours."""
    found = -_LESS
    for slot, (chapters, far) in enumerate(_DRIFTS):
        point, into = divmod(chapter, chapters)
        before, after = (
            Dice(seed, Layer.FORM, number_of(Purpose.DRIFT, number, slot)).around(far)
            for number in (point, point + 1)
        )
        found += (before * (chapters - into) + after * into) // chapters
    return found


def bounded(energy: int) -> int:
    """An energy within the bounds, and in the order of all others."""
    if energy < _LOW:
        return max(_LOW - (_LOW - energy) // _SMALLER, LEAST)
    if energy > _HIGH:
        return min(_HIGH + (energy - _HIGH) // _SMALLER, MOST)
    return energy


def energies_of(arc: Arc, slots: Sequence[Slot], lift: int, dice: Dice) -> tuple[int, ...]:
    """The energy of each phrase, in percent; ``lift`` is added to all."""
    points = tuple(point + dice.around(_STRAY) for point in arc.curve)
    high = dice.below(2)
    whole = max(1, sum(slot.length for slot in slots[:-1]))
    found, begins, section = [], 0, 0
    for slot in slots:
        section += slot.within == 0
        energy = along(points, WHOLE * begins // whole)
        energy += arc.terraces * (section % 2 == high)
        energy += _BY_ROLE.get(slot.role, 0) + _GAINS[min(slot.within, len(_GAINS) - 1)]
        found.append(bounded(energy + lift))
        begins += slot.length
    return tuple(found)
