"""When the melody's notes begin.

Each pulse takes one of a row of figures, from none over quarters and eighths to triplets and
sixteenths; liveliness decides how far along the row. Bars with the same idea have the same rhythm.
"""

from harmonic_music.composing.dice import Dice
from harmonic_music.composing.form import Bar, Form

#: A pulse divides into twelfths: three are a sixteenth, four a triplet.
UNITS_PER_PULSE = 12
#: From calm to lively; no figure has fewer notes than the one before.
FIGURES: tuple[tuple[int, ...], ...] = (
    (),
    (0,),
    (0,),
    (0,),
    (0, 6),
    (0, 6),
    (0, 9),
    (0, 6, 9),
    (0, 4, 8),
    (0, 3, 6, 9),
)
#: How far a pulse may stray from the piece's liveliness, in figures.
_STRAY = 3
#: Up to this share of pulses is anticipated: their note begins half a pulse early.
_ANTICIPATED_SHARE = 0.5
_HALF_PULSE = 6


def rhythm_of(form: Form, liveliness: float, dice: Dice) -> list[list[int]]:
    """The onsets in each bar, in ticks from the bar's beginning."""
    known: dict[tuple[str, int, int], list[int]] = {}
    rhythms = []
    for bar in form.bars:
        if bar.idea not in known:
            known[bar.idea] = _bar_rhythm(bar, form.pulse, liveliness, dice)
        rhythms.append(known[bar.idea])
    return rhythms


def _bar_rhythm(bar: Bar, pulse: int, liveliness: float, dice: Dice) -> list[int]:
    if not bar.sung:
        return []
    pulses = max(1, bar.length // pulse)
    figures = [list(_figure(liveliness, dice)) for _ in range(pulses)]
    for number in range(1, pulses):
        _anticipate(figures, number, liveliness, dice)
    if bar.is_last and pulses > 1:
        # A phrase ends on one long note, with time to breathe.
        figures[pulses // 2 :] = [[0], *([] for _ in range(pulses - pulses // 2 - 1))]
    if 0 not in figures[0]:
        figures[0].insert(0, 0)
    unit = pulse // UNITS_PER_PULSE
    onsets = [n * pulse + place * unit for n, figure in enumerate(figures) for place in figure]
    return [onset for onset in onsets if onset < bar.length]


def _figure(liveliness: float, dice: Dice) -> tuple[int, ...]:
    middle = liveliness * (len(FIGURES) - 1)
    place = int(middle + _STRAY * (2 * dice.fraction() - 1) + 0.5)
    return FIGURES[min(max(place, 0), len(FIGURES) - 1)]


def _anticipate(figures: list[list[int]], number: int, liveliness: float, dice: Dice) -> None:
    """Move a pulse's first note half a pulse forward, if nothing is in its way."""
    wanted = dice.chance(_ANTICIPATED_SHARE * liveliness * liveliness)
    before, figure = figures[number - 1], figures[number]
    if wanted and 0 in figure and max(before, default=0) < _HALF_PULSE:
        figure.remove(0)
        before.append(_HALF_PULSE)
