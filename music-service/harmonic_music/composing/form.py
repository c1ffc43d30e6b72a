"""What a piece consists of: phrases with their bars, and a last chord.

A phrase knows all that is decided before its notes: its key, how it ends, who plays and how, and
which theme its bars come from. So it can be composed from what is carried over from the one before.
"""

from dataclasses import dataclass
from enum import Enum

from harmonic_music.theory.scales import ScaleShape


class Cadence(Enum):
    """How a phrase ends: at rest, on the dominant, elsewhere instead of at rest, or under way."""

    CLOSED = 0
    HALF = 1
    DECEPTIVE = 2
    OPEN = 3


class Treatment(Enum):
    """What becomes of the bar that a bar comes from."""

    NEW = 0
    RHYTHM = 1
    SEQUENCE = 2
    VARIED = 3
    LITERAL = 4
    INVERTED = 5
    FRAGMENT = 6
    AUGMENTED = 7
    ORNAMENTED = 8
    REHARMONISED = 9


#: Treatments that leave a bar's chords as they were.
_SAME_CHORDS = frozenset({Treatment.LITERAL, Treatment.VARIED, Treatment.ORNAMENTED})
#: Treatments of which no pitch comes from anywhere.
FREE = frozenset({Treatment.NEW, Treatment.RHYTHM})


class Role(Enum):
    """What a phrase is for."""

    INTRO = 0
    THEME = 1
    CONTRAST = 2
    DEVELOPMENT = 3
    RETURN = 4
    CLIMAX = 5
    CODA = 6


@dataclass(frozen=True, slots=True)
class Field:
    """A key: its scale and the pitch class of its tonic."""

    scale: ScaleShape
    tonic: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar at its place in a phrase.

    It comes from the bar numbered ``source`` of the phrase's theme, or of the phrase itself where
    it is its ``own``, if from any.
    """

    onset: int
    length: int
    place: int
    treatment: Treatment = Treatment.NEW
    source: int | None = None
    own: bool = False

    @property
    def keeps_chords(self) -> bool:
        """Whether it has the chords of the bar that it comes from."""
        return self.treatment in _SAME_CHORDS


@dataclass(frozen=True, slots=True)
class Players:
    """Who plays in a phrase; ``alone`` counts the bars that the melody begins alone."""

    melody: bool = True
    pads: bool = True
    bass: bool = True
    counter: bool = False
    doubles: bool = False
    drums: bool = False
    alone: int = 0
    breaks: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of ``whole`` bars: the last chord's is one of them where the phrase is ``closing``.

    ``energy`` is in percent. ``leads_to`` is the key of the next phrase where that is another one.
    A phrase that is ``elided`` ends on the first note of the next. ``climbs`` and ``sinks`` say
    that the melody has its highest or its lowest note here.
    """

    number: int
    bars: tuple[Bar, ...]
    whole: int
    section: str
    theme: str
    role: Role
    cadence: Cadence
    key: Field
    energy: int
    figure: str
    bass: str
    players: Players
    leads_to: Field | None = None
    elided: bool = False
    closing: bool = False
    climbs: bool = False
    sinks: bool = False

    @property
    def onset(self) -> int:
        """The tick at which it begins."""
        return self.bars[0].onset

    @property
    def end(self) -> int:
        """The first tick after its bars."""
        return self.bars[-1].onset + self.bars[-1].length

    def is_last(self, bar: Bar) -> bool:
        """Whether the phrase ends with this bar."""
        return bar.place == self.whole - 1


@dataclass(frozen=True, slots=True)
class Form:
    """The phrases, then the last chord from ``goal`` to ``end``."""

    phrases: tuple[Phrase, ...]
    goal: int
    end: int

    @property
    def sections(self) -> list[tuple[int, str]]:
        """Where sections begin, and their names."""
        found: list[tuple[int, str]] = []
        for phrase in self.phrases:
            if not found or found[-1][1] != phrase.section:
                found.append((phrase.onset, phrase.section))
        return found
