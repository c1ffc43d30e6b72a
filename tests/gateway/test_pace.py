"""How fast a client is read, by what its messages cost and how many are refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_gateway.limits.pace import (
    BURST_S_PER_PERCENT,
    LOGGED_REFUSALS,
    MAX_USERS,
    MAX_WAIT_S,
    PAUSE_S,
    Budget,
    Pace,
    PaceLimits,
    UserBudgets,
    cpu_budget,
)

LIMITS = PaceLimits(connection_percent=5, user_percent=10, refusals_per_s=10, refusals_burst=4)
BURST_S = 5 * BURST_S_PER_PERCENT


def behind(pace: Pace) -> bool:
    return pace.is_behind


def spent(pace: Pace) -> bool:
    return pace.is_spent


def test_a_budget_is_spent_at_once_and_earned_back() -> None:
    budget = Budget(per_second=0.5, burst=2)

    budget.spend(2, 100)
    assert budget.wait_s(100) == 0
    budget.spend(1, 100)
    assert budget.wait_s(100) == 2
    assert budget.wait_s(101) == 1
    assert budget.wait_s(102) == 0


def test_no_more_than_a_burst_is_saved() -> None:
    budget = Budget(per_second=0.5, burst=2)
    budget.spend(3, 0)

    budget.spend(3, 1000)

    assert budget.wait_s(1000) == 2


@given(
    st.lists(st.tuples(st.floats(0, 0.01), st.floats(0, 0.1)), min_size=1, max_size=200),
    st.sampled_from([1.0, 5.0, 10.0]),
)
def test_a_client_that_waits_as_told_costs_its_share_and_no_more(
    messages: list[tuple[float, float]], percent: float
) -> None:
    budget = cpu_budget(percent)
    now_s = began_s = 50.0
    spent_s = 0.0
    for cost_s, pause_s in messages:
        now_s += pause_s + budget.wait_s(now_s)
        before_s = spent_s
        budget.spend(cost_s, now_s)
        spent_s += cost_s
        # All but the latest message was paid for before it was read.
        most_s = percent * BURST_S_PER_PERCENT + (now_s - began_s) * percent / 100
        assert before_s <= most_s + 1e-9


def test_a_connection_waits_once_its_messages_cost_more_than_its_share() -> None:
    pace = Pace(LIMITS)

    pace.took(BURST_S, 0)
    assert not behind(pace)
    pace.took(0.002, 0)
    assert behind(pace)
    assert pace.wait_s(0) == pytest.approx(0.04 + PAUSE_S)
    assert pace.wait_s(0.05) == 0
    assert not behind(pace)


def test_no_wait_is_longer_than_a_bound() -> None:
    pace = Pace(LIMITS)

    pace.took(100, 0)

    assert pace.wait_s(0) == MAX_WAIT_S


def test_a_users_connections_pay_together() -> None:
    users = UserBudgets(LIMITS)
    first, second = Pace(LIMITS), Pace(LIMITS)
    for pace in (first, second):
        pace.charge_to(users.of("ann"))

    first.took(1.0, 0)

    assert second.wait_s(0) == 0.0 + MAX_WAIT_S
    stranger = Pace(LIMITS)
    stranger.charge_to(users.of("bob"))
    assert stranger.wait_s(0) == 0


def test_a_user_is_charged_once_however_many_namespaces_a_session_has() -> None:
    budget = Budget(per_second=0.1, burst=0.5)
    pace = Pace(LIMITS)
    pace.charge_to(budget)
    pace.charge_to(budget)

    pace.took(0.55, 0)

    assert budget.wait_s(0) == pytest.approx(0.5)


def test_the_users_that_are_remembered_are_bounded() -> None:
    users = UserBudgets(LIMITS)
    users.of("ann").spend(100, 0)

    for number in range(MAX_USERS):
        users.of(f"user-{number}")

    assert users.of("ann").busy_s(0) == 0


def test_a_user_who_is_here_is_remembered_however_many_come() -> None:
    users, pace = UserBudgets(LIMITS), Pace(LIMITS)
    pace.charge_to(users.of("ann"))

    for number in range(MAX_USERS):
        users.of(f"user-{number}")
    pace.took(1.0, 0)

    assert users.of("ann").busy_s(0) == 10


def test_what_a_message_causes_is_charged_for_each_session_of_its_user() -> None:
    users = UserBudgets(LIMITS)
    first, second = Pace(LIMITS), Pace(LIMITS)
    first.caused(0.01, 0.02, 0)
    assert first.busy_s(0) == pytest.approx(0.01 / 0.05)
    for pace in (first, second):
        pace.charge_to(users.of("ann"))

    second.caused(0.01, 0.02, 0)
    first.end()
    second.caused(0.01, 0.02, 0)

    assert second.busy_s(0) == pytest.approx((0.05 + 0.03) / 0.05)
    assert users.of("ann").busy_s(0) == pytest.approx((0.05 + 0.03) / 0.1)


def test_a_session_that_has_ended_pays_for_nobody() -> None:
    users, pace = UserBudgets(LIMITS), Pace(LIMITS)
    pace.charge_to(users.of("ann"))

    pace.end()
    pace.end()
    pace.took(1.0, 0)

    assert users.of("ann").busy_s(0) == 0
    assert users.of("ann").sessions == 0


def test_refusals_slow_a_connection_down_and_end_it_if_it_goes_on() -> None:
    pace = Pace(LIMITS)

    for _ in range(LIMITS.refusals_burst):
        pace.refused(0)
    assert not behind(pace)
    now_s = 0.0
    for _ in range(LIMITS.refusals_burst):
        pace.refused(now_s)
        assert behind(pace)
        wait_s = pace.wait_s(now_s)
        assert wait_s == pytest.approx(1 / LIMITS.refusals_per_s)
        assert not spent(pace)
        now_s += wait_s
    pace.refused(now_s)
    pace.wait_s(now_s)
    assert spent(pace)


def test_a_client_that_was_slowed_down_is_forgiven_once_half_of_its_burst_is_back() -> None:
    def refused_on_after(pause_s: float) -> bool:
        pace, now_s = Pace(LIMITS), 0.0
        for _ in range(2 * LIMITS.refusals_burst):
            pace.refused(now_s)
            now_s += pace.wait_s(now_s)
        now_s += pause_s
        for _ in range(2 * LIMITS.refusals_burst):
            pace.refused(now_s)
            now_s += pace.wait_s(now_s)
        return pace.is_spent

    half_s = LIMITS.refusals_burst / 2 / LIMITS.refusals_per_s
    assert refused_on_after(0)
    assert refused_on_after(half_s * 0.9)
    assert not refused_on_after(half_s * 2)


def test_refusals_that_were_on_their_way_end_nothing() -> None:
    """A client is slowed down first, however many were refused before it could be."""
    pace = Pace(LIMITS)

    for _ in range(100 * LIMITS.refusals_burst):
        pace.refused(0)

    assert behind(pace)
    assert not spent(pace)
    assert pace.wait_s(0) == MAX_WAIT_S


def test_a_connection_that_is_refused_less_often_is_forgiven() -> None:
    pace = Pace(LIMITS)

    now_s = 0.0
    for _ in range(100 * LIMITS.refusals_burst):
        pace.refused(now_s)
        now_s += 1.01 / LIMITS.refusals_per_s
        assert not pace.is_spent
    assert pace.wait_s(now_s) == 0


def test_the_first_refusals_are_logged_and_one_a_second_after_them() -> None:
    pace = Pace(LIMITS)

    assert [pace.refused(0) for _ in range(LOGGED_REFUSALS + 2)] == (
        [True] * LOGGED_REFUSALS + [False] * 2
    )
    assert pace.refused(1.0)
    assert not pace.refused(1.0)


def test_what_was_spent_at_another_gateway_counts_on() -> None:
    here, there = Budget(per_second=0.5, burst=2), Budget(per_second=0.5, burst=2)
    here.spend(3, 100)
    assert here.busy_s(101) == 5

    there.go_on(10, here.busy_s(101))

    assert (there.busy_s(10), there.wait_s(10)) == (5, 1)
    assert here.busy_s(1000) == 0


@pytest.mark.parametrize(("cost_s", "is_behind"), [(BURST_S, False), (BURST_S + 0.01, True)])
def test_a_client_that_goes_over_to_another_gateway_pays_there(
    cost_s: float, *, is_behind: bool
) -> None:
    here, there = Pace(LIMITS), Pace(LIMITS)
    here.charge_to(UserBudgets(LIMITS).of("ann"))
    here.took(cost_s, 0)
    assert here.busy_s(0) == pytest.approx(cost_s / 0.05)

    there.go_on(7, here.busy_s(0))

    assert there.busy_s(7) == pytest.approx(cost_s / 0.05)
    assert there.is_behind is is_behind
    assert bool(there.wait_s(7)) is is_behind


def test_half_of_a_burst_is_saved_or_is_not() -> None:
    budget = Budget(per_second=1, burst=2)
    budget.spend(1, 0)
    assert budget.has_half(0)
    budget.spend(0.5, 0)
    assert not budget.has_half(0)


def test_the_latest_users_are_remembered_up_to_the_bound() -> None:
    users = UserBudgets(LIMITS)
    first = users.of("ann")
    for number in range(MAX_USERS - 1):
        users.of(f"user-{number}")
    assert users.of("ann") is first


def test_a_client_that_sent_nothing_is_not_spent_whatever_the_limits_are() -> None:
    assert not Pace(replace(LIMITS, refusals_burst=0)).is_spent


def test_a_client_stays_behind_as_long_as_it_has_to_wait() -> None:
    pace = Pace(LIMITS)
    pace.took(BURST_S + 0.002, 0)
    assert PAUSE_S < pace.wait_s(0) < MAX_WAIT_S
    assert pace.is_behind


def test_refusals_end_a_connection_whatever_its_user_has_spent() -> None:
    pace, now_s = Pace(LIMITS), 0.0
    pace.charge_to(Budget(per_second=1, burst=1))
    for _ in range(2 * LIMITS.refusals_burst + 1):
        pace.refused(now_s)
        now_s += pace.wait_s(now_s)
    assert pace.is_spent
