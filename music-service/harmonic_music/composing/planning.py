"""The plan of a piece, made before any note of it.

Phrases have four bars. Four of them are a section, in one of the orders that are usual in songs,
from a theme and its return to a new one each time; two make an antecedent and a consequent as
William Caplin describes them (*Classical Form*, 1998). Sections follow as a rondo. A piece too
short for that is one phrase, or less: an upbeat and its goal.
"""

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import (
    BAR,
    BARS_PER_PHRASE,
    PHRASES_PER_SECTION,
    Bar,
    Cadence,
    Form,
    Treatment,
)
from harmonic_music.score import TICKS_PER_BEAT

#: A last phrase of fewer bars than this is joined to the one before.
_SHORTEST_PHRASE_BARS = 3
_SIXTEENTH = TICKS_PER_BEAT // 4
#: The themes of a section's phrases, and how usual that order is.
_ORDERS = {"AABA": 5, "ABAC": 4, "AABC": 4, "AABB": 3, "ABAB": 2, "ABCB": 2, "ABCA": 2, "ABCD": 4}
_RONDO = "ABACABADABA"
_ENERGIES = {"A": 46, "B": 58, "C": 66, "D": 52}
#: Of more sections than this, the last is the first once more; one of fewer phrases than this is
#: its first theme alone.
_CONTRASTED, _SHORT_SECTION = 2, 2
#: What is added at the climax, two thirds into the piece.
_CLIMAX_ENERGY = 16


def lay_out(ticks: int, character: Character, dice: Dice) -> Form:
    """The plan of a piece of so many ticks."""
    goal = goal_of(ticks)
    count = goal // BAR
    if count == 0:
        short = (Bar(0, goal, 0, 0, 1, Cadence.HALF, "A", _ENERGIES["A"]),) if goal else ()
        return Form(short, goal, ticks, character.climax)
    planner = _Planner(character, dice)
    bars = planner.bars(count)
    return Form(tuple(bars), goal, ticks, character.climax)


def goal_of(ticks: int) -> int:
    """Where the last chord begins: it takes from half a bar to one and a half, if there is room."""
    if ticks >= 2 * BAR:
        return (ticks - BAR // 2) // BAR * BAR
    if ticks >= 2 * TICKS_PER_BEAT:
        return ticks * 5 // 8 // TICKS_PER_BEAT * TICKS_PER_BEAT
    return ticks // 2 // _SIXTEENTH * _SIXTEENTH


def phrase_lengths(bars: int) -> list[int]:
    """The bars of each phrase, the last chord's bar included: fours, and what is over at the end.

    A rest of one or two bars makes the last phrase longer, as a cadence that is put off does.
    """
    whole, over = divmod(bars, BARS_PER_PHRASE)
    if whole == 0:
        return [over]
    if over >= _SHORTEST_PHRASE_BARS:
        return [BARS_PER_PHRASE] * whole + [over]
    return [BARS_PER_PHRASE] * (whole - 1) + [BARS_PER_PHRASE + over]


class _Planner:
    """Decides phrase by phrase which theme it has, how it ends and where its bars come from."""

    def __init__(self, character: Character, dice: Dice) -> None:
        self._character = character
        self._dice = dice
        self._order = dice.weighted(tuple(_ORDERS), tuple(_ORDERS.values()))
        self._first: dict[str, int] = {}
        self._bars: list[Bar] = []
        self.lengths: list[int] = []

    def bars(self, count: int) -> list[Bar]:
        """So many bars before the last chord."""
        self.lengths = phrase_lengths(count + 1)
        last = len(self.lengths) - 1
        for number, length in enumerate(self.lengths):
            own = length - 1 if number == last else length
            section, theme = self._theme(number)
            closing = number == last
            self._phrase(number, own, length, section, theme, closing=closing)
        return self._bars

    def _theme(self, number: int) -> tuple[str, str]:
        """A phrase's section, and its theme: the section's letter and that within it."""
        sections = -(-len(self.lengths) // PHRASES_PER_SECTION)
        place, within = divmod(number, PHRASES_PER_SECTION)
        last = place == sections - 1
        section = "A" if last and sections > _CONTRASTED else _RONDO[place % len(_RONDO)]
        if last and place and number == len(self.lengths) - 1 and within < _SHORT_SECTION:
            # A short last section is the first theme once more.
            return section, "AA"
        return section, section + self._order[within]

    def _phrase(
        self, number: int, own: int, whole: int, section: str, theme: str, *, closing: bool
    ) -> None:
        first = self._first.get(theme)
        cadence = self._cadence(number, returns=first is not None, closing=closing)
        start = len(self._bars)
        self._first.setdefault(theme, start)
        peak = max(1, len(self.lengths) * 2 // 3)
        rise = _CLIMAX_ENERGY * (peak - min(peak, abs(number - peak))) // peak
        for place in range(own):
            if first is None or place >= BARS_PER_PHRASE:
                origin, treatment = self._fresh(start, place, is_last=place == whole - 1)
            else:
                origin = first + place
                same_end = self._bars[origin].cadence is cadence
                treatment = self._return(place, whole, same_end=same_end)
            if closing and place == own - 1 and treatment is not Treatment.NEW:
                # On the way to the last chord, nothing but the way matters.
                treatment = Treatment.RHYTHM
            if treatment is Treatment.NEW:
                origin = None
            self._bars.append(
                Bar(
                    onset=(start + place) * BAR,
                    length=BAR,
                    phrase=number,
                    place=place,
                    phrase_bars=whole,
                    cadence=cadence,
                    section=section,
                    energy=_ENERGIES[section] + rise,
                    origin=origin,
                    treatment=treatment,
                )
            )

    def _cadence(self, number: int, *, returns: bool, closing: bool) -> Cadence:
        if closing:
            return Cadence.CLOSED
        if number % PHRASES_PER_SECTION == PHRASES_PER_SECTION - 1:
            return self._dice.weighted((Cadence.CLOSED, Cadence.HALF), (9, 1))
        weights = (3, 8, 2, 5) if number % 2 == 0 and not returns else (7, 3, 2, 3)
        return self._dice.weighted(tuple(Cadence), weights)

    def _fresh(self, start: int, place: int, *, is_last: bool) -> tuple[int | None, Treatment]:
        """A bar that is new, or follows from one of its own phrase or in a known rhythm."""
        dice, economy = self._dice, self._character.economy
        if place and not is_last:
            back = start + (place % 2 if place > 1 else 0)
            if place > 1 and dice.chance(economy // 2):
                return back, Treatment.SEQUENCE
            repeats = any(bar.keeps_chords for bar in self._bars[start:])
            if dice.chance(self._character.literal // 4) and not repeats:
                return back, dice.weighted((Treatment.LITERAL, Treatment.VARIED), (1, 1))
        if start + place and dice.chance(economy):
            known = dice.below(start + place)
            # The same rhythm at once would be one idea, not two.
            apart = is_last or known < start + place - 1
            if self._bars[known].is_last == is_last and apart:
                return known, Treatment.RHYTHM
        return None, Treatment.NEW

    def _return(self, place: int, whole: int, *, same_end: bool) -> Treatment:
        """How a bar of a theme comes back."""
        dice, literal = self._dice, self._character.literal
        if place < whole - 2 or same_end:
            if dice.chance(literal):
                return Treatment.LITERAL
            return dice.weighted(
                (Treatment.VARIED, Treatment.RHYTHM, Treatment.SEQUENCE), (8, 1, 1)
            )
        if place == whole - 2 and dice.chance(literal // 2):
            return Treatment.LITERAL
        if place == whole - 2:
            return dice.weighted((Treatment.VARIED, Treatment.RHYTHM), (1, 1))
        return dice.weighted((Treatment.RHYTHM, Treatment.NEW), (1, 1))
