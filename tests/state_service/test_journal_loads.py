"""What the journal makes of whatever a log and its snapshot hold, without a broker."""

from dataclasses import replace

import pytest

from harmonic_protocol import subjects
from harmonic_state.journal import READ_RECORDS, Conflict, Journal
from harmonic_state.loaded import Coverage
from harmonic_state.parts import log_part
from harmonic_state.settings import StateSettings
from harness.broker import count as count_of
from state_service.builders import UNIVERSE, command, skipped_messages
from state_service.storing import ANN, AT, LOG, NOTHING, Storing


async def test_a_universe_is_its_snapshot_and_what_follows(storing: Storing) -> None:
    await storing.store()
    assert await storing.journal.load(UNIVERSE) == (
        storing.loaded,
        await storing.journal.records(UNIVERSE, after_position=0),
    )
    await storing.store()
    coverage = await storing.cover()
    assert coverage == Coverage(3, (2,))
    assert await storing.journal.load(UNIVERSE) == (storing.loaded, [])
    later = await storing.store()
    assert await storing.journal.load(UNIVERSE) == (storing.loaded, [later])
    assert storing.loaded.universe == storing.history.now


async def test_an_unknown_universe_is_nothing(storing: Storing) -> None:
    assert await storing.journal.load(UNIVERSE) == (NOTHING, [])


async def test_what_is_known_is_brought_up_to_date(storing: Storing) -> None:
    await storing.store()
    known = storing.loaded
    more = [await storing.store(), await storing.store()]
    assert await storing.journal.advance(UNIVERSE, known) == (storing.loaded, more)
    assert await storing.journal.advance(UNIVERSE, storing.loaded) == (storing.loaded, [])


async def test_a_log_with_a_hole_is_taken_as_it_is_and_said_to_be_damaged(
    storing: Storing,
) -> None:
    await storing.store()
    known = storing.loaded
    await storing.store()
    end = await storing.store()
    stream = subjects.log_stream_of(UNIVERSE)
    await storing.streams.purge(stream, LOG, up_to=2)
    loaded, records = await storing.journal.advance(UNIVERSE, known)
    assert (loaded.is_damaged, loaded.position, records) == (True, end.position, [])
    assert loaded.universe is not None
    assert loaded.universe.parameters == storing.history.now.parameters


async def test_what_other_owners_trimmed_is_in_their_snapshot(storing: Storing) -> None:
    """An owner that was none for long still has the universe as it was then."""
    await storing.store()
    known = storing.loaded
    for _ in range(3):
        await storing.store()
    coverage = await storing.cover()
    later = [await storing.store(), await storing.store()]
    await storing.streams.purge(subjects.log_stream_of(UNIVERSE), LOG, up_to=4)
    expected = replace(storing.loaded, coverage=coverage)
    assert await storing.journal.advance(UNIVERSE, known) == (expected, later)


async def test_a_log_that_lost_its_end_goes_on_from_the_newest_that_is_known(
    storing: Storing,
) -> None:
    await storing.store()
    old = storing.loaded
    await storing.store()
    await storing.cover()
    newer = storing.loaded
    await storing.store()
    newest = storing.loaded
    lost = {newer.position, newest.position}
    storing.streams.stored[:] = [
        each for each in storing.streams.stored if each.subject != LOG or each.sequence not in lost
    ]
    # By a snapshot, if that is newer than what is in memory, ...
    loaded, _ = await storing.journal.load(UNIVERSE, old)
    assert (loaded.universe, loaded.position, loaded.is_damaged) == (newer.universe, 1, True)
    # ... and by memory, if that is newer.
    loaded, _ = await storing.journal.load(UNIVERSE, newest)
    assert (loaded.universe, loaded.position, loaded.is_damaged) == (newest.universe, 1, True)


async def test_a_log_is_read_on_from_what_is_known(storing: Storing) -> None:
    await storing.store()
    await storing.cover()
    await storing.store()
    known = storing.loaded
    more = [await storing.store()]
    assert await storing.journal.load(UNIVERSE, known) == (storing.loaded, more)


async def test_a_long_log_is_read_in_parts(storing: Storing) -> None:
    await storing.store()
    event = storing.changes()
    for _ in range(2 * READ_RECORDS - 1):
        await storing.store(event)
    assert len(storing.records) == 2 * READ_RECORDS
    found = await storing.journal.records(UNIVERSE, after_position=0)
    assert [record.position for record in found] == storing.records
    some = await storing.journal.records(UNIVERSE, after_position=2 * READ_RECORDS - 2)
    assert [record.previous for record in some] == storing.records[-3:-1]
    # As much as is enough, in whole parts; how large the first two are does not matter.
    size = sum(len(record.payload) for record in found[2:READ_RECORDS])
    for enough, read in ((size, READ_RECORDS), (size + 1, 2 * READ_RECORDS)):
        some = await storing.journal.records(UNIVERSE, after_position=0, enough_bytes=enough)
        assert len(some) == read


async def test_the_ends_of_logs_are_found_wherever_they_are_kept(storing: Storing) -> None:
    names = [f"u{number}" for number in range(40)]
    assert len({subjects.log_stream_of(name) for name in names}) > 1
    ends = {}
    for name in names:
        record, _ = await storing.journal.append(name, AT, storing.history.events, 0)
        ends[name] = record.position
    found = await storing.journal.newest([*names, "none"])
    assert {name: record.position for name, record in found.items()} == ends


async def test_a_position_is_confirmed_at_the_end_alone(storing: Storing) -> None:
    assert await storing.journal.confirm(UNIVERSE, 0) == 0
    with pytest.raises(Conflict):
        await storing.journal.confirm(UNIVERSE, 1)
    await storing.store()
    await storing.store()
    assert await storing.journal.confirm(UNIVERSE, 2) == 2
    for wrong in (0, 1, 3):
        with pytest.raises(Conflict):
            await storing.journal.confirm(UNIVERSE, wrong)


async def test_a_log_that_lost_its_middle_is_read_from_its_creation(storing: Storing) -> None:
    await storing.store()
    await storing.store()
    await storing.store()
    del storing.streams.stored[1]
    loaded, records = await storing.journal.load(UNIVERSE)
    assert (loaded.is_damaged, loaded.position, records) == (True, 3, [])
    assert loaded.universe is not None
    assert loaded.universe.parameters == storing.history.now.parameters


@pytest.mark.parametrize(("end", "is_damaged"), [(0, False), (1, False), (2, True), (3, True)])
async def test_a_log_that_ends_where_its_backup_did_may_have_lost_its_end(
    storing: Storing, end: int, *, is_damaged: bool
) -> None:
    await storing.store()
    await storing.store()
    restored = Journal(
        storing.streams,
        StateSettings(),
        lambda: "unused",
        skipped_messages(),
        {subjects.log_stream_of(UNIVERSE): end},
    )
    loaded, records = await restored.load(UNIVERSE)
    assert loaded == replace(storing.loaded, is_damaged=is_damaged)
    assert [record.position for record in records] == ([] if is_damaged else [1, 2])


async def test_what_no_owner_has_stored_follows_nothing_where_it_is_read_alone(
    storing: Storing,
) -> None:
    foreign = await storing.streams.append(LOG, b"{}", timeout_s=1)
    end = await storing.journal.end(UNIVERSE)
    assert end is not None
    assert (end.position, end.previous) == (foreign, 0)


async def test_what_no_owner_has_stored_takes_a_position_and_says_nothing(
    storing: Storing,
) -> None:
    await storing.store()
    subject = subjects.log(UNIVERSE)
    foreign = await storing.streams.append(subject, b"not even JSON", timeout_s=1)
    loaded, records = await storing.journal.advance(UNIVERSE, storing.loaded)
    assert loaded.universe == storing.loaded.universe
    assert (loaded.position, loaded.record_id, loaded.is_damaged) == (foreign, "", False)
    assert [(record.position, record.previous) for record in records] == [(foreign, foreign - 1)]
    assert log_part(records).records[0].record.events == ()
    storing.loaded = loaded
    await storing.store(storing.changes())
    again, _ = await storing.journal.load(UNIVERSE)
    assert again.universe == storing.history.now
    assert count_of(storing.metrics, "stored_messages_skipped_total") == 2


async def test_a_universe_may_begin_after_what_is_none(storing: Storing) -> None:
    foreign = await storing.streams.append(subjects.log(UNIVERSE), b"{}", timeout_s=1)
    nothing, _ = await storing.journal.load(UNIVERSE)
    assert (nothing.universe, nothing.position) == (None, foreign)
    storing.loaded = nothing
    await storing.store(storing.history.events)
    assert (await storing.journal.load(UNIVERSE))[0].universe == storing.history.now


async def test_a_log_whose_end_cannot_be_read_is_damaged_for_who_finds_nothing_in_it(
    storing: Storing,
) -> None:
    await storing.store()
    known = storing.loaded
    await storing.store()
    storing.streams.lose_end(LOG)
    damaged = replace(known, is_damaged=True)
    assert await storing.journal.advance(UNIVERSE, known) == (damaged, [])
    # Who loads it has had no conflict yet, and does not ask for the end.
    assert await storing.journal.load(UNIVERSE, known) == (known, [])


async def test_what_is_in_memory_is_preferred_to_a_snapshot_of_the_same_record() -> None:
    """A packed one has digests of the operations only."""
    storing = Storing(packs_snapshots=True)
    await storing.store()
    update = command("update_music", parameters={"tempo": 99}, opId="op1")
    await storing.store(storing.history.does(update, ANN))
    await storing.cover()
    packed, _ = await storing.journal.load(UNIVERSE)
    assert packed != storing.loaded
    assert await storing.journal.load(UNIVERSE, storing.loaded) == (storing.loaded, [])
