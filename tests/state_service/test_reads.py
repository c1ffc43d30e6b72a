"""What is answered from logs, without their universes' queues."""

from typing import Any, ClassVar, cast

import pytest

from harmonic_protocol.internal import CompareHeads, Heads, LogPart, ReadLog
from harmonic_runtime.bus.streams import Stored
from harmonic_state import journal, parts, reads
from harmonic_state.refusals import TRIMMED
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
    """Whoever missed it begins anew, and the owner says that the log goes on after it."""

    class Owned(NothingInMemory):
        witnessed: ClassVar[list[str]] = []

        def witness_loss(self, universe_id: str) -> None:
            self.witnessed.append(universe_id)

    storing = Storing()
    first = await storing.store()
    await storing.streams.append(
        LOG, b'{"of": "no version"}', timeout_s=1, expected_last_subject_sequence=first.position
    )
    answering = reads_of(storing, Owned())
    reply = await answering.read_log(ReadLog(universe_id=UNIVERSE, after_position=first.position))
    assert reply.error == TRIMMED
    assert Owned.witnessed == [UNIVERSE]


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
