"""What is answered from logs, without their universes' queues."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, cast

import pytest

from harmonic_protocol.envelope import Reply
from harmonic_protocol.internal import CompareHeads, Heads, LogPart, ReadLog
from harmonic_runtime.bus.streams import Stored
from harmonic_state import journal, parts, reads
from harmonic_state.losses import Seen
from harmonic_state.refusals import TRIMMED, UNAVAILABLE
from state_service.builders import UNIVERSE, received
from state_service.storing import LOG, Storing


def reads_of(storing: Storing, universes: object) -> reads.Reads:
    """What answers of stored logs, with these universes in memory."""
    return reads.Reads(
        universes=cast("Any", universes),
        journal=storing.journal,
        listing=cast("Any", None),
        auditing=cast("Any", None),
        replica_id="s1",
    )


class NothingInMemory:
    """Universes of which nobody has asked for anything lately."""

    def recent(self, _universe_id: str, _after_position: int) -> None:
        return None


async def test_a_long_log_is_told_in_parts_and_each_part_read_for_itself_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (parts, reads):
        monkeypatch.setattr(module, "MAX_PART_BYTES", 4000)
    monkeypatch.setattr(journal, "READ_RECORDS", 5)
    storing = Storing()
    await storing.store()
    event = storing.changes()
    for _ in range(200):
        await storing.store(event)
    read: list[int] = []
    reads_of_streams = storing.streams.read

    async def counting(
        stream: str, subject: str, *, from_sequence: int, limit: int
    ) -> list[Stored]:
        part = await reads_of_streams(stream, subject, from_sequence=from_sequence, limit=limit)
        read.append(len(part))
        return part

    storing.streams.read = counting  # type: ignore[method-assign]
    answering = reads_of(storing, NothingInMemory())
    told: list[int] = []
    replies, complete = 0, False
    while not complete:
        request = ReadLog(universe_id=UNIVERSE, after_position=told[-1] if told else 0)
        part = LogPart.model_validate(received(await answering.read_log(request)).result)
        told += [each.position for each in part.records]
        replies, complete = replies + 1, part.complete

    assert told == storing.records
    assert replies > 10
    assert sum(read) < 3 * len(told)


async def test_a_record_that_cannot_be_read_is_where_what_can_be_told_ends() -> None:
    """Whoever missed it begins anew, and an owner that knows it stores what it knows."""

    class Owned(NothingInMemory):
        covered: ClassVar[list[tuple[str, int]]] = []

        def cover(self, universe_id: str, position: int) -> None:
            self.covered.append((universe_id, position))

    storing = Storing()
    first = await storing.store()
    await storing.streams.append(
        LOG, b'{"of": "no version"}', timeout_s=1, expected_last_subject_sequence=first.position
    )
    answering = reads_of(storing, Owned())
    reply = await answering.read_log(ReadLog(universe_id=UNIVERSE, after_position=first.position))
    assert reply.error == TRIMMED
    assert Owned.covered == [(UNIVERSE, 2)]


@pytest.mark.parametrize(("owner", "deferred"), [("s1", (UNIVERSE,)), ("s2", ()), ("", ())])
async def test_an_owner_names_the_universes_that_it_could_not_queue(
    owner: str, deferred: tuple[str, ...]
) -> None:
    class Full:
        def compare(self, positions: dict[str, int]) -> tuple[dict[str, int], list[str]]:
            return {}, list(positions)

        def adopt(self, unknown: list[str]) -> list[str]:
            return unknown

    storing = Storing()
    known = {UNIVERSE: (await storing.store()).position}
    answering = reads_of(storing, Full())
    reply = await answering.compare_heads(CompareHeads(positions=known, owner=owner))
    assert Heads.model_validate(reply.result).deferred == deferred


class Told:
    """Universes in memory that note what was seen of them; the test replies."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.replies: dict[str, Callable[[Reply], None]] = {}
        self.is_told = asyncio.Event()

    def compare(self, _positions: dict[str, int]) -> tuple[dict[str, int], list[str]]:
        return {}, []

    def adopt(self, _unknown: list[str]) -> list[str]:
        return []

    def witness(
        self, universe_id: str, seen: Seen, reply: Callable[[Reply], None] = lambda _: None
    ) -> None:
        self.seen[universe_id], self.replies[universe_id] = seen, reply
        self.is_told.set()


@pytest.mark.parametrize(("seqs", "unnumbered"), [({UNIVERSE: 4}, 0), ({}, 9)])
async def test_a_log_that_was_turned_back_is_compared_with_what_was_seen(
    seqs: dict[str, int], unnumbered: int
) -> None:
    storing, told = Storing(), Told()
    await storing.store()
    asked = CompareHeads(positions={UNIVERSE: 9}, owner="s1", seqs=seqs)
    reply = await reads_of(storing, told).compare_heads(asked)
    assert Heads.model_validate(reply.result).turned_back == (UNIVERSE,)
    assert told.seen == {UNIVERSE: Seen(9, seqs.get(UNIVERSE, 0), unnumbered)}


async def test_lost_rooms_are_settled_once_their_universes_have_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reads, "SETTLED_WITHIN_S", 0.05)
    told = Told()
    lost = {"answers": 7, "fails": 8, "is slow": 9}
    asking = asyncio.create_task(
        reads_of(Storing(), told).compare_heads(CompareHeads(positions={}, owner="s1", lost=lost))
    )
    # In one turn of all of them.
    await told.is_told.wait()
    told.replies["answers"](Reply(seq=8))
    told.replies["fails"](Reply(error=UNAVAILABLE))
    heads = Heads.model_validate((await asking).result)
    assert (heads.settled, heads.turned_back) == (("answers",), ())
    assert told.seen == {name: Seen(0, seq, 0) for name, seq in lost.items()}
    # Nobody waits any more.
    told.replies["is slow"](Reply(seq=9))
