"""Varies runs that a piece has had twice: with fewer notes, slower, inverted, or none.

A run is a row of fast notes of equal length in one direction. Heard a third time at the same place
of the bar, it would be a mannerism, even if a theme repeats it.
"""

from collections.abc import Iterator, Mapping

from harmonic_music.composing.form import Bar, Treatment
from harmonic_music.composing.variation import FAST_TICKS, Begun, Derived
from harmonic_music.theory.gestures import Motion

#: The least notes of a run, and how often it may be heard unchanged.
FEWEST_NOTES, MOST_TIMES = 4, 2
#: Kinds of runs that are remembered; beyond, the one heard first is forgotten.
MOST_RUNS = 40
_TURNED = {
    Motion.STEP_UP: Motion.STEP_DOWN,
    Motion.STEP_DOWN: Motion.STEP_UP,
    Motion.CHORD_UP: Motion.CHORD_DOWN,
    Motion.CHORD_DOWN: Motion.CHORD_UP,
}

#: A run's place in its bar, its notes' length in ticks, their number, and 1 for upwards.
Run = tuple[int, int, int, int]


class Runs:
    """Counts how often each run was heard; ``heard`` is from the phrases before."""

    def __init__(self, heard: Mapping[Run, int]) -> None:
        self._heard = dict(heard)

    @property
    def heard(self) -> dict[Run, int]:
        """How often each run was heard, in the order in which they were first heard."""
        return dict(self._heard)

    def fresh(self, row: Derived, bar: Bar) -> Derived:
        """A bar whose runs are varied if they were heard too often."""
        found = row
        inverted = bar.treatment is Treatment.INVERTED
        for start, stop in reversed(list(_runs(row))):
            found = self._varied(found, start, stop, inverted=inverted)
        for start, stop in _runs(found):
            run = _named(found, start, stop, inverted=inverted)
            times = self._heard.pop(run, 0)
            self._heard[run] = times + 1
        while len(self._heard) > MOST_RUNS:
            del self._heard[next(iter(self._heard))]
        return found

    def _varied(self, row: Derived, start: int, stop: int, *, inverted: bool) -> Derived:
        if not self._is_stale(row, inverted=inverted, within=(start, stop)):
            return row
        notes = row[start:stop]
        ways = [_shortened(notes), _thinned(notes)]
        if sum(self._heard.values()) % 2:
            ways.reverse()
        if all(it.origin is None for it in row[start:]):
            ways.insert(0, _turned(notes))
        for way in ways:
            tried = [*row[:start], *way, *row[stop:]]
            if not self._is_stale(tried, inverted=inverted, within=(start, start + len(way))):
                return tried
        return [*row[: start + 1], *row[stop:]]

    def _is_stale(self, row: Derived, *, inverted: bool, within: tuple[int, int]) -> bool:
        return any(
            self._heard.get(_named(row, start, stop, inverted=inverted), 0) >= MOST_TIMES
            for start, stop in _runs(row)
            if start < within[1] and stop > within[0]
        )


def _runs(row: Derived) -> Iterator[tuple[int, int]]:
    """The begin and end of each run of a bar."""
    start = 0
    for place in range(1, len(row) + 1):
        goes_on = place < len(row) and _goes_on(row, start, place)
        if not goes_on:
            if place - start >= FEWEST_NOTES:
                yield start, place
            start = place
            # A run may begin with the note before it, if that belongs to no other run.
            if place < len(row) and _goes_on(row, place - 1, place):
                start = place - 1


def _goes_on(row: Derived, start: int, place: int) -> bool:
    step = row[place].onset - row[place - 1].onset
    return (
        step <= FAST_TICKS
        and step == row[start + 1].onset - row[start].onset
        and row[place].way == row[start + 1].way != 0
    )


def _named(row: Derived, start: int, stop: int, *, inverted: bool) -> Run:
    upwards = (row[start + 1].way > 0) is not inverted
    step = row[start + 1].onset - row[start].onset
    return row[start].onset, step, stop - start, int(upwards)


def _shortened(notes: Derived) -> Derived:
    """The first note held, then the run's end alone."""
    return [notes[0], *notes[-(FEWEST_NOTES - 1) :]]


def _thinned(notes: Derived) -> Derived:
    """Every other note."""
    return notes[::2]


def _turned(notes: Derived) -> Derived:
    """The run in the other direction; for notes whose pitches have no source."""
    return [notes[0], *(Begun(it.onset, None, _TURNED.get(it.move, it.move)) for it in notes[1:])]
