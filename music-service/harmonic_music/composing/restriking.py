"""Keeps upper voices from repeating one pitch for long in the same rhythm.

When a chord is struck repeatedly, players hold one of its voices, move another to its neighbours
and leave out strokes of the third. They change this about every second bar.
"""

from collections.abc import Sequence
from enum import IntEnum

from harmonic_music.composing.dice import Dice, Quota
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.intervals import OCTAVE

#: Strokes of one pitch in a row that are left as they are.
MOST_STROKES = 3
#: A row of at most this many strokes may be intended: this share of those stays, in thousandths.
_INSISTING, _INSISTS = 6, 400
#: Strokes further apart than this are not a row.
_APART = 2 * TICKS_PER_BEAT
#: Strokes of a row that each held note replaces.
_CELLS = ((3, 5), (4, 2, 2), (2, 1, 5), (5, 3), (1, 3, 4))
#: The strokes of a row that remain if a voice rests in between.
_LEFT = ("xx.x..x.", "x..xx.x.", ".xx..x.x", "x.xx...x", ".x.xx..x")
#: For a voice that moves, the scale steps from its own tone.
_LINES = ((0, 1, 0, 0, -1, 0, 1, 0), (0, -1, 0, 1, 0, 0, -1, 0), (0, 0, 1, 0, -1, 0, 0, 1))
_FURTHEST = 5
_NEIGHBOURS = range(1, _FURTHEST)

#: Onset, pitch and end.
Strike = tuple[int, int, int]


class Way(IntEnum):
    """How a voice's strokes are varied."""

    HELD = 0
    MOVING = 1
    SPARSE = 2


class Restriking:
    """Varies one phrase: ``tones`` are its key's, ``bar`` the ticks of a bar.

    ``share`` is how often a voice moves to a neighbour when it may, in thousandths.
    """

    def __init__(self, tones: frozenset[int], bar: int, share: int, dice: Dice) -> None:
        self._tones, self._bar = tones, bar
        self._share, self._moves = share, dice.quota()
        self._stays = dice.quota()
        self._first = dice.below(len(Way) * len(_CELLS) * len(_LINES))

    def varied(self, rows: Sequence[Sequence[Strike]]) -> list[list[Strike]]:
        """The strikes of each voice, with none struck on one pitch for long."""
        begun: dict[int, int] = {}
        for row in rows:
            for onset, _, _ in row:
                begun[onset] = begun.get(onset, 0) + 1
        onsets = sorted(begun)
        places = {onset: place for place, onset in enumerate(onsets)}
        found: list[list[Strike]] = []
        for voice, row in enumerate(rows):
            kept: list[Strike] = []
            for group in _groups(row, begun, places):
                if len(group) <= MOST_STROKES or self._insists(group):
                    kept += group
                else:
                    kept += self._group(voice, group)
            found.append(kept)
        return found

    def _insists(self, group: Sequence[Strike]) -> bool:
        return len(group) <= _INSISTING and self._stays.takes(_INSISTS)

    def _group(self, voice: int, group: Sequence[Strike]) -> list[Strike]:
        """A row of strokes of one pitch, varied; a voice's variation changes every two bars."""
        windows: dict[int, list[Strike]] = {}
        for strike in group:
            windows.setdefault(strike[0] // (2 * self._bar), []).append(strike)
        found: list[Strike] = []
        for number, window in windows.items():
            turn = self._first + number
            way = Way((voice + turn) % len(Way))
            if way is Way.HELD:
                found += _held(window, _CELLS[turn % len(_CELLS)])
            elif way is Way.MOVING:
                found += self._moving(window, _LINES[turn % len(_LINES)], self._moves)
            else:
                left = _LEFT[turn % len(_LEFT)]
                found += [it for place, it in enumerate(window) if left[place % len(left)] == "x"]
        return found

    def _moving(self, strikes: Sequence[Strike], line: Sequence[int], moves: Quota) -> list[Strike]:
        found = []
        for place, (onset, pitch, end) in enumerate(strikes):
            by = line[place % len(line)]
            if by and place < len(strikes) - 1 and moves.takes(self._share):
                found.append((onset, self._beside(pitch, by), end))
            elif by:
                # Without its neighbour, it would repeat the stroke.
                continue
            else:
                found.append((onset, pitch, end))
        return found

    def _beside(self, pitch: int, by: int) -> int:
        return next(
            (pitch + by * far for far in _NEIGHBOURS if (pitch + by * far) % OCTAVE in self._tones),
            pitch,
        )


def _groups(
    row: Sequence[Strike], begun: dict[int, int], places: dict[int, int]
) -> list[list[Strike]]:
    """A voice's strikes in groups of one pitch in a row, together with other voices or alone.

    A broken chord, tone after tone, has no rows.
    """
    found: list[list[Strike]] = []
    for strike in row:
        onset, pitch, _ = strike
        before = found[-1][-1] if found else None
        goes_on = (
            before is not None
            and before[1] == pitch
            and onset - before[0] <= _APART
            and (begun[onset] > 1 or places[onset] == places[before[0]] + 1)
        )
        if goes_on:
            found[-1].append(strike)
        else:
            found.append([strike])
    return found


def _held(strikes: Sequence[Strike], cells: Sequence[int]) -> list[Strike]:
    """Notes that each replace several strokes."""
    found: list[Strike] = []
    place = number = 0
    while place < len(strikes):
        cell = strikes[place : place + cells[number % len(cells)]]
        found.append((cell[0][0], cell[0][1], cell[-1][2]))
        place += len(cell)
        number += 1
    return found
