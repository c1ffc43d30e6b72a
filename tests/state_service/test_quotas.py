"""How many universes a user may own: exactly, over replicas, and nothing counted for ever."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from harmonic_protocol.refusals import Refused
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock
from harmonic_runtime.process.lifecycle import Process, Tasks
from harmonic_state.journal import Journal
from harmonic_state.quotas import CREATED_WITHIN_S, Quotas, too_many
from harmonic_state.ring import RecentRecord
from harmonic_state.settings import StateSettings
from harness.broker import Broker, connected, count
from state_service.builders import created, skipped_messages
from state_service.conftest import OpenJournal

MOST = 3


class Clock(SystemClock):
    """The machine's clock, moved on by hand."""

    ahead_s = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(super().now().timestamp() + self.ahead_s, UTC)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Replica(Quotas):
    """The quotas of a replica of its own, with its clock and metrics to be looked at."""

    clock: Clock
    metrics: Metrics


@asynccontextmanager
async def replica(bus: Bus, journal: Journal) -> AsyncIterator[Replica]:
    metrics, clock = Metrics(), Clock()
    async with Tasks(Process(StateSettings(), "state")) as tasks:
        quotas = Replica(
            streams=Streams(bus),
            journal=journal,
            universes_per_user=MOST,
            clock=clock,
            tasks=tasks,
            metrics=metrics,
            skipped=skipped_messages(metrics),
        )
        quotas.clock, quotas.metrics = clock, metrics
        yield quotas


@pytest.fixture
async def journal(journal_with: OpenJournal) -> Journal:
    return await journal_with()


@pytest.fixture
async def quotas(own_bus: Bus, journal: Journal) -> AsyncIterator[Replica]:
    async with replica(own_bus, journal) as made:
        yield made


async def test_as_many_as_allowed_are_counted_and_each_once(quotas: Replica) -> None:
    assert [await quotas.reserve("ann", name) for name in "abc"] == [True] * 3
    assert await quotas.reserve("ann", "a") is False
    assert await quotas.reserve("ann", "d") == too_many(MOST)
    assert await quotas.reserve("bob", "d") is True
    assert count(quotas.metrics, "universe_quota_refusals_total") == 1


async def test_the_bound_is_exact_however_many_come_at_once_on_several_replicas(
    quotas: Replica, own_broker: Broker, journal: Journal
) -> None:
    async with connected(own_broker.url) as bus, replica(bus, journal) as other:
        answers = await asyncio.gather(
            *((quotas, other)[n % 2].reserve("ann", f"u{n}") for n in range(60))
        )
    assert answers.count(True) == MOST
    assert sum(isinstance(answer, Refused) for answer in answers) == 60 - MOST


async def test_what_is_released_makes_room_and_may_be_released_again(quotas: Replica) -> None:
    for name in "abc":
        await quotas.reserve("ann", name)
    await quotas.release("ann", "b")
    await quotas.release("ann", "b")
    await quotas.release("bob", "b")
    assert await quotas.reserve("ann", "d") is True
    assert isinstance(await quotas.reserve("ann", "e"), Refused)


async def test_what_was_counted_but_never_created_makes_room_after_a_time(
    quotas: Replica, journal: Journal
) -> None:
    await quotas.reserve("ann", "real")
    await journal.append("real", "2024-03-21T10:30:00.000Z", created("ann").events, 0)
    for name in ("lost-1", "lost-2"):
        await quotas.reserve("ann", name)
    assert isinstance(await quotas.reserve("ann", "new-1"), Refused)
    quotas.clock.ahead_s = CREATED_WITHIN_S + 2
    assert [await quotas.reserve("ann", name) for name in ("new-1", "new-2")] == [True, True]
    assert isinstance(await quotas.reserve("ann", "new-3"), Refused)
    assert count(quotas.metrics, "universe_quota_reclaimed_total") == 2


async def test_a_user_who_asks_again_and_again_has_its_universes_looked_for_once(
    quotas: Replica, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Sequence[str]] = []
    newest = journal.newest

    async def count_looks(universe_ids: Sequence[str]) -> dict[str, RecentRecord]:
        looked.append(universe_ids)
        return await newest(universe_ids)

    monkeypatch.setattr(journal, "newest", count_looks)
    for name in "abc":
        await quotas.reserve("ann", name)
    for number in range(10):
        await quotas.reserve("ann", f"more-{number}")
    assert len(looked) == 1


async def test_without_the_broker_nothing_is_counted(quotas: Replica, own_broker: Broker) -> None:
    await own_broker.process.stop()
    with pytest.raises(BusUnavailable):
        await quotas.reserve("ann", "a")
