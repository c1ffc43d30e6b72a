"""Limits: the exact ones that streams keep, and the guards before them."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.door import PATIENCE_S
from harmonic_gateway.admission.greeting import Greeting
from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.limits.allowances import MAX_USERS, Allowances
from harmonic_gateway.limits.guards import FloodGuard, Guards
from harmonic_gateway.membership.session import Session
from harmonic_gateway.metrics import ADDRESS_REFUSALS
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import Frame
from harmonic_protocol import subjects
from harmonic_protocol.leasing import METADATA, VALID_S, Division
from harmonic_protocol.messages.connection import RecoveryReport
from harmonic_protocol.messages.declaration import GLOBAL_RATES, RateClass
from harmonic_protocol.reasons import RecoveryOutcome
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock
from harmonic_state.settings import StateSettings
from harmonic_state.storage import stream_configs
from harness.broker import Broker, connected, frozen

PARAMETERS = RateClass.PARAMETERS


class Clock(SystemClock):
    """The machine's clock, moved on by hand."""

    ahead_s = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.unix_s(), UTC)

    def unix_s(self) -> float:
        return super().unix_s() + self.ahead_s

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


async def allowances(bus: Bus, *, limit: int = 3, window_s: float = 60) -> Allowances:
    streams = Streams(bus)
    await set_up(streams, limit=limit, window_s=window_s)
    found = Allowances(streams, clock=Clock(), metrics=Metrics())
    await found.learn()
    return found


async def set_up(streams: Streams, *, limit: int, window_s: float = 60) -> None:
    """The limiters' streams, as a state service sets them up."""
    for rate in GLOBAL_RATES:
        await streams.ensure(
            {
                "name": subjects.limit_stream(rate),
                "subjects": [subjects.limit_subjects(rate)],
                "storage": "memory",
                "max_age": int(window_s * 10**9),
                "discard": "new",
                "discard_new_per_subject": True,
                "max_msgs_per_subject": limit,
                "allow_direct": True,
            },
            version=1,
        )


def told(greeting: Greeting) -> dict[str, Any]:
    """The limits that a client is greeted with."""
    frames: list[Frame] = []
    connection: Any = SimpleNamespace(id="c", pid=None, send=frames.append)
    identity = Identity("ann", "Ann", expires_at_s=2**31)
    report = RecoveryReport(outcome=RecoveryOutcome.NEW)
    greeting.send(Session(connection, identity, "g", "f"), report)
    limits: dict[str, Any] = json.loads(frames[0].data)["limits"]
    return limits


async def test_what_is_allowed_anew_is_what_clients_are_told(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus:
        limits = await allowances(bus, limit=3)
        greeting = Greeting(
            GatewaySettings(jwt_secret=SecretStr("long enough a secret")), limits, Clock()
        )
        before = limits.allowances
        await limits.learn()
        assert limits.allowances is before
        assert told(greeting)["parametersPerMinute"] == 3
        for _ in range(3):
            await limits.take("ann", PARAMETERS)

        await set_up(Streams(bus), limit=4)
        await limits.learn()

        assert told(greeting)["parametersPerMinute"] == 4
        assert await limits.take("ann", PARAMETERS) is None
        refusal = await limits.take("ann", PARAMETERS)
        assert refusal is not None
        assert refusal.details["limit"] == 4


async def test_so_many_are_granted_and_the_next_is_told_when(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus:
        limits = await allowances(bus)
        assert [await limits.take("ann", PARAMETERS) for _ in range(3)] == [None] * 3
        refusal = await limits.take("ann", PARAMETERS)
        assert refusal is not None
        assert refusal.code == "RATE_LIMITED"
        assert (refusal.details["limit"], refusal.details["windowMs"]) == (3, 60_000)
        assert 58_000 < refusal.details["retryAfterMs"] < 61_000
        assert await limits.take("bob", PARAMETERS) is None
        assert await limits.take("ann", RateClass.ROOMS) is None
        assert await limits.take("ann", None) is None


async def test_the_count_is_one_for_all_gateways(own_broker: Broker) -> None:
    async with connected(own_broker.url) as one, connected(own_broker.url) as other:
        gateways = [await allowances(one), await allowances(other)]
        asked = [gateways[n % 2].take("ann", PARAMETERS) for n in range(10)]
        answers = await asyncio.gather(*asked)
        assert answers.count(None) == 3


async def test_gateways_lease_parts_of_the_count_and_it_stays_one(own_broker: Broker) -> None:
    division = Division(2, 3)
    async with connected(own_broker.url) as one, connected(own_broker.url) as other:
        await lease(Streams(one), division, singly=4)
        gateways = [
            Allowances(Streams(bus), clock=Clock(), metrics=Metrics()) for bus in (one, other)
        ]
        for gateway in gateways:
            await gateway.learn()
        asked = [gateways[n % 2].take("ann", PARAMETERS) for n in range(14)]
        answers = await asyncio.gather(*asked)
        assert answers.count(None) == 10
        refusals = [answer for answer in answers if answer is not None]
        assert {refusal.details["limit"] for refusal in refusals} == {10}
        info = await Streams(one).wait_for(subjects.LEASES_STREAM)
        assert info["state"]["messages"] == 2
        # What is leased needs no broker.
        assert [await gateways[0].take("bob", PARAMETERS) for _ in range(2)] == [None] * 2
        with frozen(own_broker):
            assert await gateways[0].take("bob", PARAMETERS) is None


async def test_a_lease_is_renewed_and_taken_up_again_by_whoever_holds_it(
    own_broker: Broker,
) -> None:
    async with connected(own_broker.url) as bus:
        streams, clock = Streams(bus), Clock()
        await lease(streams, Division(1, 3), singly=4)
        limits = Allowances(streams, clock=clock, metrics=Metrics())
        await limits.learn()
        for stored, passed_s in enumerate((0, VALID_S / 2, VALID_S), start=1):
            clock.ahead_s += passed_s
            assert await limits.take("ann", PARAMETERS) is None
            # Nobody waits for a renewal.
            async with asyncio.timeout(PATIENCE_S):
                while (state := await state_of(streams))["last_seq"] < stored:
                    pass
            assert (state["messages"], state["last_seq"]) == (1, stored)
        assert await streams.first(subjects.limit_stream(PARAMETERS), "hu.limit.>") is None


async def state_of(streams: Streams) -> Mapping[str, Any]:
    info = await streams.wait_for(subjects.LEASES_STREAM)
    state: Mapping[str, Any] = info["state"]
    return state


async def lease(streams: Streams, division: Division, *, singly: int) -> None:
    """The streams of which parts are leased, as a state service sets them up."""
    await set_up(streams, limit=singly)
    configs = {config["name"]: config for config in stream_configs(StateSettings())}
    await streams.ensure(configs[subjects.LEASES_STREAM], version=1)
    stream = dict(configs[subjects.limit_stream(PARAMETERS)])
    said = {"metadata": {METADATA: division.written()}, "max_msgs_per_subject": singly}
    await streams.ensure({**stream, **said}, version=2)


async def test_who_waits_as_told_is_granted(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus:
        limits = await allowances(bus, limit=1, window_s=0.5)
        await limits.take("ann", PARAMETERS)
        refusal = await limits.take("ann", PARAMETERS)
        assert refusal is not None
        await asyncio.sleep(refusal.details["retryAfterMs"] / 1000)
        assert await limits.take("ann", PARAMETERS) is None


async def test_without_the_limiter_each_gateway_counts_by_itself(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus:
        limits = await allowances(bus)
        with frozen(own_broker):
            answers = await asyncio.gather(*(limits.take("ann", PARAMETERS) for _ in range(5)))
        assert answers.count(None) == 3


def test_a_flood_guard_counts_what_is_large_for_several() -> None:
    guard = FloodGuard(per_second=10, burst=5)
    assert guard.take(0, counts=3) == 0
    assert guard.take(0, counts=3) == pytest.approx(0.1)
    assert guard.take(0, counts=2) == 0
    assert guard.take(0) == pytest.approx(0.1)
    # More than a burst never comes at once, but it comes.
    assert guard.take(0, counts=100) == pytest.approx(0.5)
    assert guard.take(0.51, counts=100) == 0


def test_a_flood_guard_lets_a_burst_pass_and_then_so_many_a_second() -> None:
    guard = FloodGuard(per_second=10, burst=5)
    assert [guard.take(100.0) for _ in range(5)] == [0.0] * 5
    wait_s = guard.take(100.0)
    assert wait_s == pytest.approx(0.1)
    assert guard.take(100.0 + wait_s) == 0.0
    assert guard.take(100.0 + wait_s) > 0
    assert [guard.take(200.0) for _ in range(5)] == [0.0] * 5


def test_each_address_has_a_guard_and_the_oldest_is_forgotten() -> None:
    metrics = Metrics()
    refused = metrics.counter(ADDRESS_REFUSALS)
    guard = Guards(per_second=1, burst=1, refused=refused)
    assert guard.take("a", 0.0) == 0
    assert guard.take("a", 0.0) > 0
    assert guard.take("b", 0.0) == 0
    for number in range(MAX_USERS):
        guard.take(f"address {number}", 0.0)
    assert guard.take("a", 0.0) == 0
    assert metrics.registry.get_sample_value("harmonic_address_refusals_total") == 1
