"""Who is alive, as replicas say and others hear."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.directory import MAX_REPLICAS, TICKS_PER_TTL, Directory, announce, watch
from harmonic_runtime.bus.wire import NO_HEADERS, Message
from harmonic_runtime.observability.metrics import Metrics
from harness.broker import Broker, OpenBus, connected, count, frozen, outage

#: Long enough that silence never counts in a test that does not count it itself.
FOREVER_S = 600.0


async def until(directory: Directory, *replicas: str) -> None:
    """Return once exactly these replicas are alive."""
    while directory.live() != set(replicas):
        await directory.news(1)


def says(replica: str) -> Message:
    return Message("hu.alive.any", replica.encode(), NO_HEADERS, "")


async def silence(bus: Bus, directory: Directory) -> None:
    """One tick, and the broker's word that nobody is there, if it was asked."""
    directory.tick()
    await bus.flush()


async def test_replicas_that_live_are_known_at_the_start(
    bus: Bus, word: str, peer: OpenBus
) -> None:
    async with (
        peer() as other,
        announce(other, service=word, replica_id="one", interval_s=FOREVER_S),
        announce(other, service=word, replica_id="two", interval_s=FOREVER_S),
    ):
        await other.flush()
        async with watch(bus, word, ttl_s=FOREVER_S) as directory:
            assert directory.live() == {"one", "two"}


async def test_a_start_does_not_wait_where_nobody_is_there(bus: Bus, word: str) -> None:
    async with watch(bus, word, ttl_s=FOREVER_S) as directory:
        assert directory.live() == frozenset()


async def test_a_replica_that_comes_later_is_heard(bus: Bus, word: str, peer: OpenBus) -> None:
    async with (
        peer() as other,
        watch(bus, word, ttl_s=FOREVER_S) as directory,
        announce(other, service=word, replica_id="one", interval_s=FOREVER_S),
    ):
        await until(directory, "one")


async def test_a_farewell_ends_a_replica_at_once(bus: Bus, word: str, peer: OpenBus) -> None:
    async with peer() as other, watch(bus, word, ttl_s=FOREVER_S) as directory:
        async with announce(other, service=word, replica_id="one", interval_s=FOREVER_S):
            await until(directory, "one")
        await until(directory)


async def test_services_do_not_mix(bus: Bus, word: str) -> None:
    async with (
        announce(bus, service=f"{word}-other", replica_id="one"),
        watch(bus, word, ttl_s=FOREVER_S) as directory,
    ):
        await bus.flush()
        await bus.handled()
        assert directory.live() == frozenset()


async def test_a_replica_that_announces_itself_stays(bus: Bus, word: str, peer: OpenBus) -> None:
    async with (
        peer() as other,
        announce(other, service=word, replica_id="one", interval_s=0.05),
        watch(bus, word, ttl_s=FOREVER_S) as directory,
    ):
        for _ in range(3 * TICKS_PER_TTL):
            directory.tick()
            await directory.news(5)
            assert directory.live() == {"one"}


async def test_a_replica_that_falls_silent_is_gone_after_its_time(bus: Bus, word: str) -> None:
    async with watch(bus, word, ttl_s=0.2) as directory:
        directory.hear(says("one"))
        assert directory.live() == {"one"}
        await until(directory)


async def test_silence_counts_only_after_a_whole_time_to_live(bus: Bus, word: str) -> None:
    async with watch(bus, word, ttl_s=FOREVER_S) as directory:
        directory.hear(says("one"))
        for _ in range(TICKS_PER_TTL):
            await silence(bus, directory)
            assert directory.live() == {"one"}
        await silence(bus, directory)
        assert directory.live() == frozenset()


async def test_who_is_heard_shows_that_the_others_are_silent(bus: Bus, word: str) -> None:
    async with watch(bus, word, ttl_s=FOREVER_S) as directory:
        directory.hear(says("silent"))
        for _ in range(TICKS_PER_TTL + 1):
            directory.hear(says("living"))
            directory.tick()
        assert directory.live() == {"living"}


async def test_the_same_object_says_who_lives_until_that_changes(bus: Bus, word: str) -> None:
    async with watch(bus, word, ttl_s=FOREVER_S) as directory:
        directory.hear(says("one"))
        before = directory.live()
        directory.hear(says("one"))
        directory.tick()
        assert directory.live() is before
        directory.hear(says("two"))
        assert before == {"one"}
        assert directory.live() == {"one", "two"}


async def test_whoever_waits_for_a_change_is_told_of_one_that_comes_and_of_a_silence(
    bus: Bus, word: str
) -> None:
    async with watch(bus, word, ttl_s=FOREVER_S) as directory:
        nobody = directory.live()
        waiting = asyncio.create_task(directory.change(nobody, FOREVER_S))
        await asyncio.sleep(0)
        directory.hear(says("one"))
        await waiting
        one = directory.live()
        # It has changed already.
        await directory.change(nobody, FOREVER_S)
        waiting = asyncio.create_task(directory.change(one, FOREVER_S))
        await asyncio.sleep(0)
        directory.hear(says("one"))
        assert not waiting.done()
        for _ in range(TICKS_PER_TTL + 1):
            await silence(bus, directory)
        await waiting
        assert directory.live() == frozenset()
        await directory.change(directory.live(), 0.0)


async def test_nobody_dies_of_a_broker_that_hangs(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus, watch(bus, "any", ttl_s=FOREVER_S) as directory:
        directory.hear(says("one"))
        with frozen(own_broker):
            for _ in range(10 * TICKS_PER_TTL):
                directory.tick()
                await asyncio.sleep(0)
            assert directory.live() == {"one"}


async def test_nobody_dies_of_a_broker_that_restarts(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus, watch(bus, "any", ttl_s=FOREVER_S) as directory:
        directory.hear(says("one"))
        for _ in range(TICKS_PER_TTL):
            await silence(bus, directory)
        async with outage(own_broker, bus):
            for _ in range(10 * TICKS_PER_TTL):
                directory.tick()
            assert directory.live() == {"one"}
        # It has a whole time to live to be heard again, and no more.
        for _ in range(TICKS_PER_TTL):
            await silence(bus, directory)
            assert directory.live() == {"one"}
        await silence(bus, directory)
        assert directory.live() == frozenset()


async def test_replicas_are_asked_again_when_the_broker_is_back(own_broker: Broker) -> None:
    async with (
        connected(own_broker.url) as bus,
        connected(own_broker.url) as other,
        watch(bus, "any", ttl_s=FOREVER_S) as directory,
    ):
        async with outage(own_broker, bus):
            pass
        async with announce(other, service="any", replica_id="new", interval_s=FOREVER_S):
            await until(directory, "new")


async def test_a_replica_announces_itself_when_its_broker_is_back(own_broker: Broker) -> None:
    async with (
        connected(own_broker.url) as bus,
        announce(bus, service="any", replica_id="one", interval_s=FOREVER_S),
    ):
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        await bus.subscribe("hu.alive.any", lambda message: heard.put_nowait(message.payload))
        async with outage(own_broker, bus):
            while not heard.empty():
                heard.get_nowait()
        assert await heard.get() == b"one"


async def test_many_who_ask_at_once_are_answered_together(
    bus: Bus, word: str, peer: OpenBus
) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    await bus.subscribe(f"hu.alive.{word}", lambda message: heard.put_nowait(message.payload))
    await bus.flush()
    async with (
        peer() as other,
        announce(other, service=word, replica_id="one", interval_s=FOREVER_S),
    ):
        assert await heard.get() == b"one"
        await other.flush()
        for _ in range(50):
            bus.post(f"hu.who.{word}", b"")
        assert await heard.get() == b"one"
    assert await heard.get() == b"one"  # its farewell
    assert heard.empty()


@pytest.fixture
async def counted(shared_broker: Broker) -> AsyncIterator[tuple[Bus, Metrics]]:
    metrics = Metrics()
    async with connected(shared_broker.url, metrics=metrics) as bus:
        yield bus, metrics


async def test_what_is_no_replicas_id_is_refused_and_counted(
    counted: tuple[Bus, Metrics], word: str
) -> None:
    bus, metrics = counted
    async with watch(bus, word, ttl_s=FOREVER_S) as directory:
        for nonsense in (b"", b"a.b", b"a b", b"\xff", b"x" * 65):
            bus.post(f"hu.alive.{word}", nonsense)
        await bus.flush()
        await bus.handled()
        assert directory.live() == frozenset()
    assert count(metrics, "bus_handler_errors_total") == 5


async def test_more_replicas_than_can_be_are_refused(bus: Bus, word: str) -> None:
    async with watch(bus, word, ttl_s=FOREVER_S) as directory:
        for number in range(MAX_REPLICAS):
            directory.hear(says(f"r{number}"))
        with pytest.raises(ValueError, match="more than"):
            directory.hear(says("one-more"))
        directory.hear(says("r1"))
        assert len(directory.live()) == MAX_REPLICAS
