"""Who plays in each phrase, how, and with how much energy: from an introduction to the climax."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import Bar, Cadence, Field, Phrase, Players, Role, Treatment
from harmonic_music.styles.catalogue import Style

if TYPE_CHECKING:
    from harmonic_music.composing.planning import Slot

#: The energy of a phrase by its role, in percent, and what a section gains from phrase to phrase.
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
#: What the way to the climax adds.
_RISE = 14
#: Energies between which the figures of a style are spread, from calm to full.
_CALM, _FULL = 6, 54
_MIDDLE_ENERGY = 54
#: So often has a phrase another figure than its section, and so often the next one on the way.
_OTHER_FIGURE, _STRAY = 300, 260
_ALONE, _ALONE_LATER, _BREAK = 260, 170, 200
_BASS_RESTS, _PADS_REST = 130, 110
_SOLO_INTRO, _PLAYED_INTRO, _DOUBLED = 350, 700, 500
#: A piece of fewer phrases has everybody play throughout.
_STAGED_PHRASES = 3
_SECOND_VOICE_ENERGY, _DOUBLED_ENERGY, _DRUMS_ENERGY = 34, 62, 38


class Staging:
    """Makes phrases of slots."""

    def __init__(self, style: Style, character: Character, dice: Dice) -> None:
        self._style, self._character, self._dice = style, character, dice
        self._energies: list[int] = []
        #: The figure and the bass of each section that was begun.
        self._sections: dict[str, tuple[str, str]] = {}
        self._climax = self._depth = -1

    def stage(self, slots: "Sequence[Slot]") -> None:
        """Lay out the whole piece's energy, and where its melody is highest and lowest."""
        count = len(slots)
        peak = max(1, self._character.climax * count // WHOLE)
        for number, slot in enumerate(slots):
            gain = _GAINS[min(slot.within, len(_GAINS) - 1)]
            rise = _RISE * max(0, peak - abs(number - peak)) // peak
            wanted = _ENERGIES[slot.role] + gain + rise - _RISE // 2
            wanted = _MIDDLE_ENERGY + (wanted - _MIDDLE_ENERGY) * self._character.contrast // 100
            wanted += self._character.energy + self._style.loudness
            self._energies.append(min(max(wanted, 22), 92))
        sung = [n for n, slot in enumerate(slots) if slot.role is not Role.INTRO] or [0]
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
        """The phrase of a slot; ``keys`` are its own and the next one's where that is another."""
        closing = number == count - 1
        energy = self._energies[number] if self._energies else _MIDDLE_ENERGY
        figure, bass = self._manner(slot, energy)
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
            figure=figure,
            bass=bass,
            players=self._players(number, slot, energy, count),
            leads_to=keys[1],
            elided=elided and bars[-1].treatment is Treatment.NEW,
            closing=closing,
            climbs=number == self._climax,
            sinks=number == self._depth,
        )

    def _manner(self, slot: "Slot", energy: int) -> tuple[str, str]:
        if slot.section not in self._sections:
            self._sections[slot.section] = self._drawn(energy, ("", ""))
        figure, bass = self._sections[slot.section]
        if slot.role is Role.CLIMAX or self._dice.chance(_OTHER_FIGURE):
            return self._drawn(energy, (figure, bass))
        return figure, bass

    def _drawn(self, energy: int, apart_from: tuple[str, str]) -> tuple[str, str]:
        """A figure and a bass that suit an energy, rather others than those."""
        row = self._style.manners
        level = WHOLE * (energy - _CALM) // (_FULL - _CALM) + self._dice.around(_STRAY)
        place = min(max(level, 0), WHOLE - 1) * len(row) // WHOLE
        if row[place] == apart_from:
            place = (place + 1) % len(row)
        return row[place]

    def _players(self, number: int, slot: "Slot", energy: int, count: int) -> Players:
        dice, style = self._dice, self._style
        closing = number == count - 1
        thrown = [dice.below(WHOLE) for _ in range(5)]
        if count < _STAGED_PHRASES:
            return Players(counter=number > 0, drums=style.groove is not None)
        if slot.role is Role.INTRO:
            if thrown[0] < _SOLO_INTRO:
                return Players(pads=False, bass=False, alone=slot.length)
            return Players(melody=False, pads=thrown[1] < _PLAYED_INTRO, bass=True)
        first = number == 0
        alone = 0
        if not closing and slot.role is not Role.CLIMAX:
            if first:
                alone = thrown[0] < _ALONE
            elif slot.within == 0 or slot.role is Role.CODA:
                alone = 2 * (thrown[0] < _ALONE_LATER)
        drummed = style.groove is not None and energy >= _DRUMS_ENERGY and number > count // 9
        return Players(
            pads=closing or first or slot.role is Role.CLIMAX or thrown[1] >= _PADS_REST,
            bass=closing or slot.role is Role.CLIMAX or thrown[2] >= _BASS_RESTS,
            counter=not first and energy >= _SECOND_VOICE_ENERGY,
            doubles=energy >= _DOUBLED_ENERGY and thrown[3] < _DOUBLED,
            drums=drummed,
            alone=alone,
            breaks=not closing and number > 0 and thrown[4] < _BREAK,
        )
