"""The form of a piece: phrases with their bars, and a last chord.

A phrase contains every decision that precedes its notes: its key, its cadence, who plays and how,
and the theme that its bars come from. So it can be composed from the state that the one before
leaves.
"""

from dataclasses import dataclass
from enum import Enum

from harmonic_music.composing.dice import WHOLE
from harmonic_music.theory.scales import ScaleShape

#: A piece of at most this many phrases is a song: plain, in one register, all playing. A piece of
#: this many more has the runs, the wide range and the changing scenes of a movement.
SONG_PHRASES, _BROADENING = 4, 2


class Cadence(Enum):
    """How a phrase ends: at rest, on the dominant, elsewhere instead of at rest, or unfinished."""

    CLOSED = 0
    HALF = 1
    DECEPTIVE = 2
    OPEN = 3


class Treatment(Enum):
    """How a bar is derived from its source bar."""

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


#: Treatments that keep a bar's chords.
_SAME_CHORDS = frozenset({Treatment.LITERAL, Treatment.VARIED, Treatment.ORNAMENTED})
#: Treatments that keep no pitch of the source.
FREE = frozenset({Treatment.NEW, Treatment.RHYTHM})


class Role(Enum):
    """The function of a phrase in the piece."""

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

    Its ``source``, if it has one, is the number of a bar of the phrase's theme, or of the phrase
    itself if the source is its ``own``.
    """

    onset: int
    length: int
    place: int
    treatment: Treatment = Treatment.NEW
    source: int | None = None
    own: bool = False

    @property
    def keeps_chords(self) -> bool:
        """Whether it has the chords of its source."""
        return self.treatment in _SAME_CHORDS


class Scene(Enum):
    """How a bar is divided between the melody, the second voice, the upper voices and the bass."""

    #: The melody over figure and bass, answered in its pauses.
    TUNE = 0
    #: The melody alone.
    SOLO = 1
    #: The melody, a second voice along with it, and the bass.
    DUO = 2
    #: As TUNE, with the melody doubled a third or a sixth below, and fewer upper voices.
    THIRDS = 3
    #: As TUNE, with the melody doubled an octave below.
    OCTAVES = 4
    #: All in the melody's rhythm.
    CHORDS = 5
    #: All in octaves.
    UNISON = 6
    #: The second voice has the melody, an octave below; the melody rests.
    HANDED = 7
    #: Figure and bass alone.
    PLAYED = 8

    @property
    def has_pads(self) -> bool:
        """Whether the upper voices play chords."""
        return self not in {Scene.SOLO, Scene.DUO, Scene.UNISON}

    @property
    def has_bass(self) -> bool:
        """Whether the bass plays."""
        return self not in {Scene.SOLO, Scene.UNISON}

    @property
    def has_melody(self) -> bool:
        """Whether the melody plays."""
        return self not in {Scene.HANDED, Scene.PLAYED}


@dataclass(frozen=True, slots=True)
class BarStage:
    """How a bar is played: its scene, the figure of the upper voices and the manner of the bass.

    ``thin`` leaves out the highest of the upper voices.
    """

    scene: Scene
    figure: str
    bass: str
    thin: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of ``whole`` bars, with the last chord's bar if the phrase is ``closing``.

    ``energy`` is in percent. ``leads_to`` is the key of the next phrase if that differs. A phrase
    that is ``elided`` ends on the first note of the next. ``climbs`` and ``sinks`` say that the
    melody has its highest or its lowest note here. If it ``breaks``, all are silent before the
    next phrase. If it ``pivots``, a chord that both keys have prepares the next phrase's dominant.
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
    #: How each bar is played, with the last chord's.
    stages: tuple[BarStage, ...]
    drums: bool = False
    breaks: bool = False
    leads_to: Field | None = None
    pivots: bool = False
    elided: bool = False
    closing: bool = False
    climbs: bool = False
    sinks: bool = False

    @property
    def onset(self) -> int:
        """The tick at which it begins, or began if its first bars were played already."""
        first = self.bars[0]
        return first.onset - first.place * first.length

    @property
    def opens(self) -> bool:
        """Whether it is the first phrase of the piece."""
        return self.bars[0].onset == 0

    @property
    def end(self) -> int:
        """The first tick after its bars."""
        return self.bars[-1].onset + self.bars[-1].length

    def stage_at(self, tick: int) -> BarStage:
        """How it is played at a tick."""
        place = (tick - self.onset) // self.bars[0].length
        return self.stages[min(place, len(self.stages) - 1)]

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
    def breadth(self) -> int:
        """How broadly it may be written, in thousandths: a piece of few phrases is a song."""
        over = len(self.phrases) - SONG_PHRASES
        return min(max(over, 0) * WHOLE // _BROADENING, WHOLE)

    @property
    def sections(self) -> list[tuple[int, str]]:
        """Where sections begin, and their names."""
        found: list[tuple[int, str]] = []
        for phrase in self.phrases:
            if not found or found[-1][1] != phrase.section:
                found.append((phrase.onset, phrase.section))
        return found
