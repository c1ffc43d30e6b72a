"""Finding the records of a page of events by the numbers of their frames."""

import json

import pytest

from harmonic_protocol import subjects
from harmonic_protocol.internal import LogPart, ReadEvents
from harmonic_protocol.log import OperationApplied
from harmonic_state import parts, seeking
from harmonic_state.seeking import LOOKED_AT, read_events
from state_service.builders import UNIVERSE
from state_service.storing import AT, LOG, Storing


async def log_of(records: int, *, hidden_between: int = 0) -> Storing:
    """A log with so many records of one frame each, and others without any between them."""
    storing = Storing()
    await storing.store()
    hidden = OperationApplied(user_id="ann", op_id="o", digest="d", seq=1, timestamp=AT)
    for _ in range(records - 1):
        for _ in range(hidden_between):
            await storing.store([hidden])
        await storing.store()
    return storing


async def read(storing: Storing, after: int, *, up_to: int | None = None) -> LogPart:
    position = storing.loaded.position if up_to is None else up_to
    seq = storing.history.now.seq
    request = ReadEvents(
        universe_id=UNIVERSE, after_seq=after, last_seq=seq, up_to_position=position
    )
    return await read_events(storing.journal, request)


def numbers(part: LogPart) -> list[int]:
    return [
        event.data["seq"]
        for logged in part.records
        for event in logged.record.events
        if event.name in {"music_updated", "participant_joined"}
    ]


@pytest.mark.parametrize("hidden", [0, 1, 2 * LOOKED_AT])
async def test_a_page_begins_right_after_any_number(hidden: int) -> None:
    storing = await log_of(9, hidden_between=hidden)
    for after in range(9):
        part = await read(storing, after)
        assert numbers(part) == list(range(after + 1, 10))
        assert (part.first_seq, part.complete) == (1, True)


async def test_after_the_last_number_there_is_nothing() -> None:
    storing = await log_of(3)
    for after in (3, 4, 10**15):
        part = await read(storing, after)
        assert (part.records, part.complete, part.first_seq) == ((), True, 1)


async def test_nothing_is_told_from_above_the_position_that_was_granted() -> None:
    storing = await log_of(6)
    fourth = storing.records[3]
    for after in range(6):
        part = await read(storing, after, up_to=fourth)
        assert numbers(part) == list(range(after + 1, 5))
    nothing = await read(storing, 0, up_to=storing.records[0] - 1)
    assert (nothing.records, nothing.first_seq) == ((), None)


async def test_a_trimmed_log_tells_where_it_begins() -> None:
    storing = await log_of(6)
    await storing.streams.purge(subjects.log_stream_of(UNIVERSE), LOG, up_to=storing.records[2])
    part = await read(storing, 0)
    assert numbers(part) == [4, 5, 6]
    assert part.first_seq == 4


async def test_a_log_without_frames_has_no_first_number() -> None:
    storing = Storing()
    await storing.store(storing.history.events[:1])
    part = await read(storing, 0)
    assert (part.first_seq, part.complete) == (None, True)


async def test_a_page_that_is_too_large_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (parts, seeking):
        monkeypatch.setattr(module, "MAX_PART_BYTES", 2000)
    storing = await log_of(40)
    told: list[int] = []
    while not told or told[-1] < 40:
        part = await read(storing, told[-1] if told else 0)
        told += numbers(part)
        assert part.complete == (told[-1] == 40)
    assert told == list(range(1, 41))


async def test_what_no_owner_wrote_is_passed_over() -> None:
    storing = await log_of(2)
    await storing.streams.append(LOG, b"nonsense", timeout_s=1)
    storing.loaded = storing.loaded.then(storing.loaded.universe, storing.records[-1], "")
    part = await read(storing, 1)
    assert numbers(part) == [2]


async def test_the_record_at_the_granted_position_is_told() -> None:
    storing = await log_of(1)
    assert numbers(await read(storing, 0, up_to=storing.records[0])) == [1]


async def test_what_has_no_number_may_be_the_end() -> None:
    storing = await log_of(3)
    hidden = OperationApplied(user_id="ann", op_id="o", digest="d", seq=1, timestamp=AT)
    for _ in range(3):
        await storing.store([hidden])
    for after in range(3):
        assert numbers(await read(storing, after)) == list(range(after + 1, 4))


async def test_events_of_a_newer_version_are_found_by_their_numbers() -> None:
    storing = await log_of(2)
    for number in (3, 4, 5):
        newer = {"name": "something_newer", "data": {"seq": number}}
        record = {"id": f"r{number}", "at": AT, "events": [newer]}
        await storing.streams.append(
            LOG,
            json.dumps(record).encode(),
            timeout_s=1,
            expected_last_subject_sequence=storing.records[-1],
        )
    for after in range(2, 5):
        request = ReadEvents(
            universe_id=UNIVERSE, after_seq=after, last_seq=5, up_to_position=storing.records[-1]
        )
        told = (await read_events(storing.journal, request)).records
        events = [event for logged in told for event in logged.record.events]
        assert {event.name for event in events} == {"something_newer"}
        assert [event.data["seq"] for event in events] == list(range(after + 1, 6))
