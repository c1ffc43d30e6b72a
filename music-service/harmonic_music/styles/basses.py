"""Manners of the bass, by meter.

A pattern is a bar. Its marks are steps of equal length: ``r`` the chord's bass tone, ``f`` its
fifth, ``o`` the octave, ``t`` another chord tone, ``p`` a step on the way to the next chord's bass
tone, ``-`` nothing new. The first variant is the usual one.
"""

from dataclasses import dataclass
from types import MappingProxyType

from harmonic_music.theory.meters import FOUR_FOUR, SIX_EIGHT, THREE_FOUR, Meter


@dataclass(frozen=True, slots=True)
class BassManner:
    """A manner of the bass; a note sounds for ``beats`` at most."""

    variants: dict[Meter, tuple[tuple[str, ...], ...]]
    beats: int


def _manner(
    four: tuple[str, ...], three: tuple[str, ...], six: tuple[str, ...], beats: int = 4
) -> BassManner:
    variants = {
        meter: tuple(tuple(text.split()) for text in texts)
        for meter, texts in ((FOUR_FOUR, four), (THREE_FOUR, three), (SIX_EIGHT, six))
    }
    return BassManner(variants, beats)


BASSES = MappingProxyType(
    {
        "held": _manner(
            ("r - p -", "r - - p", "r - - -", "r - - - - - p p"),
            ("r - -", "r - p", "r - - - p p"),
            ("r - - p - -", "r - - - - p", "r - - - - -"),
            4,
        ),
        "line": _manner(
            ("r t f p", "r - f p", "r f r p", "r - p p", "r - t - r - f p", "r f t p"),
            ("r - p", "r t p", "r f p", "r - f r - p", "r - -"),
            ("r - p r - f", "r - f t - p", "r - t f - p"),
            4,
        ),
        "two": _manner(
            ("r - f r", "r f r p", "r - f p", "r - - r f - - p"),
            ("r - f", "r - p", "r - -", "r - - - p p"),
            ("r - - f - -", "r - - f - p", "r - p f - p"),
            1,
        ),
        "walking": _manner(
            ("r t f p", "r p t p", "r f t p", "r r t p", "r t p - p - - -"),
            ("r t p", "r f p", "r p p"),
            ("r - t f - p", "r - t p - p"),
            4,
        ),
        "pickup": _manner(
            ("r - - r f - - p", "r - - r - - f p", "r - - r f - t p", "r - r - f - t p"),
            ("r - - - - p", "r - - - p p", "r - - - f -"),
            ("r - - r - p", "r - - f - p"),
            4,
        ),
        "riff": _manner(
            (
                "r - - r - - f -",
                "r - r o - - f p",
                "r - - r f - o -",
                "r - - r - f o p",
            ),
            ("r - - r f -", "r - o - f p"),
            ("r - r f - o", "r - r r - p"),
            4,
        ),
        "eighths": _manner(
            ("r - r r f - r p", "r r - r f r t p", "r - r o - r f p", "r r r - f f p p"),
            ("r - r r f p", "r r - f p p"),
            ("r - r f - r", "r r f r - p"),
            4,
        ),
        "boogie": _manner(
            ("r t f o f t r p", "r r t t f f o p", "r t f t o f t p"),
            ("r t f o f p", "r t f t f p"),
            ("r t f o f p", "r t f f t p"),
            4,
        ),
        "tango": _manner(
            ("r - - f r - f -", "r - - f o - f p", "r - - r f - f -"),
            ("r - - r f -", "r - - f - p"),
            ("r - r f - f", "r - r f - p"),
            4,
        ),
        "running": _manner(
            ("r p p p r - f f", "r - f - r f t p", "r p r f f - t p", "r - o - r f p p"),
            ("r p p p f p", "r - f p p p", "r p r - f p"),
            ("r t f t p p", "r - p p f p", "r p p r - p"),
            4,
        ),
        "pedal": _manner(
            ("r - - -", "r - - - r - - -", "r - r -"),
            ("r - -", "r - r"),
            ("r - - - - -", "r - - r - -"),
            4,
        ),
    }
)
