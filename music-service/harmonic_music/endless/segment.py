"""Where the endless piece stands: what a bar's state says."""

from dataclasses import dataclass, field

from harmonic_music.composing.carried import Carried
from harmonic_music.composing.form import Cadence, Field
from harmonic_music.composing.memory import Theme
from harmonic_music.endless.demand import Demand


@dataclass(frozen=True, slots=True)
class ThemeHistory:
    """What is known of a theme besides its notes: its cadence, and its returns in this chapter."""

    cadence: Cadence
    returns: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Bars of one phrase that are composed together, as long as what is asked stays the same.

    ``start`` is the number of its first bar in the stream, ``first`` its place in the phrase.
    ``chapter`` and ``slot`` name the phrase. ``leads`` says that the phrase is cut short here: its
    one bar leads to the key ``onward``. ``prepared`` says that the bar before led here. ``played``
    are the bars of the phrase before ``first``, ``known`` is about the themes of ``carried``.
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


@dataclass(frozen=True, slots=True)
class PiecePosition:
    """A segment, the place in its phrase of the bar that comes next, and where time stands.

    ``beat_ns`` is how long a beat was at the end of the bar before; ``rest`` the half nanoseconds
    by which the bars before were shorter than they should have been.
    """

    segment: Segment
    place: int
    beat_ns: int
    rest: int = 0
