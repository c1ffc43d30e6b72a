"""The streams in memory that units stand on answer as a broker's do."""

from dataclasses import replace

import pytest

from harmonic_runtime.bus.streams import Stored, StreamFull, Streams, WrongSequence
from harness.memory import MemoryStreams


@pytest.fixture(params=["memory", "broker"])
async def both(request: pytest.FixtureRequest, streams: Streams, word: str) -> Streams:
    if request.param == "memory":
        return MemoryStreams({word: [f"{word}.>"]}, limits={f"{word}.few": 2})
    await streams.ensure(
        {"name": word, "subjects": [f"{word}.>"], "storage": "memory", "allow_direct": True},
        version=1,
    )
    return streams


def seen(found: Stored | None) -> Stored | None:
    return found and replace(found, stored_ms=0)


async def test_messages_of_subjects_are_read_alike(both: Streams, word: str) -> None:
    one, other = f"{word}.one", f"{word}.other"
    assert await both.last(word, one) is None
    assert await both.first(word, one) is None
    first = await both.append(one, b"1", timeout_s=2, expected_last_subject_sequence=0)
    await both.append(other, b"2", timeout_s=2)
    third = await both.append(one, b"3", timeout_s=2, expected_last_subject_sequence=first)
    for wrong in (0, first, third + 1):
        with pytest.raises(WrongSequence):
            await both.append(one, b"4", timeout_s=2, expected_last_subject_sequence=wrong)
    assert (first, third) == (1, 3)
    assert seen(await both.first(word, one)) == Stored(1, one, b"1", 0)
    assert seen(await both.last(word, one)) == Stored(3, one, b"3", 1)
    read = await both.read(word, one, from_sequence=1, limit=5)
    assert [seen(found) for found in read] == [Stored(1, one, b"1", 0), Stored(3, one, b"3", 1)]
    assert [m.sequence for m in await both.read(word, one, from_sequence=2, limit=5)] == [3]
    assert [m.sequence for m in await both.read(word, one, from_sequence=1, limit=1)] == [1]
    everything = await both.read(word, f"{word}.*", from_sequence=1, limit=5)
    assert [m.payload for m in everything] == [b"1", b"2", b"3"]
    found = await both.newest(word, [one, other, f"{word}.none"])
    assert {each.subject: each.sequence for each in found} == {one: 3, other: 2}
    latest = await both.latest(word, f"{word}.*", limit=5)
    assert [m.payload for m in latest] == [b"2", b"3"]


async def test_messages_are_purged_alike(both: Streams, word: str) -> None:
    one, other = f"{word}.one", f"{word}.other"
    for number in range(3):
        await both.append(one, b"%d" % number, timeout_s=2)
    await both.append(other, b"x", timeout_s=2)
    await both.purge(word, one, up_to=2)
    assert [m.sequence for m in await both.read(word, one, from_sequence=1, limit=5)] == [3]
    await both.purge(word, one)
    assert await both.last(word, one) is None
    # What is purged has had its place: the next message has another.
    assert await both.append(one, b"y", timeout_s=2) == 5


async def test_a_full_subject_refuses_alike(both: Streams, word: str) -> None:
    few = f"{word}.few"
    if not isinstance(both, MemoryStreams):
        await both.ensure(
            {
                "name": word,
                "subjects": [f"{word}.>"],
                "storage": "memory",
                "allow_direct": True,
                "discard": "new",
                "discard_new_per_subject": True,
                "max_msgs_per_subject": 2,
            },
            version=2,
        )
    await both.append(few, b"1", timeout_s=2)
    await both.append(few, b"2", timeout_s=2)
    with pytest.raises(StreamFull):
        await both.append(few, b"3", timeout_s=2)
    assert len(await both.read(word, few, from_sequence=1, limit=5)) == 2
