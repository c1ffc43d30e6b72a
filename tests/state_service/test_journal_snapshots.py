"""When the journal stores snapshots, and what it trims below them, without a broker."""

from collections import deque
from dataclasses import replace

import pytest

from harmonic_protocol import subjects
from harmonic_runtime.bus.client import BusUnavailable, MessageTooLarge
from harmonic_runtime.bus.streams import StreamFull, WrongSequence
from harmonic_state.loaded import Coverage
from harness.memory import Failure
from state_service.builders import UNIVERSE, command
from state_service.storing import AT, AWAY, LOG, NOTHING, OWNER, SNAPSHOT, Storing


async def test_a_snapshot_is_stored_once_for_a_position(storing: Storing) -> None:
    assert await storing.journal.save_snapshot(UNIVERSE, NOTHING) == Coverage()
    assert storing.streams.appends == []
    await storing.store()
    first = await storing.cover()
    assert await storing.cover() == first
    assert [subject for subject, _ in storing.streams.appends] == [LOG, SNAPSHOT]


async def test_history_is_kept_from_the_oldest_of_the_latest_snapshots() -> None:
    storing = Storing(history_snapshots=2)
    covered = []
    for _ in range(4):
        await storing.store()
        await storing.store()
        covered.append(await storing.cover())
    assert [coverage.marks for coverage in covered] == [(2,), (2, 5), (5, 8), (8, 11)]
    # The record at the oldest mark is kept.
    assert storing.records == [8, 10, 11]


async def test_nothing_is_trimmed_while_history_is_short() -> None:
    storing = Storing(history_snapshots=2)
    for _ in range(2):
        await storing.store()
        await storing.store()
        await storing.cover()
    assert len(storing.records) == 4


async def test_a_log_without_space_is_cut_below_a_snapshot_of_now(storing: Storing) -> None:
    await storing.store()
    await storing.cover()
    await storing.store()
    await storing.store()
    coverage = await storing.journal.make_room(UNIVERSE, storing.loaded)
    assert coverage.marks == (storing.loaded.position,)
    assert storing.records == [storing.loaded.position]
    assert (await storing.journal.load(UNIVERSE))[0].universe == storing.history.now


@pytest.mark.parametrize("error", [AWAY, StreamFull("full"), MessageTooLarge("big")])
async def test_where_no_snapshot_can_be_stored_the_log_is_cut_below_the_last(
    storing: Storing, error: Exception
) -> None:
    await storing.store()
    await storing.store()
    covered = await storing.cover()
    await storing.store()
    storing.streams.failures = deque([Failure(error)])
    assert await storing.journal.make_room(UNIVERSE, storing.loaded) == covered
    assert storing.records == [2, storing.loaded.position]


async def test_a_log_that_no_snapshot_covers_is_not_cut(storing: Storing) -> None:
    await storing.store()
    storing.streams.failures = deque([Failure(AWAY)])
    assert await storing.journal.make_room(UNIVERSE, storing.loaded) == Coverage()
    assert storing.records == [1]


@pytest.mark.parametrize("packed", [False, True])
async def test_a_snapshot_is_stored_in_the_form_that_is_set(*, packed: bool) -> None:
    storing = Storing(packs_snapshots=packed)
    await storing.store()
    await storing.cover()
    assert storing.streams.stored[-1].payload.startswith(b"{") is not packed
    assert (await storing.journal.load(UNIVERSE))[0].universe == storing.history.now


async def test_another_owners_snapshot_is_kept_and_known_of(storing: Storing) -> None:
    await storing.store()
    stale = storing.loaded
    await storing.store()
    coverage = await storing.cover()
    assert await storing.journal.save_snapshot(UNIVERSE, stale) == coverage
    assert (await storing.journal.load(UNIVERSE))[0].universe == storing.history.now


async def test_a_snapshot_that_another_owner_stored_of_the_same_record_is_kept(
    storing: Storing,
) -> None:
    await storing.store()
    same = storing.loaded
    coverage = await storing.cover()
    assert await storing.journal.save_snapshot(UNIVERSE, same) == coverage
    assert [each.sequence for each in storing.streams.stored] == [1, 2]


async def test_an_older_snapshot_than_ones_own_is_replaced(storing: Storing) -> None:
    await storing.store()
    covered = await storing.cover()
    await storing.store()
    later = replace(storing.loaded, coverage=Coverage(99, covered.marks))
    # The stream has lost the one at 99: what it has is older.
    stored = await storing.journal.save_snapshot(UNIVERSE, later)
    assert stored == Coverage(4, (1, 3))
    assert storing.streams.stored[-1].previous == covered.sequence
    assert (await storing.journal.load(UNIVERSE))[0].position == 3
    snapshots = [each for each, _ in storing.streams.appends if each == SNAPSHOT]
    assert len(snapshots) == 3


async def test_a_snapshot_is_stored_where_the_stream_has_lost_all(storing: Storing) -> None:
    await storing.store()
    lost = replace(storing.loaded, coverage=Coverage(99, ()))
    assert await storing.journal.save_snapshot(UNIVERSE, lost) == Coverage(2, (1,))


async def test_a_snapshot_whose_place_is_taken_by_none_that_can_be_seen_fails(
    storing: Storing,
) -> None:
    await storing.store()
    storing.streams.failures = deque([Failure(WrongSequence("wrong last sequence"))])
    with pytest.raises(BusUnavailable, match=r"^the snapshot's place is contended for$"):
        await storing.cover()


async def test_marks_of_a_log_that_lost_its_end_are_not_kept(storing: Storing) -> None:
    await storing.store()
    await storing.store()
    ahead = replace(storing.loaded, coverage=Coverage(0, (1, 2, 7)))
    assert (await storing.journal.save_snapshot(UNIVERSE, ahead)).marks == (1, 2)


async def test_a_snapshot_that_cannot_be_read_is_as_good_as_none(storing: Storing) -> None:
    await storing.store()
    await storing.streams.append(SNAPSHOT, b"{}", timeout_s=1)
    loaded, records = await storing.journal.load(UNIVERSE)
    assert (loaded.universe, loaded.coverage) == (storing.history.now, Coverage(2))
    assert [record.position for record in records] == [1]
    await storing.streams.append(SNAPSHOT, b"x", timeout_s=1)
    assert (await storing.journal.load(UNIVERSE))[0].coverage == Coverage(3)


async def test_an_owners_own_snapshot_that_cannot_be_read_is_counted_as_such(
    storing: Storing,
) -> None:
    await storing.store()
    await storing.streams.append(SNAPSHOT, b"x", timeout_s=1, expected_last_subject_sequence=0)
    loaded, _ = await storing.journal.load(UNIVERSE)
    assert (loaded.universe, loaded.coverage) == (storing.history.now, Coverage(2))
    labels = {"kind": "snapshot", "reason": "unreadable"}
    name = "harmonic_stored_messages_skipped_total"
    assert storing.metrics.registry.get_sample_value(name, labels) == 1


async def test_a_deleted_universe_leaves_its_tombstone_alone(storing: Storing) -> None:
    await storing.store()
    await storing.store()
    other, _ = await storing.journal.append("other", AT, storing.history.events, 0)
    for subject in (
        *(subjects.notes(UNIVERSE, "p"), subjects.midi(UNIVERSE, "p")),
        *(subjects.notes("other", "p"), subjects.midi("other", "p")),
    ):
        await storing.streams.append(subject, b"x", timeout_s=1)
    await storing.cover()
    await storing.store()
    tombstone = await storing.store(storing.history.does(command("delete_universe"), OWNER))
    await storing.journal.erase(UNIVERSE, storing.loaded)
    assert storing.records == [tombstone.position]
    left = {message.subject for message in storing.streams.stored}
    assert left == {
        *(LOG, SNAPSHOT, subjects.log("other")),
        *(subjects.notes("other", "p"), subjects.midi("other", "p")),
    }
    loaded, records = await storing.journal.load(UNIVERSE)
    assert loaded.universe is not None
    assert (loaded.universe.deleted, loaded.position) == (True, tombstone.position)
    assert records == []
    assert await storing.journal.records("other", after_position=0) == [other]
    # Done again, it does no harm.
    await storing.journal.erase(UNIVERSE, loaded)
    assert storing.records == [tombstone.position]
