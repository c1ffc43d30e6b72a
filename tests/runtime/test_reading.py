"""Reading streams, from one subject or several, in one batch or many."""

import asyncio
import json

import pytest

from harmonic_runtime.bus.client import Bus, BusTimeout, BusUnavailable
from harmonic_runtime.bus.reading import READ_BATCH_BYTES
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.bus.wire import Message
from harness.broker import Broker, OpenBus, connected, frozen


async def filled(
    streams: Streams, name: str, subjects: list[str], *, direct: bool = True, size: int = 1
) -> None:
    """A stream with a message for each of the subjects, in their order."""
    config = {"name": name, "subjects": [f"{name}.>"], "allow_direct": direct}
    await streams.ensure(config, version=1)
    for number, subject in enumerate(subjects, start=1):
        payload = str(number).encode().ljust(size, b".")
        await streams.append(f"{name}.{subject}", payload, timeout_s=5)


async def positions(
    streams: Streams, name: str, subject: str, *, start: int = 1, limit: int = 100
) -> list[int]:
    found = await streams.read(name, f"{name}.{subject}", from_sequence=start, limit=limit)
    assert [int(stored.payload.rstrip(b".")) for stored in found] == [s.sequence for s in found]
    return [stored.sequence for stored in found]


async def test_the_last_message_of_a_subject(streams: Streams, word: str) -> None:
    await filled(streams, word, ["a", "b", "a", "b"])
    stored = await streams.last(word, f"{word}.a")
    assert stored is not None
    assert (stored.sequence, stored.subject, stored.payload) == (3, f"{word}.a", b"3")


async def test_a_subject_without_messages_has_no_last_one(streams: Streams, word: str) -> None:
    await filled(streams, word, ["a"])
    assert await streams.last(word, f"{word}.b") is None


async def test_messages_come_in_order_from_a_sequence_on(streams: Streams, word: str) -> None:
    await filled(streams, word, ["a", "b", "a", "a", "b", "a"])
    assert await positions(streams, word, "a") == [1, 3, 4, 6]
    assert await positions(streams, word, "a", start=2) == [3, 4, 6]
    assert await positions(streams, word, "a", start=7) == []
    assert await positions(streams, word, "c") == []


async def test_no_more_come_than_asked_for(streams: Streams, word: str) -> None:
    await filled(streams, word, ["a", "b", "a", "a"])
    assert await positions(streams, word, "a", limit=2) == [1, 3]
    assert await positions(streams, word, "a", limit=1) == [1]
    assert await positions(streams, word, "a", limit=3) == [1, 3, 4]


async def test_a_star_reads_several_subjects_in_the_streams_order(
    streams: Streams, word: str
) -> None:
    await filled(streams, word, ["x.a", "y.a", "x.b", "x.c", "y.b"])
    assert await positions(streams, word, "x.*") == [1, 3, 4]
    assert await positions(streams, word, "x.*", start=2, limit=1) == [3]
    assert await positions(streams, word, "z.*") == []


async def test_large_messages_come_in_several_batches(
    streams: Streams, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_args: object) -> None:
        """The leader has no more than the batches brought."""

    size = 900_000
    number = 2 * READ_BATCH_BYTES // size + 3
    await filled(streams, word, ["a"] * number, size=size)
    monkeypatch.setattr("harmonic_runtime.bus.reading.from_leader", nothing)
    assert await positions(streams, word, "a") == list(range(1, number + 1))


async def test_a_large_last_message_is_read(streams: Streams, word: str) -> None:
    await filled(streams, word, ["a"], size=900_000)
    stored = await streams.last(word, f"{word}.a")
    assert stored is not None
    assert len(stored.payload) == 900_000


async def test_thousands_of_messages_are_read(streams: Streams, word: str) -> None:
    await filled(streams, word, [])
    await asyncio.gather(*(streams.append(f"{word}.a", b"", timeout_s=10) for _ in range(3000)))
    found = await streams.read(word, f"{word}.a", from_sequence=1, limit=5000)
    assert [stored.sequence for stored in found] == list(range(1, 3001))


async def test_what_a_replica_lacks_comes_from_the_leader(
    streams: Streams, word: str, peer: OpenBus
) -> None:
    # The broker itself answers no batches of this stream: the replica that is behind does.
    await filled(streams, word, ["a", "a", "b", "a"], direct=False)
    async with peer() as replica:
        await behind(replica, word, held=[1])
        assert await positions(streams, word, "a") == [1, 2, 4]
        assert await positions(streams, word, "a", limit=2) == [1, 2]
        assert await positions(streams, word, "*", start=2) == [2, 3, 4]


async def test_a_replica_that_has_nothing_yet_hides_nothing(
    streams: Streams, word: str, peer: OpenBus
) -> None:
    await filled(streams, word, ["a", "a"], direct=False)
    async with peer() as replica:
        await behind(replica, word, held=[])
        assert await positions(streams, word, "a") == [1, 2]


async def test_an_answer_with_a_hole_in_it_is_refused(
    streams: Streams, word: str, peer: OpenBus
) -> None:
    await filled(streams, word, ["a", "a", "a"], direct=False)
    async with peer() as replica:
        await behind(replica, word, held=[1, 2, 3], lost=[2])
        with pytest.raises(BusUnavailable, match="missing"):
            await positions(streams, word, "a")


async def behind(
    replica: Bus, name: str, *, held: list[int], lost: list[int] | None = None
) -> None:
    """A replica that knows only the first messages of a stream, and loses some on the way."""

    def answer(message: Message) -> None:
        known = [n for n in held if n >= json.loads(message.payload)["seq"]]
        previous = 0
        for number in known:
            headers = {
                "Nats-Sequence": str(number),
                "Nats-Subject": f"{name}.a",
                "Nats-Last-Sequence": str(previous),
            }
            previous = number
            if number not in (lost or ()):
                replica.post(message.reply, str(number).encode(), headers=headers)
        status = f"NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: {previous}"
        if not known:
            status = "NATS/1.0 404 Message Not Found"
        block = f"{status}\r\n\r\n".encode()
        line = f"HPUB {message.reply} {len(block)} {len(block)}\r\n".encode()
        replica.connection.send(line + block + b"\r\n")

    await replica.subscribe(f"$JS.API.DIRECT.GET.{name}", answer)
    await replica.flush()


async def test_a_stream_that_is_not_there_cannot_be_read(streams: Streams, word: str) -> None:
    with pytest.raises(BusUnavailable):
        await streams.read(word, f"{word}.a", from_sequence=1, limit=1)
    with pytest.raises(BusUnavailable):
        await streams.last(word, f"{word}.a")


async def test_a_broker_that_hangs_is_not_waited_for_without_end(
    own_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harmonic_runtime.bus.reading.READ_TIMEOUT_S", 0.1)
    async with connected(own_broker.url) as bus:
        streams = Streams(bus)
        await filled(streams, "S", ["a"])
        with frozen(own_broker), pytest.raises(BusTimeout):
            await streams.read("S", "S.a", from_sequence=1, limit=1)
