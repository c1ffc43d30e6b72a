"""What a piece consists of: bars in phrases, phrases in sections, and a last chord that fits.

Each bar knows where it comes from: what returns does so note for note, varied, moved, or in rhythm
alone.
"""

from dataclasses import dataclass
from enum import Enum

from harmonic_music.composing.dice import WHOLE
from harmonic_music.score import TICKS_PER_BEAT

BEATS_PER_BAR = 4
BAR = BEATS_PER_BAR * TICKS_PER_BEAT
BARS_PER_PHRASE = 4
PHRASES_PER_SECTION = 4


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


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar and its place: the ``place``-th of ``phrase_bars``; energy is in percent.

    It comes from the bar numbered ``origin``, if from any, by its ``treatment``.
    """

    onset: int
    length: int
    phrase: int
    place: int
    phrase_bars: int
    cadence: Cadence
    section: str
    energy: int
    origin: int | None = None
    treatment: Treatment = Treatment.NEW

    @property
    def section_number(self) -> int:
        """The section's place in the piece: the same letter may come several times."""
        return self.phrase // PHRASES_PER_SECTION

    @property
    def is_first(self) -> bool:
        """Whether a phrase begins here."""
        return self.place == 0

    @property
    def is_last(self) -> bool:
        """Whether a phrase ends here."""
        return self.place == self.phrase_bars - 1

    @property
    def keeps_pitches(self) -> bool:
        """Whether its melody is that of the bar that it comes from, or nearly."""
        return self.treatment in {Treatment.LITERAL, Treatment.VARIED, Treatment.SEQUENCE}

    @property
    def keeps_chords(self) -> bool:
        """Whether it has the chords of the bar that it comes from."""
        return self.treatment in {Treatment.LITERAL, Treatment.VARIED}


@dataclass(frozen=True, slots=True)
class Form:
    """The bars, then the last chord from ``goal`` to ``end``."""

    bars: tuple[Bar, ...]
    goal: int
    end: int
    climax: int

    @property
    def sections(self) -> int:
        """How many sections there are."""
        return self.bars[-1].section_number + 1 if self.bars else 0

    @property
    def extremes(self) -> tuple[int, int]:
        """The phrases with the melody's highest note and its lowest: of those that bring new bars.

        The highest comes about so many thousandths into the piece as ``climax`` says.
        """
        fresh = sorted({bar.phrase for bar in self.bars if not bar.keeps_pitches})
        if not fresh:
            return 0, 0
        last = self.bars[-1].phrase
        highest = min(fresh, key=lambda phrase: (abs(WHOLE * phrase - self.climax * last), phrase))
        others = [phrase for phrase in fresh if phrase != highest] or fresh
        return highest, min(
            others, key=lambda phrase: (abs(WHOLE * phrase - (WHOLE - self.climax) * last), phrase)
        )

    def passages(self) -> list[list[Bar]]:
        """The bars in stretches that are written at once: a phrase, or its parts.

        A bar that repeats one of its own phrase begins another: what it repeats must be there.
        """
        found: list[list[Bar]] = []
        for bar in self.bars:
            start = len(self.bars) if not found else found[-1][0].onset // BAR
            repeats = bar.origin is not None and bar.origin >= start
            if bar.is_first or repeats:
                found.append([])
            found[-1].append(bar)
        return found
