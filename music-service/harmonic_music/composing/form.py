"""The plan of a piece: phrases of four bars in sections of eight, and a last chord.

A section is a period as William Caplin describes it (*Classical Form*, 1998): the first phrase
opens with a basic idea of two bars and stops on the dominant, the second begins with the same idea
and closes on the tonic. Sections follow as a rondo. A piece too short for that is one phrase, or
less: an upbeat and its goal.
"""

from dataclasses import dataclass
from enum import Enum

from harmonic_music.score import TICKS_PER_BEAT

PULSES_PER_BAR = 4
BARS_PER_PHRASE = 4
#: A body of fewer bars is one phrase or two, whatever their length.
SHORTEST_WITH_INTRODUCTION_BARS = 12
LONGEST_PHRASE_BARS = 6
LONGEST_INTRODUCTION_BARS = 2
#: Above this tempo music is felt in halves: all note values are doubled. It is the asked tempo that
#: decides, before gravity: physics changes how fast the notes go by, not which they are.
ALLA_BREVE_ABOVE_BPM = 120

SIXTEENTHS_PER_BEAT = 4
_RONDO = "AABACABADABA"
_ENERGIES = {"A": 46, "B": 58, "C": 66, "D": 52}
#: What is added at the climax, two thirds into the piece.
_CLIMAX_ENERGY = 20
#: Bars of the same theme share their first so many.
_BASIC_IDEA_BARS = 2


class Cadence(Enum):
    """How a phrase ends: on the dominant, or on the tonic."""

    OPEN = 0
    CLOSED = 1


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar and its place: the ``place``-th of ``phrase_bars``; energy is in percent.

    Bars with the same ``idea`` share harmony, rhythm and melody.
    """

    onset: int
    length: int
    idea: tuple[str, int, int]
    place: int
    phrase_bars: int
    cadence: Cadence
    section: int
    energy: int
    sung: bool = True

    @property
    def is_first(self) -> bool:
        """Whether a phrase begins here."""
        return self.place == 0

    @property
    def is_last(self) -> bool:
        """Whether a phrase ends here."""
        return self.place == self.phrase_bars - 1


@dataclass(frozen=True, slots=True)
class Form:
    """The bars, then the last chord from ``goal`` to ``end``; ``pulse`` is what is felt as beat."""

    pulse: int
    bars: tuple[Bar, ...]
    goal: int
    end: int


def felt_pulse(tempo: float) -> int:
    """The ticks from one felt beat to the next, at the tempo that was asked for."""
    return TICKS_PER_BEAT * (2 if tempo > ALLA_BREVE_ABOVE_BPM else 1)


def lay_out(ticks: int, pulse: int) -> Form:
    """The plan of a piece of so many ticks."""
    bar = pulse * PULSES_PER_BAR
    goal = _goal(ticks, pulse)
    count = goal // bar
    if count == 0:
        short = (Bar(0, goal, ("A", 0, 0), 0, 1, Cadence.OPEN, 0, _ENERGIES["A"]),)
        return Form(pulse, short if goal else (), goal, ticks)
    introduction, phrases = _phrases(count)
    bars: list[Bar] = [
        Bar(n * bar, bar, ("", 0, n), n, introduction, Cadence.OPEN, 0, _ENERGIES["A"], sung=False)
        for n in range(introduction)
    ]
    for number, phrase_bars in enumerate(phrases):
        bars.extend(_phrase(number, phrase_bars, len(phrases), len(bars), bar))
    return Form(pulse, tuple(bars), goal, ticks)


def _goal(ticks: int, pulse: int) -> int:
    """Where the last chord begins: it takes from half a bar to one and a half, if there is room."""
    bar = pulse * PULSES_PER_BAR
    if ticks >= 2 * bar:
        return (ticks - bar // 2) // bar * bar
    if ticks >= 2 * pulse:
        return ticks * 5 // 8 // pulse * pulse
    sixteenth = TICKS_PER_BEAT // SIXTEENTHS_PER_BEAT
    return ticks // 2 // sixteenth * sixteenth


def _phrases(bars: int) -> tuple[int, list[int]]:
    """The bars of the introduction, and those of each phrase.

    The last chord is the last phrase's fourth bar. What is over is played before; three bars
    would be long to wait for the melody, so the last phrase is the shorter instead.
    """
    if bars >= SHORTEST_WITH_INTRODUCTION_BARS:
        whole, over = divmod(bars + 1, BARS_PER_PHRASE)
        if over > LONGEST_INTRODUCTION_BARS:
            return 0, [BARS_PER_PHRASE] * whole + [over - 1]
        return over, [BARS_PER_PHRASE] * (whole - 1) + [BARS_PER_PHRASE - 1]
    if bars <= LONGEST_PHRASE_BARS:
        return 0, [bars]
    return 0, [bars - bars // 2, bars // 2]


def _phrase(number: int, phrase_bars: int, phrases: int, first: int, bar: int) -> list[Bar]:
    sections = (phrases + 1) // 2
    section = number // 2
    theme = "A" if section == sections - 1 else _RONDO[section % len(_RONDO)]
    # The last phrase stays open: the last chord closes it.
    closed = number % 2 == 1 and number != phrases - 1
    climax = max(1, phrases * 2 // 3)
    rise = _CLIMAX_ENERGY * (1 - abs(number - climax) / climax)
    shared = min(_BASIC_IDEA_BARS, phrase_bars - 2)
    return [
        Bar(
            onset=(first + place) * bar,
            length=bar,
            idea=(theme, 0, place) if place < shared else (theme, number + 1, place),
            place=place,
            phrase_bars=phrase_bars,
            cadence=Cadence.CLOSED if closed else Cadence.OPEN,
            section=section,
            energy=_ENERGIES[theme] + int(rise),
        )
        for place in range(phrase_bars)
    ]
