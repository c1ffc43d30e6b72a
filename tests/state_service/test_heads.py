"""Announcing how far logs have come."""

import asyncio

import pytest

from harmonic_protocol import subjects
from harmonic_protocol.internal import Heads
from harmonic_runtime.bus.client import Bus
from harmonic_state.heads import MAX_PER_MESSAGE, HeadAnnouncements


@pytest.fixture
def heads(bus: Bus) -> HeadAnnouncements:
    return HeadAnnouncements(bus)


async def _listen(bus: Bus) -> "asyncio.Queue[dict[str, int]]":
    said: asyncio.Queue[dict[str, int]] = asyncio.Queue()
    await bus.subscribe(
        subjects.HEADS,
        lambda message: said.put_nowait(dict(Heads.model_validate_json(message.payload).heads)),
    )
    await bus.flush()
    return said


async def test_a_change_is_announced_once_with_where_the_log_ends_now(
    bus: Bus, heads: HeadAnnouncements, word: str
) -> None:
    said = await _listen(bus)
    heads.changed(word, 5)
    heads.changed(word, 7)
    heads.announce()
    heads.announce()
    await bus.flush()
    await bus.handled()
    assert said.get_nowait() == {word: 7}
    assert said.empty()


async def test_what_a_lost_broker_may_have_kept_is_announced_again(
    bus: Bus, heads: HeadAnnouncements, word: str
) -> None:
    heads.changed(word, 5)
    heads.announce()
    said = await _listen(bus)
    heads.announce_again()
    assert await said.get() == {word: 5}


async def test_a_newer_position_is_not_replaced_by_one_announced_before(
    bus: Bus, heads: HeadAnnouncements, word: str
) -> None:
    heads.changed(word, 5)
    heads.announce()
    heads.changed(word, 7)
    said = await _listen(bus)
    heads.announce_again()
    assert await said.get() == {word: 7}


async def test_many_changes_are_announced_in_messages_of_bounded_size(
    bus: Bus, heads: HeadAnnouncements, word: str
) -> None:
    said = await _listen(bus)
    for number in range(MAX_PER_MESSAGE + 1):
        heads.changed(f"{word}-{number}", number)
    heads.announce()
    assert len(await said.get()) == MAX_PER_MESSAGE
    assert len(await said.get()) == 1
