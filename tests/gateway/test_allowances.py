"""Allowances by themselves: what each answer of the stream leads to."""

import asyncio
from collections import deque
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harmonic_gateway.limits.allowances import (
    LEARNING_INTERVAL_S,
    MAX_USERS,
    RETRY_MARGIN_MS,
    TAKE_TIMEOUT_S,
    Allowance,
    Allowances,
    counted_rates,
    limited,
)
from harmonic_gateway.limits.guards import FloodGuard, Guards
from harmonic_gateway.metrics import ADDRESS_REFUSALS
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol import subjects
from harmonic_protocol.messages.declaration import GLOBAL_RATES, SERVICE_RATES, RateClass
from harmonic_protocol.refusals import Refused
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.failures import CannotStart
from harness import virtual_time
from harness.memory import Failure, MemoryStreams

PARAMETERS, ROOMS = RateClass.PARAMETERS, RateClass.ROOMS
LIMIT, WINDOW_MS = 2, 60_000


class Limits:
    """Allowances on streams in memory: two requests a minute."""

    def __init__(self) -> None:
        self.streams = MemoryStreams(
            {subjects.limit_stream(rate): [subjects.limit_subjects(rate)] for rate in GLOBAL_RATES},
            limits={subjects.limit_subjects(rate).rstrip(">*"): LIMIT for rate in GLOBAL_RATES},
            configs={
                subjects.limit_stream(rate): {
                    "max_msgs_per_subject": str(LIMIT + number),
                    "max_age": str((WINDOW_MS + number) * 10**6),
                }
                for number, rate in enumerate(GLOBAL_RATES)
            },
        )
        self.clock = self.streams.clock
        self.metrics = Metrics()
        self.allowances = Allowances(self.streams, clock=self.clock, metrics=self.metrics)

    async def take(self, user: str = "ann", rate: RateClass | None = PARAMETERS) -> int | None:
        """The milliseconds to wait, or ``None``."""
        refusal = await self.allowances.take(user, rate)
        return None if refusal is None else refusal.details["retryAfterMs"]

    def counted(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"harmonic_{name}_total", labels)


@pytest.fixture
async def limits() -> Limits:
    made = Limits()
    await made.allowances.learn()
    return made


async def test_what_is_allowed_is_read_from_the_streams(limits: Limits) -> None:
    assert limits.allowances.allowances == {
        rate: Allowance(LIMIT + number, WINDOW_MS + number)
        for number, rate in enumerate(GLOBAL_RATES)
    }


async def test_a_request_is_granted_by_a_message_in_the_users_own_subject(limits: Limits) -> None:
    assert await limits.take() is None
    assert limits.streams.appends == [(subjects.limit(PARAMETERS, "ann"), TAKE_TIMEOUT_S)]
    assert [message.payload for message in limits.streams.stored] == [b""]
    assert limits.counted("allowances", rate="parameters", outcome="granted") == 1
    assert limits.counted("allowances", rate="parameters", outcome="refused") == 0
    assert limits.counted("allowances_counted_alone") == 0


async def test_what_needs_no_allowance_is_granted_unasked(limits: Limits) -> None:
    assert await limits.take(rate=None) is None
    before = Limits()
    assert await before.take() is None
    assert limits.streams.appends == before.streams.appends == []


async def test_one_too_many_waits_until_the_oldest_is_out_of_the_window(limits: Limits) -> None:
    await limits.take()
    limits.clock.seconds += 10
    await limits.take()
    limits.clock.seconds += 5
    refusal = await limits.allowances.take("ann", PARAMETERS)
    assert refusal == limited(Allowance(LIMIT, WINDOW_MS), 45_000 + RETRY_MARGIN_MS)
    assert limits.counted("allowances", rate="parameters", outcome="granted") == 2
    assert limits.counted("allowances", rate="parameters", outcome="refused") == 1


async def test_a_refused_user_is_refused_from_memory_until_then(limits: Limits) -> None:
    for _ in range(LIMIT + 1):
        await limits.take()
    asked = len(limits.streams.appends)
    limits.clock.seconds += 60
    assert await limits.take() == RETRY_MARGIN_MS
    assert len(limits.streams.appends) == asked
    # Others, and another class, are not concerned.
    assert await limits.take("bob") is None
    assert await limits.take(rate=ROOMS) is None
    limits.clock.seconds += RETRY_MARGIN_MS / 1000
    limits.streams.stored.clear()
    assert await limits.take() is None
    # From that very moment on, the stream decides again.
    assert limits.streams.appends[asked:][2:] == [
        (subjects.limit(PARAMETERS, "ann"), TAKE_TIMEOUT_S)
    ]


async def test_a_message_that_is_overdue_costs_the_margin_at_least(limits: Limits) -> None:
    for _ in range(LIMIT):
        await limits.take()
    limits.clock.seconds += 90
    assert await limits.take() == RETRY_MARGIN_MS


@pytest.mark.parametrize("unknown", ["unreadable", "gone"])
async def test_where_the_oldest_is_not_known_a_whole_window_is_waited(
    limits: Limits, unknown: str
) -> None:
    for _ in range(LIMIT):
        await limits.take()
    limits.clock.seconds += 30
    if unknown == "unreadable":
        limits.streams.unreadable = deque([BusUnavailable("no leader")])
    else:
        limits.streams.limits = {"": 0}
        limits.streams.stored.clear()
    assert await limits.take() == WINDOW_MS + RETRY_MARGIN_MS


async def test_without_the_stream_a_gateway_counts_by_itself(limits: Limits) -> None:
    def fails() -> None:
        limits.streams.failures = deque([Failure(BusUnavailable("no leader"))] * 9)

    fails()
    assert await limits.take() is None
    limits.clock.seconds += 10
    assert await limits.take() is None
    assert await limits.take() == 50_000 + RETRY_MARGIN_MS
    assert await limits.take("bob") is None
    assert await limits.take(rate=ROOMS) is None
    assert limits.counted("allowances_counted_alone") == 5
    # What it refused by itself is not remembered as the stream's word: it counts again.
    limits.clock.seconds += 50
    fails()
    assert await limits.take() is None
    assert await limits.take() == 10_000 + RETRY_MARGIN_MS


async def test_what_cannot_even_be_sent_is_counted_by_the_gateway(limits: Limits) -> None:
    limits.streams.unsendable = deque([BusUnavailable("not connected")] * (LIMIT + 1))
    assert [await limits.take() for _ in range(LIMIT)] == [None] * LIMIT
    assert await limits.take() == WINDOW_MS + RETRY_MARGIN_MS
    assert limits.counted("allowances_counted_alone") == LIMIT + 1
    assert limits.streams.appends == []


async def test_only_the_latest_users_refusals_are_kept(limits: Limits) -> None:
    limits.streams.limits = {"": 0}
    for number in range(MAX_USERS + 1):
        await limits.take(f"u{number}")
    asked = len(limits.streams.appends)
    await limits.take("u1")
    assert len(limits.streams.appends) == asked
    await limits.take("u0")
    assert len(limits.streams.appends) == asked + 1


@pytest.mark.parametrize(("wait_ms", "told_ms"), [(-5, 1), (0, 1), (1, 1), (2, 2)])
def test_a_refusal_says_what_is_allowed_and_when_to_come_again(wait_ms: int, told_ms: int) -> None:
    refusal: Refused = limited(Allowance(3, 1000), wait_ms)
    expected: dict[str, Any] = {
        "code": "RATE_LIMITED",
        "message": "Too many requests",
        "details": {"limit": 3, "windowMs": 1000, "retryAfterMs": told_ms},
    }
    assert refusal.model_dump(mode="json", by_alias=True) == expected


def test_an_allowance_is_for_a_minute_if_not_said_otherwise() -> None:
    assert Allowance(3) == Allowance(3, 60_000)


def test_a_guard_announces_its_burst() -> None:
    assert FloodGuard(per_second=10, burst=5).allowance == Allowance(5, 500)
    assert FloodGuard(per_second=0.3, burst=1).allowance == Allowance(1, 3333)


def test_a_guard_counts_one_by_one_and_time_gives_back() -> None:
    guard = FloodGuard(per_second=2, burst=2)
    assert [guard.take(10.0) for _ in range(3)] == [0, 0, 0.5]
    assert guard.take(10.25) == 0.25
    assert guard.take(10.5) == 0
    assert guard.take(10.5, counts=2) == 1.0
    # Waiting longer than a burst's time gives back no more than a burst.
    assert [guard.take(100.0) for _ in range(3)] == [0, 0, 0.5]


def test_a_guard_of_an_address_is_kept_while_it_is_among_the_latest() -> None:
    metrics = Metrics()
    guards = Guards(0.5, 1, metrics.counter(ADDRESS_REFUSALS))
    assert guards.take("a", 1.0) == 0
    assert guards.take("a", 1.0) == 2.0
    assert guards.take("a", 2.0) == 1.0
    for number in range(MAX_USERS - 1):
        assert guards.take(f"address {number}", 2.0) == 0
    assert guards.take("a", 2.5) == 0.5
    # One that was seen lately stays, the one that was not makes way.
    guards.take("another", 2.5)
    assert guards.take("a", 2.5) == 0.5
    assert guards.take("address 0", 2.5) == 0
    assert metrics.registry.get_sample_value("harmonic_address_refusals_total") == 4


def test_looking_at_a_guard_takes_nothing() -> None:
    guard = FloodGuard(per_second=2, burst=2)
    assert [guard.look(10.0) for _ in range(5)] == [0.0] * 5
    guard.take(10.0, counts=2)
    assert [guard.look(10.0), guard.look(10.0, counts=2), guard.look(10.25)] == [0.5, 1.0, 0.25]
    assert guard.look(10.5) == 0.0


def test_looking_at_an_address_keeps_no_guard_and_counts_what_is_refused() -> None:
    metrics = Metrics()
    guards = Guards(2, 1, metrics.counter(ADDRESS_REFUSALS))
    assert guards.look("a", 1.0) == 0.0
    assert not guards
    guards.take("a", 1.0)
    assert guards
    assert [guards.look("a", 1.0), guards.look("a", 1.25), guards.look("b", 1.0)] == [0.5, 0.25, 0]
    assert guards.take("a", 1.5) == 0.0
    assert metrics.registry.get_sample_value("harmonic_address_refusals_total") == 2


def test_what_passed_at_another_gateway_counts_on() -> None:
    here, there = FloodGuard(per_second=2, burst=2), FloodGuard(per_second=2, burst=2)
    here.take(10.0, counts=2)
    assert [here.busy_s(10.0), here.busy_s(10.25), here.busy_s(50.0)] == [1.0, 0.75, 0.0]

    there.go_on(3.0, here.busy_s(10.25))
    assert [there.busy_s(3.0), there.look(3.0), there.look(3.25)] == [0.75, 0.25, 0.0]

    # Not more than a burst, whatever the other one says.
    there.go_on(3.0, 60.0)
    assert there.busy_s(3.0) == 1.0


@pytest.mark.parametrize("act", [True, False])
def test_services_are_counted_where_they_may_act(*, act: bool) -> None:
    settings = cast("GatewaySettings", SimpleNamespace(lets_services_act=act))
    services = SERVICE_RATES if act else ()
    assert counted_rates(settings) == (*GLOBAL_RATES, *services)


def test_what_is_allowed_is_learnt_again_and_again_also_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def learnt_at() -> list[float]:
        allowances, loop = Limits().allowances, asyncio.get_running_loop()
        times: list[float] = []

        async def learn() -> None:
            times.append(loop.time())
            if len(times) == 1:
                raise CannotStart("the streams do not come")
            if len(times) == 3:
                learning.cancel()

        monkeypatch.setattr(allowances, "learn", learn)
        learning = asyncio.ensure_future(allowances.keep_learning())
        with suppress(asyncio.CancelledError):
            await learning
        return times

    interval_s = LEARNING_INTERVAL_S
    assert virtual_time.run(learnt_at()) == [interval_s, 2 * interval_s, 3 * interval_s]
