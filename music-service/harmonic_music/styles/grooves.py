"""Drums: what is struck when, by meter, as keys of General MIDI's percussion channel.

A line is an instrument's bar; its marks are steps of equal length: ``X`` strikes hard, ``x``
normally, ``o`` softly.
"""

from dataclasses import dataclass
from types import MappingProxyType

from harmonic_music.theory.meters import FOUR_FOUR, SIX_EIGHT, THREE_FOUR, Meter

KICK, STICK, SNARE, CLAP = 36, 37, 38, 39
CLOSED_HAT, PEDAL_HAT, OPEN_HAT = 42, 44, 46
LOW_TOM, MIDDLE_TOM, HIGH_TOM = 45, 47, 50
CRASH, RIDE, TAMBOURINE, SHAKER, CONGA_HIGH, CONGA_LOW = 49, 51, 54, 70, 62, 64

Bar = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Groove:
    """A manner of drumming: bars from calm to full, and fills that end a phrase."""

    bars: dict[Meter, tuple[Bar, ...]]
    fills: dict[Meter, tuple[Bar, ...]]


_FILLS: dict[Meter, tuple[Bar, ...]] = {
    FOUR_FOUR: (
        (
            (KICK, "X.......x......."),
            (SNARE, "....X.....o.xxXX"),
            (CLOSED_HAT, "x.x.x.x.x......."),
        ),
        ((KICK, "X......."), (SNARE, "..X....."), (HIGH_TOM, "....xx.."), (LOW_TOM, "......XX")),
        ((KICK, "X...x..."), (SNARE, "..X..xXX"), (CLOSED_HAT, "xxxxx...")),
        ((KICK, "X.x....."), (SNARE, "....X.xx"), (MIDDLE_TOM, ".....x..")),
    ),
    THREE_FOUR: (
        ((KICK, "X....."), (SNARE, "..x.xX"), (CLOSED_HAT, "x.x...")),
        ((KICK, "X....."), (HIGH_TOM, "..xx.."), (LOW_TOM, "....XX")),
    ),
    SIX_EIGHT: (
        ((KICK, "X....."), (SNARE, "...Xxx"), (CLOSED_HAT, "xxx...")),
        ((KICK, "X..x.."), (SNARE, "....xX"), (HIGH_TOM, "...x..")),
    ),
}
_SOFT_FILLS: dict[Meter, tuple[Bar, ...]] = {
    FOUR_FOUR: (
        ((KICK, "x......."), (STICK, "..x..x.x"), (RIDE, "xxxxxx..")),
        ((KICK, "x......."), (SNARE, "...o.oox"), (CLOSED_HAT, "xxxx....")),
    ),
    THREE_FOUR: (((KICK, "x....."), (STICK, "..x.xx")),),
    SIX_EIGHT: (((KICK, "x....."), (STICK, "...x.x"), (SHAKER, "xoxxo.")),),
}

GROOVES = MappingProxyType(
    {
        "backbeat": Groove(
            {
                FOUR_FOUR: (
                    ((KICK, "X...X..."), (CLOSED_HAT, "xoxoxoxo"), (STICK, "..x...x.")),
                    ((KICK, "X..xX..."), (SNARE, "..X...X."), (CLOSED_HAT, "xoxoxoxo")),
                    (
                        (KICK, "X..x.x.."),
                        (SNARE, "..X...X."),
                        (CLOSED_HAT, "xxxxxxx."),
                        (OPEN_HAT, ".......x"),
                    ),
                    (
                        (KICK, "X.....x.x.x....."),
                        (SNARE, "....X..o....X..o"),
                        (CLOSED_HAT, "xoxoxoxoxoxoxoxo"),
                    ),
                ),
                THREE_FOUR: (
                    ((KICK, "X....."), (CLOSED_HAT, "xoxoxo"), (STICK, "....x.")),
                    ((KICK, "X..x.."), (SNARE, "....X."), (CLOSED_HAT, "xoxoxo")),
                ),
                SIX_EIGHT: (
                    ((KICK, "X....."), (CLOSED_HAT, "xooxoo"), (STICK, "...x..")),
                    ((KICK, "X....x"), (SNARE, "...X.."), (CLOSED_HAT, "xooxoo")),
                ),
            },
            _FILLS,
        ),
        "swing": Groove(
            {
                FOUR_FOUR: (
                    ((RIDE, "x.xox.xo"), (PEDAL_HAT, "..x...x.")),
                    ((RIDE, "x.xxx.xx"), (PEDAL_HAT, "..x...x."), (KICK, "o...o...")),
                    (
                        (RIDE, "x.xxx.xx"),
                        (PEDAL_HAT, "..x...x."),
                        (KICK, "o...o..x"),
                        (SNARE, "...o.o.."),
                    ),
                    (
                        (RIDE, "X.xxX.xx"),
                        (PEDAL_HAT, "..x...x."),
                        (SNARE, ".....o.o"),
                        (KICK, "o..o...."),
                    ),
                ),
                THREE_FOUR: (
                    ((RIDE, "x.xox."), (PEDAL_HAT, "..x...")),
                    ((RIDE, "x.xxx."), (PEDAL_HAT, "..x.x."), (KICK, "o....."), (SNARE, "...o..")),
                ),
                SIX_EIGHT: (((RIDE, "xo.xo."), (PEDAL_HAT, "...x..")),),
            },
            _SOFT_FILLS,
        ),
        "shuffle": Groove(
            {
                FOUR_FOUR: (
                    ((KICK, "X...X..."), (SNARE, "..x...x."), (CLOSED_HAT, "xoxoxoxo")),
                    ((KICK, "X..xX..."), (SNARE, "..X...X."), (CLOSED_HAT, "xxxxxxxx")),
                    ((KICK, "X..xX..x"), (SNARE, "..Xo..Xo"), (RIDE, "xxxxxxxx")),
                ),
                THREE_FOUR: (((KICK, "X....."), (SNARE, "..x.x."), (CLOSED_HAT, "xoxoxo")),),
                SIX_EIGHT: (((KICK, "X....."), (SNARE, "...X.."), (CLOSED_HAT, "xoxxox")),),
            },
            _FILLS,
        ),
        "brushes": Groove(
            {
                FOUR_FOUR: (
                    ((SHAKER, "o.x.o.x."), (KICK, "o.......")),
                    ((SHAKER, "oox.oox."), (KICK, "o...o..."), (STICK, "......o.")),
                    ((SHAKER, "ooxoooxo"), (KICK, "x...o..."), (STICK, "..o...x.")),
                ),
                THREE_FOUR: (
                    ((SHAKER, "o.x.x."), (KICK, "o.....")),
                    ((SHAKER, "ooxoxo"), (KICK, "x....."), (STICK, "....o.")),
                ),
                SIX_EIGHT: (
                    ((SHAKER, "xooxoo"), (KICK, "o.....")),
                    ((SHAKER, "xooxoo"), (KICK, "x..o.."), (TAMBOURINE, "...o..")),
                ),
            },
            _SOFT_FILLS,
        ),
        "latin": Groove(
            {
                FOUR_FOUR: (
                    ((SHAKER, "xoxoxoxo"), (STICK, "x..x..x.")),
                    ((SHAKER, "xoxoxoxo"), (STICK, "x..x..x..x..x..."[:8]), (KICK, "x..xx..x")),
                    (
                        (SHAKER, "xoxoxoxo"),
                        (STICK, "..x.x..."),
                        (KICK, "x..xx..x"),
                        (CONGA_HIGH, ".......x"),
                        (CONGA_LOW, "......x."),
                    ),
                    (
                        (CLOSED_HAT, "xxxxxxxx"),
                        (STICK, "x..x..x."),
                        (KICK, "x..xx..x"),
                        (CONGA_LOW, "...x..xx"),
                    ),
                ),
                THREE_FOUR: (((SHAKER, "xoxoxo"), (STICK, "x..x.."), (KICK, "x...x.")),),
                SIX_EIGHT: (((SHAKER, "xoxoxo"), (STICK, "x.x..x"), (KICK, "x..x..")),),
            },
            _SOFT_FILLS,
        ),
        "march": Groove(
            {
                FOUR_FOUR: (
                    ((SNARE, "x...x.o.x...x.o."), (KICK, "x.......x.......")),
                    ((SNARE, "x.ooxoo.x.ooxooo"), (KICK, "X.......X.......")),
                ),
                THREE_FOUR: (
                    (
                        (SNARE, "x.o.x.o.x.o."),
                        (KICK, "X..........."),
                    ),
                ),
                SIX_EIGHT: (((SNARE, "x.oxoo"), (KICK, "X..X..")),),
            },
            _FILLS,
        ),
    }
)
