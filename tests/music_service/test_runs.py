"""A run that was heard twice comes another way."""

import pytest

from harmonic_music.composing.dice import Dice, Layer
from harmonic_music.composing.form import Bar, Treatment
from harmonic_music.composing.runs import MOST_RUNS, MOST_TIMES, Runs
from harmonic_music.composing.variation import Begun, Derived, derived
from harmonic_music.score import TICKS_PER_BEAT
from harmonic_music.theory.gestures import Motion

SIXTEENTH, BAR = TICKS_PER_BEAT // 4, 4 * TICKS_PER_BEAT
BEGINNING = Begun(0)


def bar(treatment: Treatment = Treatment.NEW) -> Bar:
    return Bar(0, BAR, 0, treatment)


def run(first: int = 4, count: int = 8, move: Motion = Motion.STEP_UP) -> Derived:
    onsets = [SIXTEENTH * place for place in range(first, first + count)]
    return [BEGINNING, Begun(onsets[0]), *(Begun(onset, None, move) for onset in onsets[1:])]


def known(row: Derived) -> Derived:
    """The same as a theme brings it back."""
    return [Begun(it.onset, place, it.move, it.way) for place, it in enumerate(row)]


def test_a_run_comes_twice_as_it_is_and_then_otherwise() -> None:
    runs = Runs({})
    heard = [runs.fresh(run(), bar()) for _ in range(5)]
    assert heard[:MOST_TIMES] == [run()] * MOST_TIMES
    assert all(row != run() for row in heard[MOST_TIMES:])
    # Where nothing is known of its pitches, it is turned first.
    assert [it.move for it in heard[MOST_TIMES][2:]] == [Motion.STEP_DOWN] * 7


def test_a_run_that_a_theme_brings_back_keeps_its_first_note_and_its_pitches() -> None:
    runs = Runs({})
    again = known(run())
    heard = [runs.fresh(again, bar(Treatment.LITERAL)) for _ in range(9)]
    assert all(row[:2] == again[:2] and set(row) <= set(again) for row in heard)
    counts = [len(row) for row in heard]
    assert counts[:MOST_TIMES] == [len(again)] * MOST_TIMES
    assert all(count < len(again) for count in counts[MOST_TIMES:])
    # Its end alone, or every other note.
    assert set(counts[MOST_TIMES:]) == {5}


@pytest.mark.parametrize(
    "other", [run(first=0), run(count=6), run(move=Motion.STEP_DOWN)], ids=["place", "count", "way"]
)
def test_another_run_is_not_the_same(other: Derived) -> None:
    runs = Runs({})
    for _ in range(MOST_TIMES):
        runs.fresh(run(), bar())
    assert runs.fresh(other, bar()) == other


def test_a_run_upside_down_goes_the_other_way() -> None:
    runs = Runs({})
    for _ in range(MOST_TIMES):
        runs.fresh(known(run()), bar(Treatment.INVERTED))
    assert runs.fresh(run(), bar()) == run()
    falling = run(move=Motion.STEP_DOWN)
    assert runs.fresh(falling, bar()) != falling


def test_slow_notes_and_turns_are_no_runs() -> None:
    slow = [Begun(TICKS_PER_BEAT // 2 * place, None, Motion.STEP_UP) for place in range(8)]
    moves = (Motion.STEP_UP, Motion.STEP_DOWN) * 4
    turn = [Begun(SIXTEENTH * place, None, move) for place, move in enumerate(moves)]
    runs = Runs({})
    assert all(runs.fresh(row, bar()) == row for row in (slow, turn) * 4)
    assert not runs.heard


def test_no_more_runs_are_remembered_than_there_is_room_for() -> None:
    runs = Runs({(number, 1, 4, 1): 1 for number in range(MOST_RUNS)})
    runs.fresh(run(), bar())
    assert len(runs.heard) == MOST_RUNS
    assert (0, 1, 4, 1) not in runs.heard


@pytest.mark.parametrize("treatment", Treatment)
def test_a_bar_without_a_note_comes_back_without_one(treatment: Treatment) -> None:
    assert derived([], treatment, BAR, Dice(1, Layer.RHYTHM)) == []
