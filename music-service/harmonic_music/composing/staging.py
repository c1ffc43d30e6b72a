"""Who plays in each phrase, how, and with how much energy: from an introduction to the climax."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import (
    SONG_PHRASES,
    Bar,
    BarStage,
    Cadence,
    Field,
    Phrase,
    Role,
    Scene,
    Treatment,
)
from harmonic_music.styles.catalogue import Style

if TYPE_CHECKING:
    from harmonic_music.composing.planning import Slot

#: The energy of a phrase by its role, in percent, and its rise within a section.
_ENERGIES = {
    Role.INTRO: 34,
    Role.THEME: 44,
    Role.CONTRAST: 56,
    Role.DEVELOPMENT: 60,
    Role.RETURN: 50,
    Role.CLIMAX: 70,
    Role.CODA: 38,
}
_GAINS = (0, 3, 11, 6, 4)
#: The energy added on the way to the climax.
_RISE = 14
#: The energies over which the figures of a style are spread, from calm to full.
_CALM, _FULL = 6, 54
_MIDDLE_ENERGY = 54
#: How often a phrase has another figure than its section, and its second part another than its
#: first; and how far a figure may deviate from the energy.
_OTHER_FIGURE, _CHANGED_FIGURE, _STRAY = 220, 300, 260
#: Where a phrase of four bars may change, with weights; further bars of a longer one follow.
_TURNS = ((2, 10), (1, 2), (3, 4), (4, 9))
#: Weights of scenes at low, middle and full energy, in the order of their declaration.
_SCENES = (
    (10, 2, 4, 3, 0, 3, 0, 3, 0),
    (11, 1, 3, 4, 2, 4, 1, 3, 0),
    (9, 0, 1, 4, 5, 5, 2, 1, 0),
)
_CALMER, _FULLER = 46, 60
#: The beginning and the end of a piece, and a short piece, have few changes.
_OPENING = (12, 2, 3, 1, 0, 2, 0, 0, 0)
_CLOSING = (9, 0, 0, 2, 3, 4, 0, 0, 0)
_SONG = (16, 0, 1, 2, 0, 1, 0, 0, 0)
_THIN, _BREAK = 300, 140
_SOLO_INTRO = 300
#: The upper voices' figures while the second voice has the melody.
_HANDING = ("pad", "offbeat", "riff")
#: In a piece of fewer phrases, everybody plays throughout.
_STAGED_PHRASES = 3
#: The energy from which on drums play.
DRUMS_ENERGY = 38


class Staging:
    """Makes phrases of slots."""

    def __init__(self, style: Style, character: Character, dice: Dice) -> None:
        self._style, self._character, self._dice = style, character, dice
        self._energies: list[int] = []
        #: The figure and the bass of each section that has begun.
        self._sections: dict[str, tuple[str, str]] = {}
        self._climax = self._depth = -1
        self._first = 0

    def stage(self, slots: "Sequence[Slot]") -> None:
        """Lay out the whole piece's energy, and where its melody is highest and lowest."""
        count = len(slots)
        peak = max(1, self._character.climax * count // WHOLE)
        energies = []
        for number, slot in enumerate(slots):
            gain = _GAINS[min(slot.within, len(_GAINS) - 1)]
            rise = _RISE * max(0, peak - abs(number - peak)) // peak
            wanted = _ENERGIES[slot.role] + gain + rise - _RISE // 2
            wanted = _MIDDLE_ENERGY + (wanted - _MIDDLE_ENERGY) * self._character.contrast // 100
            wanted += self._character.energy + self._style.loudness
            energies.append(min(max(wanted, 22), 92))
        self.lay(slots, energies)

    def lay(self, slots: "Sequence[Slot]", energies: Sequence[int]) -> None:
        """Give each phrase its energy: the melody is highest in the one that has most."""
        self._energies = list(energies)
        sung = [n for n, slot in enumerate(slots) if slot.role is not Role.INTRO] or [0]
        self._first = sung[0]
        self._climax = min(sung, key=lambda number: (-self._energies[number], number))
        others = [number for number in sung if number != self._climax]
        self._depth = min(others, key=lambda n: (self._energies[n], n)) if others else -1

    def phrase(
        self,
        number: int,
        slot: "Slot",
        bars: tuple[Bar, ...],
        cadence: Cadence,
        *,
        keys: tuple[Field, Field | None],
        count: int,
    ) -> Phrase:
        """The phrase of a slot; ``keys`` are its own and the next one's if that differs."""
        closing = number == count - 1
        energy = self._energies[number] if self._energies else _MIDDLE_ENERGY
        stages = self._stages(number, slot, energy, count)
        elided = (
            not closing
            and slot.role is not Role.INTRO
            and cadence is not Cadence.CLOSED
            and self._dice.chance(self._style.elided)
        )
        return Phrase(
            number=number,
            bars=bars,
            whole=slot.length,
            section=slot.section,
            theme=slot.theme,
            role=slot.role,
            cadence=cadence,
            key=keys[0],
            energy=energy,
            stages=stages,
            drums=self._drums(number, energy, count),
            breaks=not closing and number > 0 and self._dice.chance(_BREAK),
            leads_to=keys[1],
            elided=elided and bars[-1].treatment is Treatment.NEW,
            closing=closing,
            climbs=number == self._climax,
            sinks=number == self._depth,
        )

    def settle(self, number: int, slot: "Slot", dice: Dice) -> None:
        """Draw how the section that begins at this slot is played; its number fixes the draw."""
        self._sections[slot.section] = self._drawn(self._energies[number], ("", ""), dice)

    def _manner(self, slot: "Slot", energy: int) -> tuple[str, str]:
        if slot.section not in self._sections:
            self._sections[slot.section] = self._drawn(energy, ("", ""), self._dice)
        figure, bass = self._sections[slot.section]
        if slot.role is Role.CLIMAX or self._dice.chance(_OTHER_FIGURE):
            return self._drawn(energy, (figure, bass), self._dice)
        return figure, bass

    def _drawn(self, energy: int, apart_from: tuple[str, str], dice: Dice) -> tuple[str, str]:
        """A figure and a bass that suit an energy, preferably other ones than ``apart_from``."""
        row = self._style.manners
        level = WHOLE * (energy - _CALM) // (_FULL - _CALM) + dice.around(_STRAY)
        place = min(max(level, 0), WHOLE - 1) * len(row) // WHOLE
        if row[place] == apart_from:
            place = (place + 1) % len(row)
        return row[place]

    def _drums(self, number: int, energy: int, count: int) -> bool:
        if count < _STAGED_PHRASES:
            return self._style.groove is not None
        return self._style.groove is not None and energy >= DRUMS_ENERGY and number > count // 9

    def _stages(self, number: int, slot: "Slot", energy: int, count: int) -> tuple[BarStage, ...]:
        """How each bar of a phrase is played: it changes once, or not at all."""
        dice = self._dice
        first = self._manner(slot, energy)
        second = self._drawn(energy, first, dice) if dice.chance(_CHANGED_FIGURE) else first
        turn = dice.weighted(*zip(*_TURNS, strict=True))
        before, after = (
            self._scene(number, slot, energy, count),
            self._scene(number, slot, energy, count, later=True),
        )
        handing = dice.choice(_HANDING)
        found = []
        for place in range(slot.length):
            scene = before if place < turn else after
            if scene is Scene.SOLO and place and slot.role is not Role.INTRO:
                scene = Scene.DUO if place == 1 else Scene.TUNE
            figure, bass = first if place < turn else second
            if scene is Scene.HANDED:
                figure = handing
            found.append(BarStage(scene, figure, bass, dice.chance(_THIN)))
        return tuple(found)

    def _scene(
        self, number: int, slot: "Slot", energy: int, count: int, *, later: bool = False
    ) -> Scene:
        dice = self._dice
        thrown = dice.below(WHOLE)
        if count < _STAGED_PHRASES:
            return Scene.TUNE
        if slot.role is Role.INTRO:
            return Scene.SOLO if thrown < _SOLO_INTRO and not later else Scene.PLAYED
        row = _SCENES[(energy >= _CALMER) + (energy >= _FULLER)]
        if count <= SONG_PHRASES:
            row = _SONG
        elif number == count - 1:
            row = _CLOSING
        elif number == self._first and not later:
            row = _OPENING
        weights = [
            usual * percent // 10 for usual, percent in zip(row, self._style.scenes, strict=True)
        ]
        return dice.weighted(tuple(Scene), weights)
