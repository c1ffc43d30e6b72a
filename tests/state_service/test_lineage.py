"""Whether a log continues what is known of it, and what is gone on with where it does not."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from harmonic_protocol.log import record_mark
from harmonic_state.domain.events import LogEvent, encode_record
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.mending import history_lost
from harmonic_state.lineage import (
    UniverseLost,
    after,
    continued,
    cut_off,
    first_unreadable,
    is_record,
    mended,
)
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.ring import RecentRecord
from state_service.builders import History, caller, command, open_universe

ANN = caller("ann")


@dataclass
class Log:
    """A history with one record for each command, at every second position."""

    history: History = field(default_factory=open_universe)
    records: list[RecentRecord] = field(default_factory=list)
    states: list[Loaded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stores(self.history.events)
        self.stores(self.history.does(command("join_room", mode="edit"), ANN))

    def stores(self, events: Sequence[LogEvent]) -> None:
        before = self.states[-1] if self.states else Loaded(None, 0)
        position, name = before.position + 2, f"{id(self)}-{len(self.records)}"
        at = self.history.now.updated_at
        payload = encode_record(name, at, events, after=before.record_id)
        self.records.append(RecentRecord(position, before.position, payload, name))
        self.states.append(before.then(fold(before.universe, events), position, name))

    def changes(self, times: int) -> "Log":
        for _ in range(times):
            tempo = 40 + self.history.milliseconds % 100
            request = command("update_music", parameters={"tempo": tempo})
            self.stores(self.history.does(request, ANN))
        return self

    def since(self, known: Loaded) -> list[RecentRecord]:
        return [record for record in self.records if record.position >= known.position]


@pytest.mark.parametrize("known", range(6))
def test_a_whole_log_continues_every_state_that_it_had(known: int) -> None:
    log = Log().changes(4)
    start = replace(log.states[known], coverage=Coverage(3, (2,)))
    expected = replace(log.states[-1], coverage=start.coverage)
    assert continued(start, log.since(start)) == expected
    without_id = replace(start, record_id="")
    assert continued(without_id, log.since(start)) is not None


def test_a_record_that_cannot_be_read_is_known_by_its_id_if_that_is_known() -> None:
    unreadable = RecentRecord(6, 5, b"junk")
    assert is_record(replace(unreadable, id="r6"), "r6")
    assert is_record(unreadable, "")
    for name in ("r6", "XXXX"):
        assert not is_record(unreadable, name)
    # It names none before it, so it may well follow the one that is known.
    assert after(5, "r5", [unreadable]) == [unreadable]


def test_a_log_that_does_not_begin_with_a_creation_is_not_whole() -> None:
    log = Log().changes(1)
    first, *_, last = log.records
    headless = [
        replace(last, position=2, previous=0),
        RecentRecord(4, 2, encode_record("none", "2024-03-21T10:30:00.000Z", [])),
    ]
    assert continued(Loaded(None, 0), headless) is None
    assert continued(Loaded(None, 0), [first]) is not None


@pytest.mark.parametrize(
    ("position", "end", "is_cut"), [(1, 1, True), (2, 3, True), (3, 3, True), (4, 3, False)]
)
def test_a_log_is_cut_off_where_nothing_follows_the_end_of_its_backup(
    position: int, end: int, *, is_cut: bool
) -> None:
    universe = open_universe().now
    assert cut_off(Loaded(universe, position), end) is is_cut
    assert not cut_off(Loaded(None, position), end)
    assert not cut_off(Loaded(replace(universe, deleted=True), position), end)
    assert not cut_off(Loaded(universe, 0), 0)


def test_what_follows_is_whole_and_of_the_same_coverage() -> None:
    known = Loaded(None, 4, Coverage(3, (2,)), "lost", is_damaged=True)
    universe = open_universe().now
    assert known.then(universe, 6, "new") == Loaded(universe, 6, known.coverage, "new")
    assert known.then(None, 6) == Loaded(None, 6, known.coverage, "", is_damaged=False)


def test_from_nothing_a_log_is_read_from_its_creation() -> None:
    log = Log().changes(2)
    assert continued(Loaded(None, 0), log.records) == log.states[-1]
    assert continued(Loaded(None, 0), []) == Loaded(None, 0)
    assert continued(Loaded(None, 0), log.records[1:]) is None


def test_a_record_that_was_trimmed_away_may_be_named_by_the_next() -> None:
    log = Log().changes(3)
    known = log.states[2]
    assert continued(known, log.records[3:]) == log.states[-1]


@pytest.mark.parametrize("lost", [2, 3, 4])
def test_a_hole_is_not_continued(lost: int) -> None:
    log = Log().changes(4)
    known = log.states[1]
    records = [record for n, record in enumerate(log.records) if n not in {lost, 0}]
    assert continued(known, records) is None


def test_what_follows_a_record_follows_that_very_one() -> None:
    log = Log().changes(4)
    known = log.states[1]
    assert after(known.position, "", log.records[2:]) == log.records[2:]
    assert after(known.position, "", log.records[3:]) is None
    assert after(known.position, "", []) is None
    assert after(0, "", log.records) == log.records
    assert after(0, "", log.records[1:]) is None


def test_a_log_that_ends_before_what_is_known_is_not_continued() -> None:
    log = Log().changes(4)
    assert continued(log.states[-1], []) is None


def test_another_record_at_the_position_is_not_continued() -> None:
    log, other = Log().changes(4), Log().changes(4)
    known = log.states[3]
    assert continued(known, other.since(known)) is None
    assert after(known.position, known.record_id, other.since(known)) is None
    assert after(known.position, "", other.since(known)) is not None
    mark = record_mark(known.record_id)
    assert after(known.position, "", other.since(known), mark) is None
    assert after(known.position, "", log.since(known), mark) == log.records[4:]


def test_a_mark_is_told_of_a_trimmed_record_by_the_one_that_follows_it() -> None:
    log, other = Log().changes(4), Log().changes(4)
    known = log.states[3]
    mark = record_mark(known.record_id)
    assert after(known.position, "", log.records[4:], mark) == log.records[4:]
    assert after(known.position, "", other.records[4:], mark) is None
    assert after(known.position, known.record_id, other.records[4:]) is None


def test_unreadable_bytes_in_between_are_not_continued_but_passed_over() -> None:
    log = Log().changes(4)
    log.records[3] = replace(log.records[3], payload=b"flipped")
    assert continued(log.states[1], log.since(log.states[1])) is None
    gone_on = mended(log.states[1], log.records)
    assert gone_on.universe is not None
    assert gone_on.universe.parameters == log.history.now.parameters


def test_a_state_beyond_the_end_is_the_truth_and_the_log_goes_on_after_its_real_end() -> None:
    log = Log().changes(4)
    known = replace(log.states[-1], coverage=Coverage(7, (4, 12)))
    gone_on = mended(known, log.records[:3])
    assert gone_on.universe == known.universe
    assert (gone_on.position, gone_on.record_id) == (log.records[2].position, log.records[2].id)
    assert gone_on.coverage == Coverage(7, ())
    assert gone_on.is_damaged


def test_an_empty_log_goes_on_from_its_begin() -> None:
    log = Log().changes(2)
    gone_on = mended(log.states[-1], [])
    assert (gone_on.universe, gone_on.position) == (log.states[-1].universe, 0)
    assert gone_on.record_id == ""
    assert not gone_on.ends_in_loss


def test_a_universe_that_is_not_created_has_sent_no_frame() -> None:
    log = Log()
    assert Loaded(None, 0).seq == 0
    assert log.states[-1].seq == log.history.now.seq > 0


def test_records_that_are_known_are_not_counted_again() -> None:
    log = Log().changes(2)
    end = log.states[-1]
    assert end.universe is not None
    known = replace(end, universe=replace(end.universe, seq=99))
    assert mended(known, log.records).universe == known.universe


def test_what_the_log_still_holds_that_is_newer_is_not_lost() -> None:
    log = Log().changes(2)
    known = log.states[-1]
    # The log lost its end, and others went on with it, below the position that is known.
    again = Log(records=log.records[:2], states=log.states[:2], history=log.history)
    again.records.clear()
    again.records.extend(log.records[:2])
    again.states[:] = log.states[:2]
    again.changes(1)
    assert again.records[-1].position <= known.position
    gone_on = mended(known, again.records)
    assert gone_on.universe is not None
    assert gone_on.universe.parameters == again.history.now.parameters


def test_nothing_to_go_on_with_is_said() -> None:
    log = Log().changes(2)
    with pytest.raises(UniverseLost):
        mended(Loaded(None, 0), log.records[1:])


def mending(log: Log, known: Loaded) -> None:
    """An owner that knows that much says in the log that records were lost."""
    assert known.universe is not None
    lost = history_lost(known.universe, log.history.now.updated_at)
    log.stores([lost])


@pytest.mark.parametrize(("knew", "is_damaged"), [(-1, False), (-2, True)])
def test_a_log_says_that_it_lost_what_its_writer_knew_and_nothing_else(
    knew: int, *, is_damaged: bool
) -> None:
    lost = Log().changes(3)
    again = Log(lost.history, list(lost.records[:2]), list(lost.states[:2]))
    again.records[:], again.states[:] = lost.records[:2], lost.states[:2]
    mending(again, lost.states[knew])
    known = lost.states[-1]
    found = mended(known, again.records)
    assert (found.is_damaged, found.ends_in_loss) == (is_damaged, True)
    again.changes(1)
    found = mended(known, again.records)
    assert (found.is_damaged, found.ends_in_loss) == (is_damaged, False)
    # What follows must be whole, for the loss to be the only one.
    again.changes(1)
    assert mended(known, [*again.records[:-2], again.records[-1]]).is_damaged
    unreadable = [*again.records[:-1], replace(again.records[-1], payload=b"flipped")]
    assert mended(known, unreadable).is_damaged


def test_who_found_a_loss_and_reads_of_it_does_not_say_so_again() -> None:
    log = Log().changes(1)
    known = replace(log.states[-1], is_damaged=True)
    log.changes(1)
    on = continued(known, log.since(known))
    assert on is not None
    assert on.is_damaged
    mending(log, known)
    on = continued(known, log.since(known))
    assert on is not None
    assert (on.is_damaged, on.ends_in_loss) == (False, True)
    assert known.universe is not None
    knows_more = replace(known, universe=replace(known.universe, seq=known.seq + 1))
    on = continued(knows_more, log.since(known))
    assert on is not None
    assert on.is_damaged


def test_the_first_record_that_cannot_be_read_is_found() -> None:
    log = Log().changes(2)
    assert first_unreadable(log.records) == log.records[-1].position
    log.records[1] = replace(log.records[1], payload=b"flipped")
    assert first_unreadable(log.records) == log.records[1].position
