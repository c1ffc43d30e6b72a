"""Jobs: fetched, acknowledged, kept, given up, and given to another."""

import asyncio

import pytest

from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.jetstream import call
from harmonic_runtime.bus.streams import Job, Streams
from harmonic_runtime.process.failures import CannotStart
from harness.broker import Broker, OpenBus, connected, outage

ACK_WAIT_S = 1.0


async def work_queue(streams: Streams, name: str, *jobs: bytes) -> None:
    await streams.ensure(
        {"name": name, "subjects": [f"{name}.jobs"], "retention": "workqueue"}, version=1
    )
    consumer = {
        "durable_name": "workers",
        "ack_policy": "explicit",
        "ack_wait": int(ACK_WAIT_S * 10**9),
        "max_deliver": 5,
    }
    await asyncio.gather(*(streams.ensure_consumer(name, consumer) for _ in range(3)))
    for job in jobs:
        await streams.append(f"{name}.jobs", job, timeout_s=2)


async def one(streams: Streams, name: str) -> Job:
    (job,) = await streams.fetch(name, "workers", batch=1, expires_s=10)
    return job


async def left(bus: Bus, name: str) -> int:
    answer = await call(bus, f"STREAM.INFO.{name}", {})
    messages: int = answer["state"]["messages"]
    return messages


async def test_an_acknowledged_job_is_gone_from_the_queue(
    bus: Bus, streams: Streams, word: str
) -> None:
    await work_queue(streams, word, b"first", b"second")
    job = await one(streams, word)
    assert job.payload == b"first"
    await job.ack()
    assert await left(bus, word) == 1
    assert (await one(streams, word)).payload == b"second"


async def test_a_job_that_nobody_acknowledges_is_given_to_another(
    streams: Streams, word: str, peer: OpenBus
) -> None:
    await work_queue(streams, word, b"job")
    async with peer() as dying:
        await one(Streams(dying), word)
    assert (await one(streams, word)).payload == b"job"


async def test_a_job_in_progress_is_given_to_nobody_else(streams: Streams, word: str) -> None:
    await work_queue(streams, word, b"job")
    job = await one(streams, word)
    for _ in range(3):
        assert await streams.fetch(word, "workers", batch=1, expires_s=0.4 * ACK_WAIT_S) == []
        await job.in_progress()
    await job.ack()


async def test_a_job_that_is_given_up_is_given_to_nobody(
    bus: Bus, streams: Streams, word: str
) -> None:
    await work_queue(streams, word, b"job")
    await (await one(streams, word)).term()
    assert await streams.fetch(word, "workers", batch=1, expires_s=1.2 * ACK_WAIT_S) == []
    assert await left(bus, word) == 0


async def test_a_job_that_is_released_is_given_out_again_at_once(
    streams: Streams, word: str
) -> None:
    await work_queue(streams, word, b"job")
    await (await one(streams, word)).release()
    again = await streams.fetch(word, "workers", batch=1, expires_s=0.5 * ACK_WAIT_S)
    assert [job.payload for job in again] == [b"job"]


async def test_a_queue_without_jobs_is_no_failure(streams: Streams, word: str) -> None:
    await work_queue(streams, word)
    assert await streams.fetch(word, "workers", batch=3, expires_s=0.1) == []


async def test_a_batch_is_full_or_what_is_there_when_its_time_is_over(
    streams: Streams, word: str
) -> None:
    await work_queue(streams, word, b"1", b"2", b"3")
    full = await streams.fetch(word, "workers", batch=2, expires_s=30)
    rest = await streams.fetch(word, "workers", batch=2, expires_s=0.1)
    assert [job.payload for job in full + rest] == [b"1", b"2", b"3"]


async def test_a_job_comes_to_who_already_waits(streams: Streams, word: str) -> None:
    await work_queue(streams, word)
    job, _ = await asyncio.gather(
        one(streams, word), streams.append(f"{word}.jobs", b"job", timeout_s=2)
    )
    assert job.payload == b"job"


async def test_a_fetch_leaves_no_subscription_behind(bus: Bus, streams: Streams, word: str) -> None:
    await work_queue(streams, word, b"job")
    before = len(bus.connection.interests)
    await one(streams, word)
    await streams.fetch(word, "workers", batch=1, expires_s=0.1)
    assert len(bus.connection.interests) == before


async def test_without_its_consumer_a_queue_cannot_be_asked(streams: Streams, word: str) -> None:
    await work_queue(streams, word)
    with pytest.raises(BusUnavailable):
        await streams.fetch(word, "others", batch=1, expires_s=5)


async def test_a_consumer_that_the_queue_cannot_have_is_told_in_a_sentence(
    streams: Streams, word: str
) -> None:
    await work_queue(streams, word)
    second = {"durable_name": "second", "ack_policy": "explicit"}
    with pytest.raises(CannotStart, match=r"^The consumer second of the stream .* cannot be set"):
        await streams.ensure_consumer(word, second)


async def test_without_the_bus_there_are_no_jobs_and_no_acknowledgements(
    own_broker: Broker,
) -> None:
    async with connected(own_broker.url) as bus:
        streams = Streams(bus)
        await work_queue(streams, "Q", b"job")
        job = await one(streams, "Q")
        async with outage(own_broker, bus):
            for attempt in (job.ack(), job.term(), job.in_progress(), one(streams, "Q")):
                with pytest.raises(BusUnavailable):
                    await attempt
        # The queue survives the broker, and gives the job out again.
        assert (await one(streams, "Q")).payload == b"job"


async def test_a_fetch_ends_with_the_connection_that_it_was_made_on(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus:
        streams = Streams(bus)
        await work_queue(streams, "Q")
        waiting = asyncio.ensure_future(one(streams, "Q"))
        await bus.flush()
        own_broker.process.kill()
        await own_broker.process.ended()
        await own_broker.process.start()
        with pytest.raises(BusUnavailable, match="forgotten"):
            await waiting


async def test_a_fetch_ends_with_a_broker_that_stops(own_broker: Broker) -> None:
    async with connected(own_broker.url) as bus:
        streams = Streams(bus)
        await work_queue(streams, "Q")
        waiting = asyncio.ensure_future(one(streams, "Q"))
        await bus.flush()
        await own_broker.process.stop()
        with pytest.raises(BusUnavailable, match="Server Shutdown"):
            await waiting
