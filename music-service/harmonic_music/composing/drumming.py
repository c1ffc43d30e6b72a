"""Drums: the groove in each bar, a fill at a phrase's end, a cymbal at a section's begin."""

from dataclasses import dataclass

from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import Bar, Phrase, Scene
from harmonic_music.styles.catalogue import Style
from harmonic_music.styles.grooves import CRASH, GROOVES
from harmonic_music.styles.grooves import Bar as DrumBar

#: The velocity of marks, above the phrase's energy.
_MARKS = {"X": 22, "x": 6, "o": -14}
_CALM, _FULL = 36, 82
#: Scenes in which drums are silent.
_UNDRUMMED = frozenset({Scene.SOLO, Scene.UNISON})
_FILLED, _CRASHED, _OTHER = 620, 700, 220


@dataclass(frozen=True, slots=True, order=True)
class DrumStroke:
    """A stroke: its tick, its key in General MIDI's percussion, and its velocity."""

    onset: int
    key: int
    velocity: int


class Drummer:
    """Drums a piece; ``room`` is how many strokes per bar it may have."""

    def __init__(self, style: Style, room: int) -> None:
        self._groove = GROOVES[style.groove] if style.groove else None
        self._meter, self._room = style.meter, room

    def strokes(self, phrase: Phrase, *, begins: bool, dice: Dice) -> list[DrumStroke]:
        """The strokes of a phrase; ``begins`` says that a section begins with it."""
        if self._groove is None or not phrase.drums:
            return []
        bars, fills = self._groove.bars[self._meter], self._groove.fills[self._meter]
        level = WHOLE * (phrase.energy - _CALM) // (_FULL - _CALM)
        usual = min(max(level, 0), WHOLE - 1) * len(bars) // WHOLE
        crashes = begins and phrase.number > 0 and dice.chance(_CRASHED)
        found: list[DrumStroke] = []
        for bar in phrase.bars:
            if phrase.stages[bar.place].scene in _UNDRUMMED:
                continue
            other, filled, place = dice.chance(_OTHER), dice.chance(_FILLED), dice.below(64)
            pattern = bars[max(usual - 1, 0) if other else usual]
            if filled and bar.place == phrase.whole - 1:
                pattern = fills[place % len(fills)]
            pattern = _thinned(pattern, self._room)
            found += _played(pattern, bar, phrase.energy)
            if crashes and bar.place == 0:
                found.append(DrumStroke(bar.onset, CRASH, min(120, phrase.energy + 24)))
        return found


def _thinned(pattern: DrumBar, room: int) -> DrumBar:
    """The lines of a bar that ``room`` allows; of the first one, every other mark if necessary."""
    kept: list[tuple[int, str]] = []
    for key, line in pattern:
        marks = line
        while not kept and sum(mark in _MARKS for mark in marks) > max(1, room):
            places = [place for place, mark in enumerate(marks) if mark in _MARKS][1::2]
            marks = "".join("." if n in places else mark for n, mark in enumerate(marks))
        room -= sum(mark in _MARKS for mark in marks)
        if room < 0 and kept:
            break
        kept.append((key, marks))
    return tuple(kept)


def _played(pattern: DrumBar, bar: Bar, energy: int) -> list[DrumStroke]:
    return [
        DrumStroke(
            bar.onset + place * bar.length // len(line),
            key,
            min(max(energy + _MARKS[mark], 12), 124),
        )
        for key, line in pattern
        for place, mark in enumerate(line)
        if mark in _MARKS
    ]
