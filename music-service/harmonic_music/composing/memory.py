"""The themes that a piece remembers, as chords and degrees, so that they can return in any key.

A theme can be written as text, and read by another piece that answers it.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from harmonic_music.composing.harmony import ChordSlot, Progression
from harmonic_music.composing.variation import Sung
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.meters import UNITS_PER_BEAT

#: Themes that are remembered at most; beyond, the one heard last is dropped.
MOST_THEMES = 6
#: Bounds of a theme that is read: its bars, the notes of each, and its text's length.
_MOST_BARS, _MOST_NOTES, MOST_TEXT = 8, 64, 8192
_GRID_TICKS = 120
#: The unit of times: no event of a theme lies between two multiples of it.
UNIT = TICKS_PER_BEAT // UNITS_PER_BEAT
_MOST_STEPS = 64


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme's bars of ``bar`` ticks: their chords and their melody, in a scale of ``tones``."""

    chords: Progression
    melody: tuple[Sung, ...]
    bar: int = 0
    tones: int = 0

    def written(self) -> str:
        """The theme as text."""
        return json.dumps(self.wire(), separators=(",", ":"))

    def wire(self) -> dict[str, object]:
        """The theme as JSON values: times in units, and no alteration if there is none."""
        return {
            "bar": self.bar // UNIT,
            "tones": self.tones,
            "chords": [
                [[s.offset // UNIT, s.length // UNIT, s.degree] for s in row] for row in self.chords
            ],
            "melody": [
                [[at // UNIT, step, *([altered] if altered else [])] for at, (step, altered) in row]
                for row in self.melody
            ],
        }

    def fitted(self, bar: int, tones: int) -> "Theme":
        """The theme in another meter and scale: times in proportion, degrees by their place.

        Its chords are dropped if the scale or the meter differs.
        """
        if (bar, tones) == (self.bar, self.tones):
            return self
        melody = tuple(
            tuple(
                {
                    at * bar // self.bar // _GRID_TICKS * _GRID_TICKS: (
                        _elsewhere(step, self.tones, tones),
                        0,
                    )
                    for at, (step, _) in row
                }.items()
            )
            for row in self.melody
        )
        return replace(self, chords=(), melody=melody, bar=bar, tones=tones)


def _elsewhere(step: int, before: int, after: int) -> int:
    """A step of a scale of ``before`` tones in a scale of ``after`` tones."""
    octave, place = divmod(step, before)
    return octave * after + place * after // before


def read_theme(text: str) -> Theme | None:
    """A theme from its text; ``None`` if the text is no theme, or exceeds the bounds."""
    if len(text) > MOST_TEXT:
        return None
    try:
        return theme_of_wire(json.loads(text))
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def theme_of_wire(read: Any) -> Theme:
    """A theme from its JSON values. Raise :class:`ValueError` if they are no theme."""
    rows = read["melody"], read["chords"]
    if any(len(row) > _MOST_BARS or any(len(it) > _MOST_NOTES for it in row) for row in rows):
        raise ValueError("too long a theme")
    bar, tones = _whole(read["bar"], 1, 1 << 16), _whole(read["tones"], 1, 12)
    melody = tuple(
        tuple(
            (
                UNIT * _whole(note[0], 0, bar - 1),
                (_whole(note[1], -_MOST_STEPS, _MOST_STEPS), _whole([*note, 0][2], -2, 2)),
            )
            for note in row
        )
        for row in read["melody"]
    )
    chords = tuple(
        tuple(
            ChordSlot(
                UNIT * _whole(offset, 0, bar - 1),
                UNIT * _whole(length, 1, bar),
                _whole(degree, 0, tones - 1),
            )
            for offset, length, degree in row
        )
        for row in read["chords"]
    )
    if any(sum(slot.length for slot in row) != UNIT * bar for row in chords):
        raise ValueError("chords do not fill their bars")
    return Theme(chords, melody, UNIT * bar, tones)


def _whole(number: Any, lowest: int, highest: int) -> int:
    if type(number) is not int or not lowest <= number <= highest:
        raise ValueError("not a number of a theme")
    return number
