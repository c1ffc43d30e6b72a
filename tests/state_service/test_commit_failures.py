"""What an owner does after work that failed: who is refused, and what it knows afterwards."""

from dataclasses import replace

import pytest

from harmonic_protocol.log import HistoryLost
from harmonic_state.commit_cycle import MAX_CONFLICTS
from harmonic_state.domain.events import encode_record
from harmonic_state.loaded import Coverage
from harmonic_state.ring import RecentRecord
from harmonic_state.steps import (
    AnnounceHead,
    Append,
    Conflicted,
    Failed,
    Load,
    MakeRoom,
    Read,
    ReadOn,
    RecordStored,
    ResumeEffects,
    RoomMade,
    SnapshotSaved,
    StepFailure,
    TimePassed,
)
from state_service.builders import command
from state_service.cycles import BEGAN_AT, Cycle, at_hand, universe_with, update


def test_a_record_that_nobody_decided_is_a_fault_of_this_program() -> None:
    stored = RecordStored(RecentRecord(11, 10, encode_record("r", "x", [])), was_unknown=False)
    with pytest.raises(RuntimeError, match=r"^stored what nobody has decided$"):
        at_hand("ann").tell(stored)
    with pytest.raises(RuntimeError, match=r"^stored what nobody has decided$"):
        Cycle().tell(stored)


def test_a_snapshot_that_failed_leaves_what_is_known_of_the_last() -> None:
    cycle = at_hand("ann")
    assert cycle.cycle.known is not None
    covered = replace(cycle.cycle.known, coverage=Coverage(3, (9,)))
    cycle.cycle.known = covered
    cycle.tell(SnapshotSaved(None))
    assert cycle.cycle.known == covered
    cycle.tell(SnapshotSaved(Coverage(4, (9, 10))))
    assert cycle.cycle.known == replace(covered, coverage=Coverage(4, (9, 10)))
    cycle.cycle.known = None
    cycle.tell(SnapshotSaved(Coverage(5, (11,))))
    assert cycle.cycle.known is None


@pytest.mark.parametrize("after", ["conflict", "full"])
def test_where_the_log_cannot_be_read_on_all_that_waits_is_refused(after: str) -> None:
    cycle = at_hand("ann")
    first = cycle.ask(update(1))
    second = cycle.ask(update(2))
    cycle.tell(Conflicted() if after == "conflict" else Failed(StepFailure.FULL))
    cycle.does(ReadOn if after == "conflict" else MakeRoom)
    third = cycle.ask(update(3))
    cycle.tell(Failed(StepFailure.UNAVAILABLE))
    assert [cycle.outcome(each) for each in (first, second, third)] == ["INTERNAL_ERROR"] * 3
    assert cycle.work is None


def test_room_that_could_not_be_made_leaves_what_is_known() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update())
    cycle.tell(Failed(StepFailure.FULL))
    cycle.does(MakeRoom)
    known = cycle.cycle.known
    cycle.tell(RoomMade(None))
    assert cycle.cycle.known == known
    cycle.does(Append)
    cycle.tell(Failed(StepFailure.FULL))
    assert cycle.outcome(number) == "STORAGE_FULL"
    assert cycle.cycle.known == known


def test_of_three_that_fit_into_no_record_one_is_tried_and_then_the_others() -> None:
    cycle = at_hand("ann")
    cycle.ask(update(1))
    numbers = [cycle.ask(update(gravity)) for gravity in (2, 3, 4)]
    cycle.stores(at=11)
    assert len(cycle.does(Append).events) == 3
    cycle.tell(Failed(StepFailure.TOO_LARGE))
    assert len(cycle.does(Append).events) == 1
    cycle.stores(at=12)
    assert len(cycle.does(Append).events) == 2
    cycle.stores(at=13)
    assert [cycle.outcome(each) for each in numbers] == ["ok"] * 3


def test_conflicts_are_counted_anew_after_a_failure() -> None:
    cycle = at_hand("ann")
    cycle.ask(update(1))
    cycle.tell(Failed(StepFailure.UNAVAILABLE))
    number = cycle.ask(update(2))
    assert isinstance(cycle.work, Load)
    cycle.loads(at_hand("ann").cycle.known)  # type: ignore[arg-type]
    for _ in range(MAX_CONFLICTS - 1):
        known = cycle.tell(Conflicted()).does(ReadOn).known
        cycle.tell(Read(known, []))
    assert cycle.outcome(number) == "-"
    cycle.stores(at=11)
    assert cycle.outcome(number) == "ok"


def test_of_a_record_under_way_only_those_are_unknown_that_are_in_it() -> None:
    cycle = at_hand("ann")
    cycle.ask(update(1), within_s=60)
    stored = cycle.ask(update(2), within_s=2)
    nothing = cycle.ask(command("join_room", mode="edit"), within_s=2)
    cycle.stores(at=11)
    cycle.does(Append)
    cycle.now_s = 2
    cycle.tell(TimePassed())
    assert cycle.outcome(stored) == "OUTCOME_UNKNOWN"
    assert cycle.outcome(nothing) == "OVERDUE"


def test_a_loss_that_is_named_meanwhile_is_written_after_what_is_under_way() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update())
    under_way = cycle.does(Append)
    assert cycle.cycle.known is not None
    cycle.ask(update(2), seen_seq=cycle.cycle.known.seq + 5)
    assert cycle.work is under_way
    cycle.stores(at=11)
    assert cycle.outcome(number) == "ok"
    cycle.tell(Read(cycle.does(ReadOn).known, []))
    mending = cycle.does(Append)
    assert (mending.position, mending.after) == (11, "r11")
    assert [type(event) for event in mending.events] == [HistoryLost]


@pytest.mark.parametrize("failure", [StepFailure.UNAVAILABLE, StepFailure.OUTCOME_UNKNOWN])
def test_what_was_known_before_a_failure_is_what_the_log_is_read_on_from(
    failure: StepFailure,
) -> None:
    """The log may have lost it meanwhile: then memory has all that is left of it."""
    cycle = at_hand("ann")
    cycle.ask(update(0))
    cycle.stores(at=11)
    known, records = cycle.cycle.known, cycle.cycle.snapshots.records
    assert records == 1
    cycle.ask(update(1))
    cycle.tell(Failed(failure))
    number = cycle.ask(update(2))
    assert cycle.does(Load).known == known
    # Not even that is done meanwhile: it is tried again from the same.
    cycle.tell(Failed(StepFailure.UNAVAILABLE))
    number = cycle.ask(update(3))
    assert cycle.does(Load).known == known

    later = universe_with("ann", "bob", position=12)
    payload = encode_record("r12", BEGAN_AT.isoformat(), [])
    cycle.tell(Read(later, [RecentRecord(12, 11, payload)]))
    assert cycle.said(AnnounceHead) == AnnounceHead(12, "", at_once=False)
    assert cycle.said(ResumeEffects).universe == later.universe
    assert cycle.cycle.snapshots.records == records + 1
    cycle.stores(at=13)
    assert cycle.outcome(number) == "ok"
    # It is certain again.
    cycle.ask(update(4))
    cycle.does(Append)


@pytest.mark.parametrize("failure", [StepFailure.BROKEN, StepFailure.LOST])
def test_nothing_is_kept_of_what_failed_by_itself(failure: StepFailure) -> None:
    cycle = at_hand("ann")
    cycle.ask(update(0))
    cycle.stores(at=11)
    cycle.ask(update(1))
    cycle.tell(Failed(failure))
    cycle.ask(update(2))
    assert cycle.does(Load).known is None
    # The records that no snapshot covers are counted from what is read now.
    cycle.loads(universe_with("ann", position=11))
    assert cycle.cycle.snapshots.records == 0
