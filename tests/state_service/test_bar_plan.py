"""When the next bar is recorded, by which replica, and what is asked for it."""

from harmonic_protocol.internal import RecordBar
from harmonic_protocol.log import BarRecorded
from harmonic_protocol.pieces import BarMade, PieceGoesOn
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_state.bar_plan import (
    LEAST_LEAD_US,
    MOST_LEAD_US,
    MOST_RETRY_US,
    RETRY_US,
    STEP_US,
    AskComposer,
    AwaitWork,
    BarPlan,
    Forget,
    LookAtLog,
    RecordNext,
    WaitUntil,
)
from harmonic_state.domain.universe import EndlessState

START_US = 10**15
BAR_US = 2_000_000


def bar(number: int, starts_us: int = START_US) -> EndlessState:
    latest = BarRecorded(
        stream_id="s",
        bar=number,
        starts_us=starts_us,
        as_of=7,
        music=MusicParameters(tempo=91),
        physics=PhysicsParameters(),
        state="before" if number else None,
    )
    return EndlessState("s", "ann", "waltz", 3, "2024-03-21T10:30:00.000Z", latest)


def made(number: int, duration_us: int = BAR_US) -> BarMade:
    return BarMade(stream_id="s", bar=number, duration_us=duration_us, state="after")


def word(number: int, due_us: int | None, stream_id: str = "s") -> PieceGoesOn:
    return PieceGoesOn(universe_id="u", stream_id=stream_id, bar=number, due_us=due_us)


def plan_of(piece: EndlessState) -> BarPlan:
    plan = BarPlan("u")
    plan.learned(piece)
    return plan


def ready(duration_us: int = BAR_US) -> BarPlan:
    """A plan whose bar is made."""
    plan = plan_of(bar(4))
    assert isinstance(plan.next(START_US, 0), AskComposer)
    assert plan.made(made(4, duration_us)) is not None
    return plan


def test_a_bar_is_asked_for_as_it_was_recorded() -> None:
    step = plan_of(bar(4)).next(START_US, 0)
    assert isinstance(step, AskComposer)
    job = step.job
    assert (job.universe_id, job.stream_id, job.seed, job.style) == ("u", "s", 3, "waltz")
    assert (job.bar, job.starts_us, job.as_of, job.state) == (4, START_US, 7, "before")
    assert job.music.tempo == 91


def test_the_next_bar_is_recorded_a_bar_before_the_end_of_this_one() -> None:
    plan = ready()
    assert plan.next(START_US - 1, 0) == WaitUntil(START_US)
    assert plan.next(START_US, 0) == RecordNext(
        RecordBar(universe_id="u", stream_id="s", bar=5, starts_us=START_US + BAR_US, state="after")
    )
    assert plan.next(START_US, 0) == AwaitWork()


def test_a_short_bar_is_recorded_in_time_and_a_long_one_not_too_early() -> None:
    assert ready(900_000).next(0, 0) == WaitUntil(START_US + 900_000 - LEAST_LEAD_US)
    assert ready(6_000_000).next(0, 0) == WaitUntil(START_US + 6_000_000 - MOST_LEAD_US)


def test_a_replica_tells_the_others_when_its_next_record_is_due() -> None:
    plan = plan_of(bar(4))
    plan.next(START_US, 0)
    assert plan.made(made(4)) == word(4, START_US)
    plan.told(word(4, START_US))
    assert plan.next(START_US - 1, 0) == WaitUntil(START_US)


def test_one_further_in_rank_that_has_the_bar_records_later() -> None:
    plan = ready()
    assert plan.next(START_US, 2) == WaitUntil(START_US + 2 * STEP_US)
    assert isinstance(plan.next(START_US + 2 * STEP_US, 2), RecordNext)


def test_a_bar_that_is_made_is_not_asked_for_after_another_look_at_the_log() -> None:
    plan = ready()
    plan.learned(bar(4))
    assert isinstance(plan.next(START_US, 0), RecordNext)


def test_a_bar_that_is_not_the_latest_any_more_is_told_to_nobody() -> None:
    plan = plan_of(bar(4))
    plan.next(START_US, 0)
    plan.learned(bar(5))
    assert plan.made(made(4)) is None
    assert isinstance(plan.next(START_US, 0), AskComposer)


def test_one_further_in_rank_waits_for_its_turn_and_then_looks_at_the_log() -> None:
    plan = BarPlan("u")
    plan.told(word(4, START_US))
    assert plan.next(START_US, 2) == WaitUntil(START_US + 2 * STEP_US)
    assert plan.next(START_US + 2 * STEP_US, 2) == LookAtLog()
    # The owner is gone: this one goes on from what it recorded last.
    plan.done()
    plan.learned(bar(4))
    assert isinstance(plan.next(START_US + 2 * STEP_US, 2), AskComposer)
    plan.made(made(4))
    assert isinstance(plan.next(START_US + 2 * STEP_US, 2), RecordNext)


def test_one_that_is_told_in_time_does_nothing() -> None:
    plan = BarPlan("u")
    plan.told(word(4, START_US))
    plan.told(word(5, START_US + BAR_US))
    assert plan.next(START_US + STEP_US, 1) == WaitUntil(START_US + BAR_US + STEP_US)


def test_one_that_knows_the_log_waits_for_who_was_told_the_bars_end() -> None:
    plan = plan_of(bar(4))
    plan.told(word(4, START_US))
    assert plan.next(START_US, 1) == WaitUntil(START_US + STEP_US)
    assert isinstance(plan.next(START_US + STEP_US, 1), AskComposer)


def test_what_another_recorded_counts_from_the_next_look_at_the_log() -> None:
    plan = ready()
    plan.next(START_US, 0)
    plan.done()
    plan.learned(bar(5, START_US + BAR_US + 1))
    step = plan.next(START_US, 0)
    assert isinstance(step, AskComposer)
    assert step.job.bar == 5


def test_without_an_answer_it_is_tried_again_a_little_later() -> None:
    plan = plan_of(bar(4))
    for _ in range(3):
        assert isinstance(plan.next(START_US, 0), AskComposer)
        plan.unanswered(START_US - RETRY_US + 1)
        assert plan.next(START_US, 0) == WaitUntil(START_US + 1)
        plan.unanswered(START_US - RETRY_US)
    plan = ready()
    assert isinstance(plan.next(START_US, 0), RecordNext)
    plan.failed(START_US)
    assert isinstance(plan.next(START_US + RETRY_US, 0), RecordNext)


def test_a_log_that_cannot_be_read_is_tried_more_and_more_rarely() -> None:
    plan = ready()
    now_us, pauses_us = START_US, []
    for _ in range(7):
        assert isinstance(plan.next(now_us, 0), RecordNext)
        plan.failed(now_us)
        step = plan.next(now_us, 0)
        assert isinstance(step, WaitUntil)
        pauses_us.append(step.at_us - now_us)
        now_us = step.at_us
    assert pauses_us[:3] == [RETRY_US, 2 * RETRY_US, 4 * RETRY_US]
    assert pauses_us[-2:] == [MOST_RETRY_US, MOST_RETRY_US]

    assert isinstance(plan.next(now_us, 0), RecordNext)
    plan.done()
    assert isinstance(plan.next(now_us, 0), RecordNext)
    plan.failed(now_us)
    assert plan.next(now_us, 0) == WaitUntil(now_us + RETRY_US)


def test_a_piece_that_is_over_is_forgotten() -> None:
    plan = ready()
    plan.learned(None)
    assert plan.next(START_US, 0) == Forget()
    plan = BarPlan("u")
    plan.told(word(4, START_US))
    plan.told(word(0, None))
    assert plan.next(START_US, 0) == Forget()


def test_the_end_of_an_earlier_piece_does_not_end_a_later_one() -> None:
    plan = ready()
    plan.told(word(0, None, stream_id="earlier"))
    assert isinstance(plan.next(START_US, 0), RecordNext)


def test_a_piece_that_began_elsewhere_is_looked_for() -> None:
    plan = ready()
    plan.told(word(0, START_US, stream_id="later"))
    assert plan.next(START_US, 0) == LookAtLog()


def test_what_was_made_counts_as_long_as_the_log_has_no_later_bar() -> None:
    plan = ready()
    plan.learned(bar(4))
    assert plan.next(START_US - 1, 0) == WaitUntil(START_US)


def test_one_further_in_rank_that_has_a_bar_made_records_later() -> None:
    assert ready().next(START_US, 1) == WaitUntil(START_US + STEP_US)


def test_a_piece_without_a_bar_is_none() -> None:
    piece = EndlessState("s", "ann", "waltz", 3, "2024-03-21T10:30:00.000Z", None)
    assert plan_of(piece).next(START_US, 0) == Forget()
