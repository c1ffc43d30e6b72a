"""What calls of the HTTP API cost their user."""

import asyncio
from typing import Any, cast

import pytest

from harmonic_gateway.limits import paid_calls as module
from harmonic_gateway.limits.allowances import Allowance, limited
from harmonic_gateway.limits.costs import CALL_COST_S
from harmonic_gateway.limits.pace import PaceLimits, UserBudgets
from harmonic_gateway.limits.paid_calls import MAX_WAITING, PaidCalls
from harmonic_protocol.messages.declaration import RateClass
from harmonic_protocol.refusals import Code, Refused

LIMITS = PaceLimits(connection_percent=5, user_percent=10, refusals_per_s=10, refusals_burst=4)
#: Seconds in which a user earns what a call costs.
EARNED_S = CALL_COST_S / 0.1
BURST_S = 10 * 0.05


class Counted:
    """Allowances that grant so much, or refuse."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, RateClass]] = []
        self.over: Refused | None = None

    async def take(self, user_id: str, rate: RateClass) -> Refused | None:
        self.taken.append((user_id, rate))
        return self.over


@pytest.fixture
def counted() -> Counted:
    return Counted()


def calls_of(counted: Counted, budgets: UserBudgets) -> PaidCalls:
    return PaidCalls(cast("Any", counted), budgets)


def overdrawn(user_id: str, calls_more: float) -> UserBudgets:
    """Budgets of which one is overdrawn by so many calls."""
    budgets = UserBudgets(LIMITS)
    now_s = asyncio.get_running_loop().time()
    budgets.of(user_id).spend(BURST_S + calls_more * CALL_COST_S, now_s)
    return budgets


async def test_a_call_is_charged_and_counted_by_each_of_its_rates(counted: Counted) -> None:
    budgets = UserBudgets(LIMITS)

    rates = (RateClass.SERVICE_CALLS, RateClass.SERVICE_PIECES)
    assert await calls_of(counted, budgets).take("ann", rates) is None

    assert counted.taken == [("ann", rate) for rate in rates]
    busy_s = budgets.of("ann").busy_s(asyncio.get_running_loop().time())
    assert busy_s == pytest.approx(EARNED_S, abs=EARNED_S / 2)


async def test_a_call_that_an_allowance_refuses_is_charged_as_well(counted: Counted) -> None:
    counted.over = limited(Allowance(1), 1)
    budgets = UserBudgets(LIMITS)

    assert await calls_of(counted, budgets).take("ann", (RateClass.OPERATIONS,)) == counted.over

    assert budgets.of("ann").busy_s(asyncio.get_running_loop().time()) > 0


async def test_calls_wait_until_they_are_paid_for_and_those_of_others_do_not(
    counted: Counted,
) -> None:
    calls = calls_of(counted, overdrawn("ann", 10))
    late = asyncio.create_task(calls.take("ann", (RateClass.OPERATIONS,)))
    await asyncio.sleep(0)

    assert await calls.take("bob", (RateClass.OPERATIONS,)) is None
    assert not late.done()

    assert await late is None
    assert [user for user, _ in counted.taken] == ["bob", "ann"]


async def test_a_call_that_would_wait_for_too_long_is_refused(
    counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAIT_S", 5 * EARNED_S)
    calls = calls_of(counted, overdrawn("ann", 10))

    over = await calls.take("ann", (RateClass.OPERATIONS,))

    assert over is not None
    assert over.code is Code.RATE_LIMITED
    assert 0 < over.details["retryAfterMs"] <= 11 * EARNED_S * 1000 + 1
    assert counted.taken == []


async def test_no_more_calls_of_a_user_wait_than_a_bound(counted: Counted) -> None:
    calls = calls_of(counted, overdrawn("ann", 10))
    waiting = [
        asyncio.create_task(calls.take("ann", (RateClass.OPERATIONS,))) for _ in range(MAX_WAITING)
    ]
    await asyncio.sleep(0)

    over = await calls.take("ann", (RateClass.OPERATIONS,))

    assert over is not None
    assert over.code is Code.RATE_LIMITED
    assert await asyncio.gather(*waiting) == [None] * MAX_WAITING
