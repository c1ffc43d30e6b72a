"""The plan of a piece, made before its notes: phrases, their themes, cadences and keys.

Phrases have four bars. Up to four of them are a section, in one of the orders that are usual in
songs. Two make an antecedent and a consequent as William Caplin describes them (*Classical Form*,
1998). Sections form a rondo, with an introduction and a coda if the piece is long enough. A piece
too short for that is one phrase, or less: an upbeat and its goal.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harmonic_music.composing.character import Character
from harmonic_music.composing.dice import WHOLE, Dice
from harmonic_music.composing.form import (
    SONG_PHRASES,
    Bar,
    Cadence,
    Field,
    Form,
    Phrase,
    Role,
    Treatment,
)
from harmonic_music.composing.keyplan import KeyPlan
from harmonic_music.composing.staging import Staging
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.styles.catalogue import Style
from harmonic_music.theory.meters import UNITS_PER_BEAT

BARS_PER_PHRASE = 4
#: A last phrase of fewer bars than this is joined to the one before.
_SHORTEST_PHRASE_BARS = 3
_SIXTEENTH = TICKS_PER_BEAT // 4
#: The themes of a section's phrases, and the weight of each order.
_ORDERS = {"AABA": 6, "ABAC": 4, "AABC": 4, "AABB": 2, "ABAB": 2, "ABCB": 2, "ABCA": 2, "ABCD": 4}
_FIRST_THEME = "AA"
#: How the first bars of an answer treat the other piece's theme: recognisable, then changed.
_ANSWER = (Treatment.LITERAL, Treatment.ORNAMENTED, Treatment.SEQUENCE, Treatment.NEW)
_RONDO, _DEVELOPING = "ABACABADABA", "D"
#: The phrases of a section after the first, and the weight of each order.
_SECTION_SIZES = ((2, 5), (3, 2), (4, 5))
#: Returns of a theme after which it returns note for note half as often.
_FRESH = 1
#: The least bars of a piece with an introduction, and of one with a coda.
_INTRODUCED_BARS, _CODA_BARS = 22, 36
_INTRODUCED, _LONG_INTRODUCTION = 650, 72


@dataclass(frozen=True, slots=True)
class Slot:
    """A phrase of the plan before its bars are known; ``within`` is its place in its section."""

    length: int
    section: str
    theme: str
    role: Role
    within: int
    ends_section: bool


def lay_out(
    ticks: int,
    style: Style,
    character: Character,
    key: tuple[Field, int],
    *,
    dice: Dice,
    answered: int = 0,
) -> Form:
    """The plan of a piece of ``ticks``; ``key`` is its key, and how far other keys may be.

    ``answered`` counts the bars of another piece's theme with which it begins, to develop them.
    """
    bar = style.meter.bar * TICKS_PER_BEAT // UNITS_PER_BEAT
    goal = goal_of(ticks, bar)
    whole = goal // bar
    staging = Staging(style, character, dice)
    keys = KeyPlan(*key, dice)
    if key[0].scale.is_blues and whole:
        slots = choruses(whole + 1, dice)
    else:
        slots = slots_of(whole + 1, dice) if whole else []
    if not slots:
        if not goal:
            return Form((), goal, ticks)
        bars = (Bar(0, goal, 0),)
        slot = Slot(1, "A", "AA", Role.THEME, 0, ends_section=True)
        return Form(
            (staging.phrase(0, slot, bars, Cadence.CLOSED, keys=(key[0], None), count=1),),
            goal,
            ticks,
        )
    planner = Planner(bar, character, dice, movement=len(slots) > SONG_PHRASES)
    planner.answered = answered
    return Form(tuple(_phrases(slots, planner, staging, keys)), goal, ticks)


def goal_of(ticks: int, bar: int) -> int:
    """The tick of the last chord, which takes half a bar to one and a half, if possible."""
    if ticks >= 2 * bar:
        return (ticks - bar // 2) // bar * bar
    if ticks >= 2 * TICKS_PER_BEAT:
        return ticks * 5 // 8 // TICKS_PER_BEAT * TICKS_PER_BEAT
    return ticks // 2 // _SIXTEENTH * _SIXTEENTH


def phrase_lengths(bars: int) -> list[int]:
    """The bars of each phrase, with the last chord's bar: four each, and the rest in the last one.

    A rest of one or two bars makes the last phrase longer, as a delayed cadence does.
    """
    whole, over = divmod(bars, BARS_PER_PHRASE)
    if whole == 0:
        return [over]
    if over >= _SHORTEST_PHRASE_BARS:
        return [BARS_PER_PHRASE] * whole + [over]
    return [BARS_PER_PHRASE] * (whole - 1) + [BARS_PER_PHRASE + over]


def slots_of(bars: int, dice: Dice) -> list[Slot]:
    """The phrases of a piece of ``bars`` bars."""
    order = dice.weighted(tuple(_ORDERS), tuple(_ORDERS.values()))
    slots: list[Slot] = []
    introduced = bars >= _INTRODUCED_BARS and dice.chance(_INTRODUCED)
    if introduced:
        # A rest that would lengthen the end goes to the beginning.
        length = bars % BARS_PER_PHRASE if 0 < bars % BARS_PER_PHRASE < _SHORTEST_PHRASE_BARS else 2
        if bars >= _LONG_INTRODUCTION and length > 1:
            length += 2
        slots.append(Slot(max(length, 2), "intro", "intro", Role.INTRO, 0, ends_section=True))
        bars -= slots[0].length
    lengths = phrase_lengths(bars)
    coda = introduced and bars >= _CODA_BARS
    count = len(lengths) - coda
    number, place = 0, 0
    while number < count:
        sizes = [4] if place == 0 else [dice.weighted(*zip(*_SECTION_SIZES, strict=True))]
        left = count - number
        size = left if left <= sizes[0] + 1 else sizes[0]
        last = number + size >= count
        letter = _RONDO[place % len(_RONDO)]
        if last and place > 1:
            letter = "A"
        for within in range(size):
            # The last contrast develops a known theme; the others bring new ones.
            source = "A" if letter == _DEVELOPING else letter
            theme = source + (order + order)[within]
            role = _role(letter, place, last=last)
            slots.append(Slot(lengths[number], letter, theme, role, within, within == size - 1))
            number += 1
        place += 1
    if coda:
        slots.append(Slot(lengths[-1], "coda", "AA", Role.CODA, 0, ends_section=True))
    return slots


def _role(letter: str, place: int, *, last: bool) -> Role:
    if letter == "A":
        return Role.THEME if place == 0 else Role.CLIMAX if last else Role.RETURN
    return Role.DEVELOPMENT if letter in "CD" else Role.CONTRAST


def choruses(bars: int, dice: Dice) -> list[Slot]:
    """Choruses of twelve bars: three phrases each; the last bar is the last chord's."""
    count, over = divmod(bars, 3 * BARS_PER_PHRASE)
    if not count:
        return [
            Slot(length, "A", "A" + "ABC"[number % 3], Role.THEME, number, ends_section=False)
            for number, length in enumerate(phrase_lengths(bars))
        ]
    slots = []
    while over:
        length = over if over <= BARS_PER_PHRASE + 1 else BARS_PER_PHRASE
        slots.append(Slot(length, "intro", "intro", Role.INTRO, 0, ends_section=over == length))
        over -= length
    for number in range(count):
        letter = "A" if number in {0, count - 1} else dice.choice("ABC")
        role = Role.THEME if number == 0 else Role.DEVELOPMENT
        if number == count - 1 and count > 1:
            role = Role.CLIMAX
        themes = ("AA", "AA", "AB") if letter == "A" else (letter + "A", letter + "A", letter + "B")
        slots += [
            Slot(BARS_PER_PHRASE, letter, theme, role, within, within == len(themes) - 1)
            for within, theme in enumerate(themes)
        ]
    return slots


class Planner:
    """Decides how each phrase ends, and the source of each of its bars of ``bar`` ticks.

    In a movement, which is longer than a song, more bars are derived from others.
    """

    def __init__(self, bar: int, character: Character, dice: Dice, *, movement: bool) -> None:
        self._bar, self._character, self._dice = bar, character, dice
        self._economy = character.economy
        if movement:
            self._economy += (WHOLE - self._economy) // 2
        #: The bars of the theme of another piece.
        self.answered = 0
        #: By theme, its cadence and the number of its bars.
        self.known: dict[str, tuple[Cadence, int]] = {}
        #: How often each theme has come back.
        self.returns: dict[str, int] = {}

    def bars(
        self, slot: Slot, start: int, count: int, cadence: Cadence, *, closing: bool = False
    ) -> tuple[Bar, ...]:
        """The bars of a phrase, numbered from ``start``; its theme counts as known from now on."""
        found = self._bars(slot, start, count, cadence, closing=closing)
        self.known.setdefault(slot.theme, (cadence, count))
        return found

    def cadence(self, slot: Slot, *, closing: bool, leads: bool) -> Cadence:
        """How a phrase ends; one before a change of key ends on the new key's dominant."""
        if closing:
            return Cadence.CLOSED
        if leads or slot.role is Role.INTRO:
            return Cadence.HALF
        if slot.ends_section:
            return self._dice.weighted((Cadence.CLOSED, Cadence.HALF), (8, 2))
        weights = (2, 8, 2, 6) if slot.within % 2 == 0 else (6, 3, 3, 3)
        return self._dice.weighted(tuple(Cadence), weights)

    def _bars(
        self, slot: Slot, start: int, count: int, cadence: Cadence, *, closing: bool
    ) -> tuple[Bar, ...]:
        known = self.known.get(slot.theme)
        answers = known is None and slot.theme == _FIRST_THEME and self.answered > 0
        if answers:
            known = cadence, self.answered
        bars: list[Bar] = []
        if known is not None:
            self.returns[slot.theme] = self.returns.get(slot.theme, 0) + 1
        for place in range(count):
            is_last = place == slot.length - 1
            if known is None or place >= known[1]:
                source, treatment, own = self._fresh(bars, place, is_last=is_last)
            else:
                source, own = place, False
                treatment = self._return(slot, place, same_end=known[0] is cadence)
                if answers:
                    treatment = _ANSWER[place % len(_ANSWER)]
            if closing and place == count - 1:
                # On the way to the last chord, only the harmony counts.
                treatment = Treatment.NEW
            if treatment is Treatment.NEW:
                source, own = None, False
            bars.append(Bar((start + place) * self._bar, self._bar, place, treatment, source, own))
        return tuple(bars)

    def _fresh(
        self, bars: list[Bar], place: int, *, is_last: bool
    ) -> tuple[int | None, Treatment, bool]:
        """A bar that is new, or derived from one of its own phrase."""
        dice, economy = self._dice, self._economy
        if place and not is_last:
            back = place % 2 if place > 1 else 0
            if bars[back].treatment is Treatment.NEW and dice.chance(economy * 3 // 4):
                treatment = dice.weighted(
                    (Treatment.SEQUENCE, Treatment.INVERTED, Treatment.RHYTHM), (5, 1, 3)
                )
                return back, treatment, True
            if dice.chance(self._character.literal // 6):
                treatment = dice.choice((Treatment.LITERAL, Treatment.VARIED))
                if treatment is Treatment.LITERAL is bars[-1].treatment and back != place - 1:
                    # The same bar three times in a row would be monotonous.
                    treatment = Treatment.SEQUENCE
                return back, treatment, True
        return None, Treatment.NEW, False

    def _return(self, slot: Slot, place: int, *, same_end: bool) -> Treatment:
        """How a bar of a theme returns."""
        dice = self._dice
        # The more often a theme has returned, the less often note for note.
        literal = self._character.literal * _FRESH // (_FRESH + self.returns[slot.theme] - 1)
        if slot.role is Role.DEVELOPMENT:
            return dice.weighted(
                (
                    Treatment.SEQUENCE,
                    Treatment.FRAGMENT,
                    Treatment.INVERTED,
                    Treatment.AUGMENTED,
                    Treatment.NEW,
                ),
                (3, 3, 2, 1, 3),
            )
        if place < slot.length - 2 or same_end:
            if dice.chance(literal):
                return Treatment.LITERAL
            return dice.weighted(
                (
                    Treatment.VARIED,
                    Treatment.ORNAMENTED,
                    Treatment.REHARMONISED,
                    Treatment.FRAGMENT,
                    Treatment.NEW,
                    Treatment.SEQUENCE,
                ),
                (7, 4, 3, 1, 1, 1),
            )
        if place == slot.length - 2:
            return dice.weighted((Treatment.LITERAL, Treatment.VARIED, Treatment.NEW), (1, 2, 2))
        return Treatment.NEW


def _phrases(
    slots: list[Slot], planner: Planner, staging: Staging, keys: KeyPlan
) -> Iterator[Phrase]:
    staging.stage(slots)
    found = keys.of(slots)
    start = 0
    for number, slot in enumerate(slots):
        closing = number == len(slots) - 1
        onward = None if closing or found[number + 1] == found[number] else found[number + 1]
        cadence = planner.cadence(slot, closing=closing, leads=onward is not None)
        count = slot.length - closing
        bars = planner.bars(slot, start, count, cadence, closing=closing)
        yield staging.phrase(
            number, slot, bars, cadence, keys=(found[number], onward), count=len(slots)
        )
        start += count
