"""The journal without a broker: what it does with every answer that streams may give."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest

from harmonic_protocol import subjects
from harmonic_runtime.bus.client import BusUnavailable, MessageTooLarge
from harmonic_runtime.bus.streams import AppendUnknown, StreamFull, WrongSequence
from harmonic_runtime.observability.metrics import Metrics
from harmonic_state.domain.events import LogEvent, decode_record, read_record
from harmonic_state.domain.evolve import fold
from harmonic_state.journal import (
    MAX_RECORD_BYTES,
    READ_RECORDS,
    Conflict,
    Journal,
    RecordTooLarge,
)
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.parts import log_part
from harmonic_state.ring import RecentRecord
from harmonic_state.settings import StateSettings
from harmonic_state.storage import stream_configs
from harness.broker import count as count_of
from harness.memory import Failure, MemoryStreams
from state_service.builders import UNIVERSE, caller, command, open_universe, skipped_messages

AT = "2024-03-21T10:30:00.000Z"
OWNER, ANN = caller("owner"), caller("ann")
LOG, SNAPSHOT = subjects.log(UNIVERSE), subjects.snapshot(UNIVERSE)
UNKNOWN, AWAY = AppendUnknown("no answer"), BusUnavailable("no leader")
NOTHING = Loaded(None, 0)


class Storing:
    """A journal on streams in memory, and a universe whose history it stores."""

    def __init__(self, **chosen: object) -> None:
        settings = StateSettings.model_validate(chosen)
        patterns = {
            str(config["name"]): list(config["subjects"])  # type: ignore[call-overload]
            for config in stream_configs(settings)
        }
        self.streams = MemoryStreams(patterns)
        numbers = count(1)
        self.metrics = Metrics()
        self.journal = Journal(
            self.streams, settings, lambda: f"r{next(numbers)}", skipped_messages(self.metrics)
        )
        self.history = open_universe()
        self.history.does(command("join_room", mode="edit"), ANN)
        self.loaded = NOTHING

    def changes(self) -> list[LogEvent]:
        tempo = 40 + self.history.milliseconds % 100
        return self.history.does(command("update_music", parameters={"tempo": tempo}), ANN)

    async def store(self, events: Sequence[LogEvent] | None = None) -> RecentRecord:
        """Append a record; all that happened before, if it is the first."""
        if events is None:
            events = self.changes() if self.loaded.position else self.history.events
        record, _ = await self.journal.append(UNIVERSE, AT, events, self.loaded.position)
        after = fold(self.loaded.universe, events)
        self.loaded = self.loaded.then(after, record.position, record.id)
        return record

    async def cover(self) -> Coverage:
        coverage = await self.journal.save_snapshot(UNIVERSE, self.loaded)
        self.loaded = replace(self.loaded, coverage=coverage)
        return coverage

    @property
    def records(self) -> list[int]:
        """The positions of the records that the log keeps."""
        return [message.sequence for message in self.streams.stored if message.subject == LOG]


@pytest.fixture
def storing(monkeypatch: pytest.MonkeyPatch) -> Storing:
    monkeypatch.setattr("harmonic_state.journal.RESOLVING_PAUSE_S", 0)
    return Storing()


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


async def test_a_log_that_lost_its_middle_is_read_from_its_creation(storing: Storing) -> None:
    await storing.store()
    await storing.store()
    await storing.store()
    del storing.streams.stored[1]
    loaded, records = await storing.journal.load(UNIVERSE)
    assert (loaded.is_damaged, loaded.position, records) == (True, 3, [])
    assert loaded.universe is not None
    assert loaded.universe.parameters == storing.history.now.parameters


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


async def test_headers_are_stored_with_a_record(storing: Storing) -> None:
    traced = {"traceparent": "00-1-2-01"}
    await storing.journal.append(UNIVERSE, AT, storing.history.events, 0, headers=traced)
    await storing.journal.append(UNIVERSE, AT, storing.changes(), 1)
    assert storing.streams.headers == [traced, {}]


async def test_what_no_owner_has_stored_follows_nothing_where_it_is_read_alone(
    storing: Storing,
) -> None:
    foreign = await storing.streams.append(LOG, b"{}", timeout_s=1)
    end = await storing.journal.end(UNIVERSE)
    assert end is not None
    assert (end.position, end.previous) == (foreign, 0)


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
