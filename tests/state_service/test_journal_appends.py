"""What the journal does with every answer that an append may get, without a broker."""

import asyncio
from collections import deque

import pytest

from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import AppendContended, AppendUnknown, StreamFull, WrongSequence
from harmonic_state.domain.events import decode_record, read_record
from harmonic_state.domain.mending import history_lost
from harmonic_state.drafts import Draft
from harmonic_state.journal import MAX_RECORD_BYTES, Conflict, RecordTooLarge
from harness.memory import Failure
from state_service.builders import UNIVERSE
from state_service.storing import AT, AWAY, LOG, SNAPSHOT, UNKNOWN, Storing


async def test_a_record_is_stored_right_after_its_position(storing: Storing) -> None:
    first, second = await storing.store(), await storing.store()
    assert (first.position, first.previous) == (1, 0)
    assert (second.position, second.previous) == (2, 1)
    stored = [(message.sequence, message.previous) for message in storing.streams.stored]
    assert stored == [(1, 0), (2, 1)]
    assert [message.payload for message in storing.streams.stored] == [
        first.payload,
        second.payload,
    ]
    record_id, events = decode_record(second.payload)
    assert record_id == "r2"
    assert events == storing.history.events[-1:]
    assert b'"at":"%s"' % AT.encode() in second.payload
    assert storing.streams.appends == [(LOG, 2.0)] * 2


async def test_a_record_names_the_one_that_it_follows(storing: Storing) -> None:
    first, _ = await storing.journal.append(UNIVERSE, AT, storing.history.events, 0)
    second, _ = await storing.journal.append(UNIVERSE, AT, storing.changes(), 1, after=first.id)
    assert [read_record(each.payload).after for each in (first, second)] == ["", "r1"]
    assert [each.id for each in (first, second)] == ["r1", "r2"]


async def test_an_append_that_is_answered_was_never_unknown(storing: Storing) -> None:
    _, was_unknown = await storing.journal.append(UNIVERSE, AT, storing.history.events, 0)
    assert was_unknown is False


async def test_an_append_waits_as_long_as_is_set(storing: Storing) -> None:
    slow = Storing(append_timeout_s=7)
    await slow.store()
    await slow.cover()
    assert slow.streams.appends == [(LOG, 7.0), (SNAPSHOT, 7.0)]
    assert storing.streams.appends == []


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
async def test_a_record_may_take_its_bound_and_no_more(
    storing: Storing, *, more: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len((await storing.store()).payload)
    again = Storing()
    monkeypatch.setattr("harmonic_state.journal.MAX_RECORD_BYTES", size - more)
    if fits:
        await again.store()
    else:
        with pytest.raises(RecordTooLarge):
            await again.store()
        assert again.streams.appends == []
    assert MAX_RECORD_BYTES == 900_000


async def test_a_taken_position_is_a_conflict(storing: Storing) -> None:
    await storing.store()
    with pytest.raises(Conflict):
        await storing.journal.append(UNIVERSE, AT, storing.changes(), 0)
    assert storing.records == [1]


@pytest.mark.parametrize("error", [AWAY, StreamFull("full")])
async def test_where_nothing_was_stored_the_reason_is_told(
    storing: Storing, error: Exception
) -> None:
    storing.streams.failures = deque([Failure(error)])
    with pytest.raises(type(error)):
        await storing.store()
    assert len(storing.streams.appends) == 1
    await storing.store()


async def test_an_unknown_append_is_tried_again_until_it_is_stored(storing: Storing) -> None:
    storing.streams.failures = deque(
        [Failure(UNKNOWN), Failure(AWAY), Failure(StreamFull("full")), Failure(UNKNOWN)]
    )
    record, was_unknown = await storing.journal.append(UNIVERSE, AT, storing.history.events, 0)
    assert (record.position, record.previous, was_unknown) == (1, 0, True)
    assert len(storing.streams.appends) == 5
    assert record.payload == storing.streams.stored[0].payload


async def test_an_unknown_append_that_was_stored_is_found(storing: Storing) -> None:
    await storing.store()
    await storing.store()
    events = storing.changes()
    storing.streams.failures = deque([Failure(UNKNOWN, stored=True)])
    record, was_unknown = await storing.journal.append(UNIVERSE, AT, events, 2)
    assert (record.position, record.previous, record.id, was_unknown) == (3, 2, "r3", True)
    assert record.payload == storing.streams.stored[-1].payload
    assert storing.records == [1, 2, 3]


async def test_an_unknown_append_whose_place_another_one_took_is_a_conflict(
    storing: Storing,
) -> None:
    await storing.store()
    events = storing.changes()
    other = b'{"id":"another","at":"%s","events":[]}' % AT.encode()
    storing.streams.failures = deque([Failure(UNKNOWN, overtaken_by=other)])
    with pytest.raises(Conflict):
        await storing.journal.append(UNIVERSE, AT, events, 1)


async def test_while_an_own_record_cannot_be_looked_for_the_append_stays_unknown(
    storing: Storing,
) -> None:
    await storing.store()
    storing.streams.failures = deque([Failure(UNKNOWN, stored=True)])
    storing.streams.unreadable = deque([AWAY, AWAY])
    record, was_unknown = await storing.journal.append(UNIVERSE, AT, storing.changes(), 1)
    assert (record.position, was_unknown) == (2, True)
    assert len(storing.streams.appends) == 5


async def test_what_stays_unknown_for_too_long_is_told_so(
    storing: Storing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harmonic_state.journal.RESOLVING_S", 0.0)
    storing.streams.failures = deque([Failure(UNKNOWN)] * 99)
    with pytest.raises(AppendUnknown, match="no answer"):
        await storing.store()


async def test_an_unknown_append_is_not_given_up_at_once(storing: Storing) -> None:
    storing.streams.failures = deque([Failure(UNKNOWN)] * 20)
    await storing.store()
    assert len(storing.streams.appends) == 21


async def test_headers_are_stored_with_a_record(storing: Storing) -> None:
    traced = {"traceparent": "00-1-2-01"}
    await storing.journal.append(UNIVERSE, AT, storing.history.events, 0, headers=traced)
    await storing.journal.append(UNIVERSE, AT, storing.changes(), 1)
    assert storing.streams.headers == [traced, {}]


async def test_an_append_is_begun_as_it_is_drafted(storing: Storing) -> None:
    await storing.store()
    traced = {"traceparent": "00-1-2-01"}
    draft = storing.journal.draft(UNIVERSE, AT, storing.changes(), 1, headers=traced)
    outcomes: list[int | Exception] = []
    storing.journal.begin_append(draft, outcomes.append)
    assert outcomes == [2]
    stored = storing.streams.stored[-1]
    assert (stored.subject, stored.payload, stored.previous) == (LOG, draft.payload, 1)
    assert storing.streams.appends == [(LOG, 2.0)] * 2
    assert storing.streams.headers == [{}, traced]
    # Its place is taken now.
    storing.journal.begin_append(draft, outcomes.append)
    assert isinstance(outcomes[-1], WrongSequence)


async def test_a_draft_says_when_its_fate_is_known_at_the_latest(storing: Storing) -> None:
    now = asyncio.get_running_loop().time
    before = now()
    draft = storing.journal.draft(UNIVERSE, AT, storing.history.events, 0)
    assert before + 15 <= draft.resolved_by_s <= now() + 15
    assert read_record(draft.payload).after == ""


async def test_a_record_that_is_known_to_be_refused_is_not_stored_again(storing: Storing) -> None:
    await storing.store()
    draft = storing.journal.draft(UNIVERSE, AT, storing.changes(), 1)
    for begun, raised in (
        (WrongSequence("wrong last sequence"), Conflict),
        (AWAY, BusUnavailable),
        (StreamFull("full"), StreamFull),
    ):
        with pytest.raises(raised):
            await storing.journal.complete(draft, begun)
    assert len(storing.streams.appends) == 1


@pytest.mark.parametrize(
    ("begun", "unknown"),
    [(None, False), (AppendContended("under way"), False), (UNKNOWN, True)],
)
async def test_a_record_that_may_not_be_stored_yet_is_stored(
    storing: Storing, begun: Exception | None, *, unknown: bool
) -> None:
    await storing.store()
    draft = storing.journal.draft(UNIVERSE, AT, storing.changes(), 1)
    record, was_unknown = await storing.journal.complete(draft, begun)
    assert (record.position, record.previous, was_unknown) == (2, 1, unknown)
    assert storing.records == [1, 2]


async def test_a_record_that_was_stored_without_an_answer_is_not_stored_twice(
    storing: Storing,
) -> None:
    await storing.store()
    draft = storing.journal.draft(UNIVERSE, AT, storing.changes(), 1)
    storing.journal.begin_append(draft, lambda _: None)
    record, was_unknown = await storing.journal.complete(draft, UNKNOWN)
    assert (record.position, was_unknown) == (2, True)
    assert storing.records == [1, 2]


async def lost(storing: Storing) -> Draft:
    """What an owner goes on with, after two records, of which the second was not seen."""
    await storing.store()
    await storing.store()
    return storing.journal.draft(UNIVERSE, AT, [history_lost(storing.history.now, AT)], 1)


@pytest.mark.parametrize("begun", [None, WrongSequence("wrong last sequence: 0")])
async def test_the_record_of_a_loss_stands_after_nothing_where_the_end_cannot_be_read(
    storing: Storing, begun: Exception | None
) -> None:
    draft = await lost(storing)
    storing.streams.lose_end(LOG)
    record, was_unknown = await storing.journal.complete(draft, begun)
    assert (record.position, record.previous, was_unknown) == (3, 0, False)
    assert record.payload == storing.streams.stored[-1].payload == draft.payload
    assert storing.streams.stored[-1].previous == 0


async def test_the_record_of_a_loss_conflicts_with_one_that_can_be_read(storing: Storing) -> None:
    draft = await lost(storing)
    with pytest.raises(Conflict):
        await storing.journal.complete(draft)
    assert storing.records == [1, 2]


async def test_no_other_record_stands_after_nothing(storing: Storing) -> None:
    await lost(storing)
    storing.streams.lose_end(LOG)
    with pytest.raises(Conflict):
        await storing.journal.append(UNIVERSE, AT, storing.changes(), 1)
    assert storing.records == [1]
