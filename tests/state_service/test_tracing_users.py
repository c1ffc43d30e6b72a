"""What is stored of a user is found in snapshots and logs, whatever owners know."""

import json

import pytest

from harmonic_protocol.intervening import TraceUser, UserTraced
from harmonic_protocol.log import ConnectionJoined
from harmonic_state import tracing_users
from harmonic_state.tracing_users import trace_user
from state_service.builders import UNIVERSE, command
from state_service.storing import AT, LOG, OWNER, Storing


async def traced(storing: Storing, user: str, **where: object) -> UserTraced:
    asked = TraceUser.model_validate({"universeId": UNIVERSE, "userId": user, **where})
    return await trace_user(storing.journal, asked)


async def test_events_that_name_the_user_are_told_and_no_others() -> None:
    storing = Storing()
    record = await storing.store()
    await storing.store()
    found = await traced(storing, "ann")
    assert {each.name for each in found.events} == {
        *("connection_joined", "participant_joined", "music_updated"),
    }
    assert {each.position for each in found.events if each.name == "connection_joined"} == {
        record.position
    }
    assert (found.state, found.next_after) == ({}, None)
    assert [each.name for each in (await traced(storing, "owner")).events] == ["universe_created"]
    assert not (await traced(storing, "an")).names_user


async def test_what_a_snapshot_says_is_told_first_and_alone() -> None:
    storing = Storing()
    await storing.store()
    await storing.cover()
    first = await traced(storing, "ann")
    assert first.state.keys() == {"connections"}
    assert (first.events, first.next_after) == ((), 0)
    assert (first.title, first.deleted) == ("A universe", False)
    rest = await traced(storing, "ann", eventsOnly=True, afterPosition=0)
    assert (rest.state, rest.next_after) == ({}, None)
    assert rest.events


async def test_of_a_deleted_universe_it_is_told_that_it_is_deleted() -> None:
    storing = Storing()
    await storing.store()
    await storing.store(storing.history.does(command("delete_universe"), OWNER))
    await storing.cover()
    found = await traced(storing, "owner")
    assert (found.deleted, found.state) == (True, {"isOwner": True})


async def test_a_long_log_is_told_in_parts_that_leave_nothing_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storing = Storing()
    await storing.store()
    for _ in range(9):
        await storing.store()
    monkeypatch.setattr(tracing_users, "MAX_PART_BYTES", 600)
    told: list[int] = []
    after: int | None = 0
    parts = 0
    while after is not None:
        part = await traced(storing, "ann", afterPosition=after)
        told += [each.position for each in part.events]
        after, parts = part.next_after, parts + 1
    assert sorted({*told}) == storing.records
    assert told == sorted(told)
    assert parts > 2


async def test_a_name_is_found_behind_more_than_one_part_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storing = Storing()
    for _ in range(9):
        await storing.store()
    seat = ConnectionJoined(
        connection_id="eve-1", gateway_id="g1", user_id="eve", username="Eve", mode="view"
    )
    await storing.store([seat])
    monkeypatch.setattr(tracing_users, "MAX_PART_BYTES", 600)
    monkeypatch.setattr("harmonic_state.journal.READ_RECORDS", 3)
    found: list[str] = []
    after: int | None = 0
    while after is not None:
        part = await traced(storing, "eve", afterPosition=after)
        found += [each.name for each in part.events]
        after = part.next_after
    assert found == ["connection_joined"]


async def test_a_name_is_found_wherever_it_stands_in_an_event() -> None:
    storing = Storing()
    await storing.store()
    seat = ConnectionJoined(
        connection_id="eve-1", gateway_id="g1", user_id="eve", username="Eve", mode="view"
    )
    await storing.store([seat])
    assert [each.data["userId"] for each in (await traced(storing, "eve")).events] == ["eve"]


async def test_a_record_that_cannot_be_read_is_told_where_it_holds_the_name() -> None:
    storing = Storing()
    await storing.store()
    for payload in (b"no record of ann", b"no record of anybody"):
        await storing.streams.append(
            "hu.log." + storing.streams.stored[0].subject.removeprefix("hu.log."),
            payload,
            timeout_s=1,
            expected_last_subject_sequence=storing.records[-1],
        )
    (unreadable,) = [
        each for each in (await traced(storing, "ann")).events if each.name == "unreadable"
    ]
    assert (unreadable.position, unreadable.at) == (storing.records[-2], "")


async def test_of_a_universe_that_is_not_there_nothing_is_found() -> None:
    assert not (await traced(Storing(), "ann")).names_user


async def test_whom_a_snapshot_does_not_name_is_looked_for_in_the_log_at_once() -> None:
    storing = Storing()
    await storing.store()
    await storing.cover()
    seat = ConnectionJoined(
        connection_id="eve-1", gateway_id="g1", user_id="eve", username="Eve", mode="view"
    )
    await storing.store([seat])
    found = await traced(storing, "eve")
    assert ([each.name for each in found.events], found.next_after) == (["connection_joined"], None)


async def test_a_name_is_found_within_lists() -> None:
    storing = Storing()
    await storing.store()
    newer = {"name": "something_newer", "data": {"users": [{"id": "bob"}, {"id": "eve"}]}}
    record = {"id": "r", "at": AT, "events": [newer]}
    await storing.streams.append(
        LOG,
        json.dumps(record).encode(),
        timeout_s=1,
        expected_last_subject_sequence=storing.records[-1],
    )
    assert [each.name for each in (await traced(storing, "eve")).events] == ["something_newer"]
    assert not (await traced(storing, "users ")).names_user
