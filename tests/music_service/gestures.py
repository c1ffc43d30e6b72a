"""What is seen first where music made by rules stands beside real pieces.

Its melody has one speed, goes nowhere, and is on its own; its lower voices strike one pitch on and
on; and its runs are the same ones again and again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log2
from statistics import fmean, median

from music_service.texture import SLOTS, Row, bass_line, slot
from music_service.tunes import Sound
from music_service.works import Work

_SIXTEENTH_SLOTS = SLOTS // 4
_FIFTH = 7
#: Intervals, octaves aside, in which a voice goes along with another.
_ALONG = frozenset({0, 3, 4, 8, 9})
_WINDOW_BARS = 4
#: From this stroke on, a row of strokes is a grid to see.
_MANY_STROKES = 4
_STEP = 2
#: A run has so many fast notes at least.
_FEWEST_NOTES = 6


def _lengths(work: Work) -> list[int]:
    """From each onset of the melody to the next, in slots."""
    return [slot(b.onset - a.onset) for a, b in pairwise(work.melody)]


def sixteenths(work: Work) -> float:
    """Of the melody's notes, those as short as a sixteenth or shorter."""
    return fmean(length <= _SIXTEENTH_SLOTS for length in _lengths(work))


def note_values(work: Work) -> float:
    """The entropy of the melody's note values, in bits."""
    counts = Counter(_lengths(work))
    return -sum(n / counts.total() * log2(n / counts.total()) for n in counts.values())


def largest_move(work: Work) -> float:
    """The most semitones that the melody goes in one direction without turning."""
    largest = going = 0
    for move in (b.pitch - a.pitch for a, b in pairwise(work.melody)):
        going = going + move if going * move > 0 else move
        largest = max(largest, abs(going))
    return float(largest)


def range_in_four_bars(work: Work) -> float:
    """Semitones from the melody's lowest to its highest note in four bars, the median."""
    found: dict[int, list[int]] = {}
    for sound in work.melody:
        number = int(sound.onset // (_WINDOW_BARS * work.beats_a_bar))
        found.setdefault(number, []).append(sound.pitch)
    return float(median(max(pitches) - min(pitches) for pitches in found.values()))


def accompanied_moves(work: Work) -> float | None:
    """Of the melody's moves, those that another voice makes along with it, below it."""
    begun: dict[int, list[int]] = {}
    for part in work.lower:
        for sound in part:
            begun.setdefault(slot(sound.onset), []).append(sound.pitch)
    moves = [(a, b) for a, b in pairwise(work.melody) if a.pitch != b.pitch]
    along = [
        any(
            (a.pitch - low) % 12 in _ALONG
            and (b.pitch - then) % 12 in _ALONG
            and (a.pitch - low) // 12 == (b.pitch - then) // 12 >= 0
            and abs((then - low) - (b.pitch - a.pitch)) <= 1
            and then != low
            for low in begun.get(slot(a.onset), ())
            for then in begun.get(slot(b.onset), ())
        )
        for a, b in moves
    ]
    return fmean(along) if along else None


def melody_silent(work: Work) -> float:
    """Of the time, how much the melody rests."""
    return 1 - sum(sound.length for sound in work.melody) / work.end


def bass_range(work: Work) -> float:
    pitches = [sound.pitch for sound in bass_line(work)]
    return float(max(pitches) - min(pitches))


def bass_leaps(work: Work) -> float:
    """Of the bass's moves, those by a fifth or more."""
    moves = [abs(b.pitch - a.pitch) for a, b in pairwise(bass_line(work))]
    return fmean(move >= _FIFTH for move in moves) if moves else 0.0


def _strokes(part: Sequence[Sound], bar: int) -> list[int]:
    """For each note of a part, the how manieth it is of a row of strokes.

    They have one pitch and one length, and come within a bar of ``bar`` slots; the voice has moved
    no step away in between.
    """
    found = []
    last: dict[int, tuple[int, int, int]] = {}
    #: By pitch, when it began last.
    begun: dict[int, int] = {}
    for s in sorted(part, key=lambda s: (s.onset, s.pitch)):
        onset, length, number = slot(s.onset), slot(s.length), 1
        if s.pitch in last:
            before, as_long, count = last[s.pitch]
            beside = (begun.get(s.pitch + by, -1) for by in (-2, -1, 1, _STEP))
            moved = any(before < at < onset for at in beside)
            if 0 < onset - before <= bar and as_long == length and not moved:
                number = count + 1
        last[s.pitch] = onset, length, number
        begun[s.pitch] = onset
        found.append(number)
    return found


def repeated_strokes(work: Work) -> float | None:
    """Of the notes under the melody, those that are a pitch's fourth stroke in a row or later."""
    bar = SLOTS * work.beats_a_bar
    strokes = [number for part in work.lower for number in _strokes(part, bar)]
    return fmean(number >= _MANY_STROKES for number in strokes) if strokes else None


def commonest_run(work: Work) -> float:
    """How often the commonest run of the melody comes: as many notes, at one place of the bar."""
    runs: Counter[tuple[int, int, int, bool]] = Counter()
    row: list[Sound] = []
    for s in work.melody:
        if len(row) > 1 and not _goes_on(row, s):
            _count(runs, row, work.beats_a_bar)
            row = row[-1:]
        row.append(s)
    _count(runs, row, work.beats_a_bar)
    return float(max(runs.values(), default=0))


def _goes_on(row: Sequence[Sound], s: Sound) -> bool:
    first, second, last = row[0], row[1], row[-1]
    step = slot(second.onset - first.onset)
    return (
        slot(s.onset - last.onset) == step <= _SIXTEENTH_SLOTS
        and (s.pitch - last.pitch) * (second.pitch - first.pitch) > 0
    )


def _count(runs: Counter[tuple[int, int, int, bool]], row: Sequence[Sound], bar: int) -> None:
    if len(row) >= _FEWEST_NOTES:
        first, second = row[:2]
        place, step = slot(first.onset % bar), slot(second.onset - first.onset)
        runs[place, step, len(row), second.pitch > first.pitch] += 1


GESTURES: Mapping[str, Row] = {
    "melody: sixteenths and shorter": sixteenths,
    "melody: note values, bits": note_values,
    "melody: largest move one way": largest_move,
    "melody: range in four bars": range_in_four_bars,
    "melody: moves along with a voice": accompanied_moves,
    "melody: silent": melody_silent,
    "bass: range": bass_range,
    "bass: leaps of a fifth or more": bass_leaps,
    "lower voices: repeated strokes": repeated_strokes,
    "runs: the commonest one's times": commonest_run,
}
