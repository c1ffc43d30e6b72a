"""Gestures: how a melody moves through part of a bar, by meter.

A figure says when notes begin; a gesture also says where they move. It fills the part of a bar that
a figure fills: a half bar of 4/4 or 6/8, or a bar of 3/4. Handbooks of ornaments and of diminutions
list them since Diego Ortiz (*Trattado de glosas*, 1553): runs, broken chords, turns, broken thirds,
repeated tones.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from harmonic_music.theory.meters import FOUR_FOUR, SIX_EIGHT, THREE_FOUR

_SIXTEENTH = 3


class Motion(Enum):
    """A note's position relative to the one before it: free, or in tones of the scale or chord.

    Where a movement arrives, the note after it preferably continues by a step, or returns by one.
    """

    FREE = "."
    STEP_UP = "u"
    STEP_DOWN = "d"
    SKIP_UP = "k"
    SKIP_DOWN = "K"
    CHORD_UP = "U"
    CHORD_DOWN = "D"
    SAME = "="
    ON_UP = ">"
    ON_DOWN = "<"

    @property
    def binds(self) -> bool:
        """Whether it fixes the note's position, whatever else would suit."""
        return self not in _UNBOUND

    @property
    def breaks_chord(self) -> bool:
        """Whether it moves through the chord's own tones."""
        return self in {Motion.CHORD_UP, Motion.CHORD_DOWN}

    @property
    def direction(self) -> int:
        """1 upwards, -1 downwards, 0 if it may be either."""
        return _DIRECTIONS.get(self, 0)

    @property
    def arrival(self) -> "Motion":
        """The motion of the note after a movement that ends with this one."""
        return _ARRIVALS.get(self, Motion.FREE)


_ARRIVALS = {
    Motion.STEP_UP: Motion.ON_UP,
    Motion.STEP_DOWN: Motion.ON_DOWN,
    Motion.SKIP_UP: Motion.ON_DOWN,
    Motion.SKIP_DOWN: Motion.ON_UP,
    Motion.CHORD_UP: Motion.ON_DOWN,
    Motion.CHORD_DOWN: Motion.ON_UP,
}

_DIRECTIONS = {
    Motion.STEP_UP: 1,
    Motion.SKIP_UP: 1,
    Motion.CHORD_UP: 1,
    Motion.STEP_DOWN: -1,
    Motion.SKIP_DOWN: -1,
    Motion.CHORD_DOWN: -1,
}

_UNBOUND = frozenset({Motion.FREE, Motion.ON_UP, Motion.ON_DOWN})


class Kind(Enum):
    """The character of a gesture: a piece prefers some kinds."""

    RUN = 0
    CHORD = 1
    TURN = 2
    REPEAT = 3


@dataclass(frozen=True, slots=True)
class Gesture:
    """Onsets in units, and the move to each; ``usual`` is its weight within its kind."""

    onsets: tuple[int, ...]
    moves: tuple[Motion, ...]
    usual: int
    kind: Kind


def _gesture(sixteenths: str, moves: str, usual: int, kind: Kind) -> Gesture:
    onsets = tuple(_SIXTEENTH * place for place, mark in enumerate(sixteenths) if mark == "x")
    return Gesture(onsets, tuple(map(Motion, moves)), usual, kind)


def _triplets(length: int, moves: str, usual: int, kind: Kind) -> Gesture:
    """Triplet eighths from the beginning on, then a note that is held."""
    return Gesture(tuple(range(0, 4 * length, 4)), tuple(map(Motion, moves)), usual, kind)


_RUN, _CHORD, _TURN, _REPEAT = Kind.RUN, Kind.CHORD, Kind.TURN, Kind.REPEAT

_IN_FOUR = (
    _gesture("x...xxxx", ".uuuu", 4, _RUN),
    _gesture("x...xxxx", ".dddd", 6, _RUN),
    _gesture("x.x.xxxx", "..dddd", 5, _RUN),
    _gesture("x.x.xxxx", "..uuuu", 5, _RUN),
    _gesture("xxxxxxxx", ".uuuuuuu", 5, _RUN),
    _gesture("xxxxxxxx", ".ddddddd", 6, _RUN),
    _gesture("xxxxx...", ".uuuu", 6, _RUN),
    _gesture("xxxxx...", ".dddd", 6, _RUN),
    _gesture("xxxxx.x.", ".uuuu.", 4, _RUN),
    _gesture("x..xx.xx", ".u.uu", 3, _RUN),
    _gesture("x.....xx", ".uu", 6, _RUN),
    _gesture("x.....xx", ".dd", 6, _RUN),
    _gesture("x.xxx.xx", ".dd.dd", 4, _RUN),
    _gesture("x.xxx.xx", ".uu.uu", 4, _RUN),
    _gesture("..xxxxxx", ".uuuuu", 3, _RUN),
    _gesture("x.xxxxxx", ".uuuuuu", 3, _RUN),
    _gesture("x.x.x.x.", ".UUU", 10, _CHORD),
    _gesture("x.x.x.x.", ".DDD", 8, _CHORD),
    _gesture("x...x.x.", ".UU", 7, _CHORD),
    _gesture("x...x.x.", ".DD", 6, _CHORD),
    _gesture("xxxxxxxx", ".UUUUDDD", 5, _CHORD),
    _gesture("xxxxxxxx", ".DDDUUUU", 3, _CHORD),
    _gesture("x...xxxx", ".UUUU", 3, _CHORD),
    _gesture("x...xxxx", ".DDDD", 4, _CHORD),
    _gesture("xxxxx...", ".UUUU", 5, _CHORD),
    _gesture("x..xx..x", ".U.U", 3, _CHORD),
    _gesture("x.xxx.xx", ".UD.UD", 3, _CHORD),
    _gesture("xxxxx...", ".uddu", 8, _TURN),
    _gesture("x...xxxx", ".uddu", 8, _TURN),
    _gesture("x.xxx...", ".udd", 6, _TURN),
    _gesture("xxx.x...", ".ud.", 5, _TURN),
    _gesture("xxx.xxx.", ".ud.ud", 4, _TURN),
    _gesture("x..xx...", ".ud", 6, _TURN),
    _gesture("xxxxxxxx", ".uduuduu", 4, _TURN),
    _gesture("xxxxxxxx", ".dudddud", 4, _TURN),
    _gesture("x...xxxx", ".uudd", 6, _TURN),
    _gesture("x...xxxx", ".ddud", 6, _TURN),
    _gesture("x.x.xxxx", "..uddu", 5, _TURN),
    _gesture("xxxxxxxx", ".uuuuddd", 5, _TURN),
    _gesture("xxxxxxxx", ".ddudddu", 6, _TURN),
    _gesture("xxxxxxxx", ".kdkdkdk", 4, _TURN),
    _gesture("xxxxxxxx", ".KuKuKuK", 4, _TURN),
    _gesture("x.x.x.x.", ".KuK", 6, _TURN),
    _gesture("x.xxx.xx", ".==.==", 6, _REPEAT),
    _gesture("xxx.xxx.", ".==.==", 4, _REPEAT),
    _gesture("x.x.x.x.", ".===", 4, _REPEAT),
    _gesture("x..xx..x", ".=.=", 5, _REPEAT),
    _gesture("..xxx.x.", ".==.", 4, _REPEAT),
    _triplets(6, ".ud.ud", 2, _TURN),
    _triplets(4, ".uu.", 2, _RUN),
    _triplets(6, ".UUUDD", 2, _CHORD),
)
_IN_THREE = (
    _gesture("x.......xxxx", ".uuuu", 4, _RUN),
    _gesture("x.......xxxx", ".dddd", 5, _RUN),
    _gesture("x...xxxxx...", ".uuuu.", 5, _RUN),
    _gesture("x.xxxxxxx...", ".dddddd.", 4, _RUN),
    _gesture("xxxxx...x...", ".uuuu.", 5, _RUN),
    _gesture("xxxxxxxxx...", ".uuuuuuuu", 4, _RUN),
    _gesture("xxxxxxxxx...", ".dddddddd", 5, _RUN),
    _gesture("x...xxxxxxxx", ".uuuuuuuu", 4, _RUN),
    _gesture("x...xxxxxxxx", ".dddddddd", 4, _RUN),
    _gesture("x.........xx", ".uu", 6, _RUN),
    _gesture("x.....xxx.xx", ".uu.uu", 3, _RUN),
    _gesture("x.x.x.x.x.x.", ".uuuuu", 6, _RUN),
    _gesture("x.x.x.x.x.x.", ".ddddd", 6, _RUN),
    _gesture("x.x.x.x.x...", ".UUUU", 7, _CHORD),
    _gesture("x.x.x.x.x.x.", ".UUUDD", 7, _CHORD),
    _gesture("x...x.x.x.x.", ".DDDD", 5, _CHORD),
    _gesture("x...x...x...", ".UU", 7, _CHORD),
    _gesture("x...x...x...", ".DD", 5, _CHORD),
    _gesture("x...xxxxx...", ".UUUU.", 4, _CHORD),
    _gesture("xxxxx...x...", ".uddu.", 6, _TURN),
    _gesture("x...xxxxx...", ".uddu.", 5, _TURN),
    _gesture("x..xx...x...", ".ud.", 6, _TURN),
    _gesture("x.xxx...x...", ".udd.", 6, _TURN),
    _gesture("x.......xxxx", ".uddu", 5, _TURN),
    _gesture("x...xxxxxxxx", ".uuuudddd", 4, _TURN),
    _gesture("x...xxxxxxxx", ".ddudddud", 5, _TURN),
    _gesture("x.x.x.x.x.x.", ".KuKuK", 5, _TURN),
    _gesture("x.x.x.x.x.x.", ".kdkdk", 4, _TURN),
    _gesture("x...x.xxx.xx", "..==.==", 4, _REPEAT),
    _gesture("x...x...x...", ".==", 5, _REPEAT),
    _gesture("x.xxx.x.x...", ".==...", 4, _REPEAT),
    Gesture((0, 12, 24, 28, 32), tuple(map(Motion, "..ddd")), 3, _RUN),
    Gesture((0, 4, 8, 12, 24), tuple(map(Motion, ".ud..")), 3, _TURN),
)
_IN_SIX = (
    _gesture("x...xx", ".uu", 7, _RUN),
    _gesture("x...xx", ".dd", 7, _RUN),
    _gesture("x.xxxx", ".uuuu", 5, _RUN),
    _gesture("x.xxxx", ".dddd", 6, _RUN),
    _gesture("xxxxxx", ".uuuuu", 6, _RUN),
    _gesture("xxxxxx", ".ddddd", 7, _RUN),
    _gesture("xxxxx.", ".uuuu", 4, _RUN),
    _gesture("x.x.x.", ".uu", 6, _RUN),
    _gesture("x.x.x.", ".dd", 6, _RUN),
    _gesture("x.x.x.", ".UU", 8, _CHORD),
    _gesture("x.x.x.", ".DD", 7, _CHORD),
    _gesture("xxxxxx", ".UUUDD", 4, _CHORD),
    _gesture("x.xxxx", ".UUUU", 3, _CHORD),
    _gesture("xxxxx.", ".uddu", 5, _TURN),
    _gesture("x.xxx.", ".udd", 6, _TURN),
    _gesture("x..xx.", ".ud", 7, _TURN),
    _gesture("xxxxxx", ".uuudd", 5, _TURN),
    _gesture("xxxxxx", ".ddudd", 5, _TURN),
    _gesture("xxxxxx", ".kdkdk", 3, _TURN),
    _gesture("x.x.x.", ".Ku", 5, _TURN),
    _gesture("x.x.x.", ".==", 5, _REPEAT),
    _gesture("xxx.x.", ".==.", 4, _REPEAT),
)
#: By meter, the gestures of a group of its bar.
GESTURES = MappingProxyType({FOUR_FOUR: _IN_FOUR, THREE_FOUR: _IN_THREE, SIX_EIGHT: _IN_SIX})
