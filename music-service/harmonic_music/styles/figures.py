"""Accompaniment figures: which of the upper voices are struck when, by meter.

A pattern is a bar; its marks are steps of equal length. A digit strikes a voice, counted from the
lowest; several digits strike together; ``-`` strikes nothing. A digit with ``+`` or ``_`` strikes
the neighbour of the voice's tone above or below. The first variant of a figure is the usual one;
the others are used in between.
"""

from dataclasses import dataclass
from types import MappingProxyType

from harmonic_music.theory.meters import FOUR_FOUR, SIX_EIGHT, THREE_FOUR, Meter

#: Steps of a bar: the voices that each strikes, and by how many steps of the scale beside its tone.
Pattern = tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True)
class AccompanimentFigure:
    """A figure; its tones last ``hold`` steps; with 0, until their voice is struck again.

    ``strikes`` says that a chord is struck at its onset, wherever that is. ``moves`` says that its
    voices move melodically: they pass between chords, and hold tones over.
    """

    variants: dict[Meter, tuple[Pattern, ...]]
    hold: int = 0
    strikes: bool = False
    moves: bool = False


def _pattern(text: str) -> Pattern:
    return tuple(
        tuple(
            (int(voice), {"+": 1, "_": -1}.get(mark[place + 1 : place + 2], 0))
            for place, voice in enumerate(mark)
            if voice.isdigit()
        )
        for mark in text.split()
    )


def _figure(
    four: tuple[str, ...],
    three: tuple[str, ...],
    six: tuple[str, ...],
    *,
    hold: int = 0,
    strikes: bool = False,
    moves: bool = False,
) -> AccompanimentFigure:
    variants = {
        meter: tuple(_pattern(text) for text in texts)
        for meter, texts in ((FOUR_FOUR, four), (THREE_FOUR, three), (SIX_EIGHT, six))
    }
    return AccompanimentFigure(variants, hold, strikes, moves)


FIGURES = MappingProxyType(
    {
        "chorale": _figure(
            ("012 - 012 - 012 - 12 1", "012 012 012 -", "012 2 012 - 12 1 012 -", "012 - 12 012"),
            ("012 - 012", "012 012 -", "012 - -"),
            ("012 - - 012 - -", "012 - 12 012 - -", "012 - - 012 - 12"),
            strikes=True,
            moves=True,
        ),
        "pad": _figure(
            ("012 - - -", "012 - 12 -", "012 - - 2", "012 - 1 -"),
            ("012 - -", "012 - 12", "012 1 -"),
            ("012 - - - - -", "012 - - 12 - -"),
            strikes=True,
            moves=True,
        ),
        "flowing": _figure(
            (
                "012 - - 1+ 1 - - 1_",
                "02 1 1+ 1 2_ 2 1_ 1",
                "012 1+ 1 1_ 1 1+ 2 1",
                "012 - 1+ 1 1_ 1 1+ -",
                "12 0 0+ 0 0_ 0 0+ 1",
            ),
            ("012 - 1+ 1 1_ 1", "02 1 1+ 1 2_ 2", "12 0 0+ 0 0_ 0"),
            ("012 1+ 1 1_ 1 1+", "02 1 1+ 1 2_ 2", "012 - 1+ 1 - 1_"),
            strikes=True,
        ),
        "alberti": _figure(
            (
                "0 2 1 2 0 2 1 2",
                "0 2 1 1+ 2 1 0 1",
                "0 1 2 2+ 2 1 2 -",
                "- 2 1 2 0 1 1+ 1",
                "0 1 2 1 - 2 1 0",
            ),
            ("0 2 1 2 1 2", "0 1 2 2+ 2 1", "- 2 1 2 1 0"),
            ("0 2 1 0 2 1", "0 1 2 2 1 0", "0 1 1+ 2 1 -"),
            hold=1,
        ),
        "stride": _figure(
            (
                "- - 012 - - 1 012 -",
                "- 2 012 - - - 012 12",
                "- - 012 - - 012 - 12",
                "- - 012 12 - - 012 -",
            ),
            ("- 012 012", "- 012 -", "- 01 2"),
            ("- - 012 - - 012", "- 12 012 - - 012"),
            hold=1,
        ),
        "waltz": _figure(
            ("- 012 - 012", "- 012 012 012", "- - 012 1 - 2 012 -"),
            ("- 012 012", "- - 012 - 012 1", "- 01 12", "- - 01 2 12 2", "- 2 12 - 012 12"),
            ("- - 012 - - 012", "- 012 012 - 012 012"),
            hold=1,
        ),
        "arpeggio": _figure(
            (
                "0 1 2 1 0 1 2 1",
                "0 1 2 2+ 2 - 1 -",
                "- 0 1 2 - 1 2 1",
                "0 1 2 1 2 1 0 0_",
                "0 - 1 2 1 1_ 1 -",
            ),
            ("0 1 2 1 2 1", "- 0 1 2 2+ 2", "0 1 2 - 1 -", "0 1 1+ 2 1 0"),
            ("0 1 2 1 2 1", "0 1 2 2+ 2 1", "- 0 1 2 1 0", "0 1 2 0 1 -"),
            hold=1,
        ),
        "ripple": _figure(
            (
                "0 1 2 1 0 1 2 1 0 1 1+ 2 1 1_ 1 2",
                "- 0 1 2 1 0 1 2 - - 2 - 1 - 0 -",
                "0 1 2 1 2 2+ 2 1 0 - 1 - 2 - 1 -",
                "0 - 2 - 1 1+ 1 1_ 1 - 2 - 0 1 2 1",
            ),
            ("0 1 2 1 0 1 2 1 0 1 2 1", "- 0 1 2 2+ 2 1 - 0 - 1 -", "0 - 1 - 2 - 1 1+ 1 1_ 0 1"),
            ("0 1 2 1 2 1 0 1 2 2+ 2 1", "- 0 1 2 1 0 1 - 2 - 1 -", "0 - 1 2 1 0 0 1 2 1 - -"),
            hold=1,
        ),
        "ostinato": _figure(
            (
                "02 - 1 02 - 1 02 -",
                "02 - 1 02 - 1 - 1",
                "0 - 12 0 - 12 0 12",
            ),
            ("02 - 1 - 02 1", "02 1 - 1 02 -"),
            ("02 - 1 02 1 -", "02 1 - 02 - 1"),
        ),
        "riff": _figure(
            (
                "012 - - 012 - - 12 -",
                "012 - - 012 - - - 012",
                "- - 012 - - 012 - 12",
                "012 - 12 - - 012 - -",
            ),
            ("012 - - 012 - 12", "012 - 12 - 12 -"),
            ("012 - - - 012 -", "012 - 12 - 12 -"),
            hold=2,
        ),
        "comping": _figure(
            (
                "- - - 012 - 2 012 -",
                "012 - - 012 - 12 - 1",
                "- - 012 - - - - 012",
                "- 012 - - - 012 - -",
                "- - 012 - - 012 - -",
            ),
            ("- - - 012 - -", "- 012 - - 012 -", "012 - - 012 - -"),
            ("- - 012 - 012 -", "012 - - - - 012"),
            hold=2,
        ),
        "offbeat": _figure(
            (
                "- 012 - 012 - 012 - 012",
                "- 012 - 012 - 012 12 -",
                "- 012 - 012 - - 012 -",
            ),
            ("- 012 - 012 - 012", "- 012 - 12 - 012"),
            ("- - 012 - - 012", "- 012 012 - - 012"),
            hold=1,
        ),
        "pulse": _figure(
            (
                "012 012 012 012 012 012 012 012",
                "012 - 012 012 - 012 012 -",
                "012 12 012 12 012 12 012 12",
            ),
            ("012 012 012 012 012 012", "012 - 012 012 012 012"),
            ("012 012 012 012 012 012", "012 - 012 012 - 012"),
            hold=1,
            strikes=True,
        ),
    }
)
