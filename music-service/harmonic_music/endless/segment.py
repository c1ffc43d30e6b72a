"""The position of the endless piece, as a bar's state contains it."""

from dataclasses import dataclass, field

from harmonic_music.composing.carried import Carried
from harmonic_music.composing.form import Cadence, Field
from harmonic_music.composing.memory import Theme
from harmonic_music.endless.demand import Demand

#: For how many bars melody, upper voices, bass and drums have each played without a bar's rest; if
#: they rest, below zero, for how many.
Heard = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class ThemeHistory:
    """What is known of a theme besides its notes: its cadence, and its returns in this chapter."""

    cadence: Cadence
    returns: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Bars of one phrase that are composed together, as long as the parameters stay the same.

    ``start`` is the number of its first bar in the stream, ``first`` its place in the phrase.
    ``chapter`` and ``slot`` name the phrase. ``leads`` says that the phrase is cut short here: its
    one bar leads to the key ``onward``. ``prepared`` says that the bar before led here. ``played``
    are the bars of the phrase before ``first``; ``known`` describes the themes of ``carried``.
    ``heard`` is as of the phrase's beginning.
    """

    style: str
    start: int
    chapter: int
    slot: int
    asked: Demand
    key: Field
    onward: Field | None = None
    first: int = 0
    leads: bool = False
    prepared: bool = False
    carried: Carried = field(default_factory=Carried)
    played: Theme = field(default_factory=lambda: Theme((), ()))
    known: dict[str, ThemeHistory] = field(default_factory=dict)
    heard: Heard = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class PiecePosition:
    """A segment, the place in its phrase of the next bar, and the exact time.

    ``beat_ns`` is the length of a beat at the end of the bar before. ``rest`` is the half
    nanoseconds by which the bars before were too short.
    """

    segment: Segment
    place: int
    beat_ns: int
    rest: int = 0
