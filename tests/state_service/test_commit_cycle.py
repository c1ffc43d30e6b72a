"""What an owner does next: batches, conflicts, deadlines and unknown outcomes, without a broker."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import ReleaseGateway, ResumeRoom
from harmonic_protocol.intervening import ForgetHistory
from harmonic_protocol.log import HistoryLost
from harmonic_protocol.messages.universes import UniverseUpdated
from harmonic_state.commit_cycle import MAX_BATCH, MAX_CONFLICTS, CommitCycle
from harmonic_state.domain import presence
from harmonic_state.domain.bounds import MAX_STATE_BYTES
from harmonic_state.domain.events import LogEvent, encode_record
from harmonic_state.domain.mending import SEQ_JUMP, history_lost
from harmonic_state.domain.universe import AppliedOperation
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.losses import Seen
from harmonic_state.ring import RecentRecord, Ring
from harmonic_state.snapshot_plan import RETRY_STORING_S, SnapshotPlan
from harmonic_state.steps import (
    AnnounceHead,
    Answer,
    Append,
    CarryOutEffects,
    Confirm,
    Confirmed,
    Conflicted,
    EffectsDone,
    Erase,
    Failed,
    Load,
    LookAgain,
    MakeRoom,
    Read,
    ReadOn,
    Report,
    ResumeEffects,
    RoomMade,
    SaveSnapshot,
    SnapshotSaved,
    StepFailure,
    TimePassed,
    WakeAt,
)
from harmonic_state.waiting_line import WaitingLine
from state_service.builders import UNIVERSE, History, caller, command, created, received
from state_service.cycles import Cycle, at_hand, universe_with, update


def test_the_first_request_loads_the_universe_and_is_decided_on_it() -> None:
    cycle = Cycle()
    number = cycle.ask(update())
    assert cycle.does(Load).known is None
    cycle.loads(universe_with("ann", position=10))

    assert cycle.does(Append).position == 10
    cycle.stores(at=12)
    assert cycle.outcome(number) == "ok"
    assert cycle.replies[number].position == 12
    assert cycle.cycle.idle


def test_what_comes_during_an_append_is_stored_together_after_it() -> None:
    cycle = at_hand("ann", "bob")
    first = cycle.ask(update(1))
    second, third = cycle.ask(update(2)), cycle.ask(update(3), caller("bob"))
    cycle.stores(at=11)

    assert len(cycle.does(Append).events) == 2
    cycle.stores(at=13)
    assert [cycle.outcome(number) for number in (first, second, third)] == ["ok"] * 3
    seqs = [cycle.replies[number].seq for number in (first, second, third)]
    assert seqs == [3, 4, 5]


def test_a_record_names_the_requests_that_it_replies_to() -> None:
    cycle = at_hand("ann", "bob")
    first = cycle.ask(update(1), name="a.1")
    assert cycle.does(Append).carried_out == "a.1=3"
    cycle.ask(update(2), name="a.2")
    second, refused = cycle.ask(update(3)), cycle.ask(update(4), caller("eve"), name="b.1")
    cycle.ask(update(5), caller("bob"), name="b.2")
    cycle.stores(at=11)
    assert cycle.does(Append).carried_out == "a.2=4 b.2=6"
    cycle.stores(at=13)
    # They count as carried out, though no reply is sent.
    replied = [each for each in cycle.commands if isinstance(each, Answer) and each.by_record]
    assert [each.reply.error for each in replied] == [None, None]

    assert cycle.by_record == {"a.1", "a.2", "b.2"}
    assert cycle.outcome(first) == "-"
    assert cycle.replies[second].seq == 5
    assert cycle.outcome(refused) == "NOT_IN_ROOM"


def test_an_operation_that_was_carried_out_before_has_a_reply() -> None:
    cycle = at_hand("ann")
    cycle.ask(update(1, opId="one"), name="a.1")
    cycle.stores(at=11)
    again = cycle.ask(update(1, opId="one"), name="a.2")
    cycle.confirms()
    assert cycle.by_record == {"a.1"}
    assert cycle.replies[again].seq == 2


def test_a_record_that_gateways_may_not_have_been_sent_replies_to_nobody() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update(1), name="a.1")
    cycle.appended(at=11, was_unknown=True)
    cycle.tell(EffectsDone())
    assert cycle.by_record == set()
    assert cycle.replies[number].seq == 2


def test_what_is_decided_again_is_named_again() -> None:
    cycle = at_hand("ann")
    cycle.ask(update(1), name="a.1")
    known = cycle.tell(Conflicted()).does(ReadOn).known
    cycle.tell(Read(known, []))
    assert cycle.does(Append).carried_out == "a.1=2"
    cycle.stores(at=11)
    assert cycle.by_record == {"a.1"}


def test_an_answer_that_stores_nothing_waits_for_the_leaders_word() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(command("get_universe"))

    assert cycle.does(Confirm).position == 10
    assert cycle.outcome(number) == "-"
    cycle.tell(Confirmed())
    assert cycle.outcome(number) == "ok"


def test_after_a_conflict_the_log_is_read_and_all_is_decided_again() -> None:
    cycle = at_hand("ann", "bob")
    number = cycle.ask(update(7))
    cycle.tell(Conflicted())
    known = cycle.does(ReadOn).known
    history = History(known.universe, milliseconds=500)
    events = history.does(update(1), caller("bob"))
    record = RecentRecord(15, 10, encode_record("other", "2024-03-21T10:30:00.500Z", events))

    cycle.tell(Read(known.then(history.now, 15), [record]))

    assert cycle.does(Append).position == 15
    cycle.stores(at=16)
    assert cycle.replies[number].seq == (known.universe.seq if known.universe else 0) + 2


def test_an_owner_that_is_overtaken_again_and_again_gives_up() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update())
    for _ in range(MAX_CONFLICTS - 1):
        known = cycle.tell(Conflicted()).does(ReadOn).known
        cycle.tell(Read(known, []))
        cycle.does(Append)

    cycle.tell(Conflicted())

    assert cycle.outcome(number) == "INTERNAL_ERROR"
    cycle.ask(update())
    assert cycle.does(Load).known == cycle.cycle.known


def test_an_owner_that_has_just_begun_may_be_overtaken_as_often_as_any() -> None:
    cycle = Cycle()
    number = cycle.ask(update())
    cycle.loads(universe_with("ann"))
    for _ in range(MAX_CONFLICTS - 1):
        known = cycle.tell(Conflicted()).does(ReadOn).known
        cycle.tell(Read(known, []))
    assert cycle.outcome(number) == "-"


def test_an_owner_is_woken_at_the_first_deadline_alone() -> None:
    cycle = Cycle()
    cycle.ask(update(), within_s=5)
    assert cycle.said(WakeAt).s == 5
    for within_s in (5, 6):
        cycle.ask(update(), within_s=within_s)
        assert cycle.commands == []
    cycle.ask(update(), within_s=4)
    assert cycle.commands == [WakeAt(4)]


def commit_cycle(
    *, packs: bool = False, has_effects: Callable[[Sequence[LogEvent]], bool] = bool
) -> CommitCycle:
    return CommitCycle(
        line=WaitingLine(1000),
        ring=Ring(2**16),
        snapshots=SnapshotPlan(every_records=256, uncovered_records=2000),
        packs_snapshots=packs,
        has_effects=has_effects,
    )


def test_a_record_without_effects_is_answered_at_once_and_one_with_effects_after_them() -> None:
    def has_effects(events: Sequence[LogEvent]) -> bool:
        return any(isinstance(each, UniverseUpdated) for each in events)

    cycle = Cycle(commit_cycle(has_effects=has_effects))
    moved = cycle.ask(update())
    cycle.loads(universe_with("ann"))
    renamed = cycle.ask(command("update_universe", name="New"), caller("owner"))
    cycle.appended(at=11)
    cycle.said(AnnounceHead)
    assert cycle.outcome(moved) == "ok"
    cycle.appended(at=12).does(CarryOutEffects)
    assert cycle.outcome(renamed) == "-"
    cycle.tell(EffectsDone())
    assert cycle.outcome(renamed) == "ok"


@pytest.mark.parametrize("packs", [False, True])
def test_operations_that_are_stored_as_hashes_have_more_space(*, packs: bool) -> None:
    cycle = Cycle(commit_cycle(packs=packs))
    number = cycle.ask(update(opId="op1"))
    loaded = universe_with("ann")
    assert loaded.universe is not None
    one = {"key": AppliedOperation("ann", "op0", "d", 1, loaded.universe.updated_at)}
    large = replace(loaded.universe, operations=one, operations_bytes=MAX_STATE_BYTES)
    cycle.loads(replace(loaded, universe=large))
    if packs:
        cycle.stores(at=11)
    else:
        cycle.confirms()
    assert cycle.outcome(number) == ("ok" if packs else "TOO_MANY_OPERATIONS")


def test_a_request_is_refused_at_its_deadline_while_it_waits() -> None:
    cycle = at_hand("ann")
    cycle.ask(update(1), within_s=60)
    waiting = cycle.ask(update(2), within_s=2)
    assert cycle.said(WakeAt).s == 2

    cycle.now_s = 2
    cycle.tell(TimePassed())

    assert cycle.outcome(waiting) == "OVERDUE"
    assert cycle.said(WakeAt).s == 60


def test_a_request_is_not_decided_after_its_deadline_though_nobody_said_that_time_passed() -> None:
    cycle = Cycle()
    number = cycle.ask(update(), within_s=3)
    cycle.now_s = 4
    cycle.loads(universe_with("ann"))

    assert cycle.outcome(number) == "OVERDUE"
    assert cycle.work is None


def test_deadlines_are_looked_at_again_after_a_conflict() -> None:
    cycle = at_hand("ann")
    late, in_time = cycle.ask(update(1), within_s=0.5), cycle.ask(update(2), within_s=30)
    cycle.now_s = 0.5
    known = cycle.tell(Conflicted()).does(ReadOn).known
    cycle.tell(Read(known, []))

    assert cycle.outcome(late) == "OVERDUE"
    assert len(cycle.does(Append).events) == 1
    cycle.stores(at=11)
    assert cycle.outcome(in_time) == "ok"


def test_at_its_deadline_a_request_under_way_has_an_unknown_outcome() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update())

    cycle.now_s = 3
    cycle.tell(TimePassed())

    assert cycle.outcome(number) == "OUTCOME_UNKNOWN"
    # It is stored after all: the universe has it, and the same opId would tell.
    cycle.stores(at=11)
    assert cycle.cycle.known is not None
    assert cycle.cycle.known.position == 11


def test_at_its_deadline_a_read_under_way_is_refused_and_not_unknown() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(command("get_universe"))
    cycle.now_s = 3
    cycle.tell(TimePassed())
    assert cycle.outcome(number) == "OVERDUE"


def test_at_its_deadline_a_stored_request_is_answered_though_effects_go_on() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update())
    cycle.appended(at=11)
    assert cycle.outcome(number) == "-"

    cycle.now_s = 3
    cycle.tell(TimePassed())

    assert cycle.outcome(number) == "ok"
    cycle.tell(EffectsDone())


def test_a_record_follows_the_very_one_that_was_known() -> None:
    cycle = at_hand("ann")
    cycle.ask(update())
    assert cycle.does(Append).after == ""
    cycle.stores(at=11)
    cycle.ask(update())
    assert cycle.does(Append).after == "r11"


def test_what_is_carried_out_is_what_was_stored() -> None:
    cycle = at_hand("ann")
    cycle.ask(update(7))
    events = cycle.does(Append).events
    cycle.appended(at=11)
    assert cycle.cycle.known is not None
    assert cycle.does(CarryOutEffects) == CarryOutEffects(cycle.cycle.known, events)


def test_after_its_history_was_forgotten_nobody_is_told_of_it_from_memory() -> None:
    cycle = at_hand("ann")
    cycle.ask(update())
    cycle.stores(at=11)
    assert cycle.cycle.ring.after(10)
    cycle.ask(ForgetHistory(universe_id=UNIVERSE))
    cycle.appended(at=12)
    assert cycle.cycle.ring.after(10) is None
    assert cycle.cycle.ring.at(12) is None

    cycle.tell(EffectsDone(Coverage(7, (12,))))

    assert cycle.cycle.known is not None
    assert cycle.cycle.known.coverage == Coverage(7, (12,))


def test_what_is_stored_besides_the_log_stays_known_where_effects_do_not_change_it() -> None:
    cycle = at_hand("ann")
    assert cycle.cycle.known is not None
    before = cycle.cycle.known.coverage
    cycle.ask(update())
    cycle.stores(at=11)
    assert cycle.cycle.known.coverage == before


def test_at_its_deadline_a_return_that_was_stored_is_told_what_it_missed() -> None:
    cycle = at_hand("ann")
    cycle.ask(update())
    cycle.stores(at=11)
    back = ResumeRoom(universe_id=UNIVERSE, mode="edit", replaces="ann-1", after_position=11)
    number = cycle.ask(back, caller("ann", tab=2))
    cycle.appended(at=12)

    cycle.now_s = 3
    cycle.tell(TimePassed())

    reply = received(cycle.replies[number])
    assert reply.position == 12
    assert [record["position"] for record in reply.result["missed"]["records"]] == [11, 12]


def test_an_unknown_outcome_is_told_and_the_log_is_read_before_anything_else() -> None:
    cycle = at_hand("ann")
    first, second = cycle.ask(update(1)), cycle.ask(update(2))
    cycle.tell(Failed(StepFailure.OUTCOME_UNKNOWN))

    assert cycle.outcome(first) == "OUTCOME_UNKNOWN"
    assert cycle.outcome(second) == "-"
    cycle.said(LookAgain)
    cycle.does(Load)
    assert not cycle.cycle.idle
    cycle.loads(universe_with("ann", position=11))
    cycle.stores(at=12)
    assert cycle.outcome(second) == "ok"
    assert cycle.cycle.idle


def test_an_unresolved_universe_is_looked_at_until_it_was_read() -> None:
    cycle = at_hand("ann")
    cycle.ask(update())
    cycle.tell(Failed(StepFailure.OUTCOME_UNKNOWN))
    cycle.ask(ReleaseGateway(universe_id=UNIVERSE, gateway_id=""), Caller("", ""), within_s=60)
    cycle.tell(Failed(StepFailure.UNAVAILABLE))
    cycle.said(LookAgain)
    assert not cycle.cycle.idle


def test_a_record_whose_outcome_was_unknown_for_a_time_is_announced_at_once() -> None:
    cycle = at_hand("ann")
    cycle.ask(update())
    cycle.appended(at=11, was_unknown=True)
    assert cycle.said(AnnounceHead) == AnnounceHead(11, "r11", at_once=True)


def test_without_the_broker_everything_that_waits_for_loading_is_refused() -> None:
    cycle = Cycle()
    numbers = [cycle.ask(update(n)) for n in range(3)]
    cycle.tell(Failed(StepFailure.UNAVAILABLE))
    assert [cycle.outcome(number) for number in numbers] == ["INTERNAL_ERROR"] * 3
    assert cycle.cycle.idle


def test_a_full_log_is_given_room_and_the_requests_are_tried_again() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update())
    cycle.tell(Failed(StepFailure.FULL))
    assert cycle.does(MakeRoom).loaded.position == 10
    cycle.tell(RoomMade(Coverage(3, (10,))))
    cycle.stores(at=11)
    assert cycle.outcome(number) == "ok"
    assert cycle.cycle.known is not None
    assert cycle.cycle.known.coverage.marks == (10,)


def test_a_log_that_stays_full_refuses_and_is_not_tried_at_every_request() -> None:
    cycle = at_hand("ann")
    first = cycle.ask(update())
    cycle.tell(Failed(StepFailure.FULL)).tell(RoomMade(None)).tell(Failed(StepFailure.FULL))
    assert cycle.outcome(first) == "STORAGE_FULL"
    second = cycle.ask(update())
    cycle.tell(Failed(StepFailure.FULL))
    assert cycle.outcome(second) == "STORAGE_FULL"
    cycle.now_s += RETRY_STORING_S
    third = cycle.ask(update())
    cycle.tell(Failed(StepFailure.FULL))
    cycle.does(MakeRoom)
    cycle.tell(RoomMade(None)).stores(at=11)
    assert cycle.outcome(third) == "ok"


def test_the_end_of_a_log_is_kept_for_those_who_leave() -> None:
    cycle = at_hand("ann", "bob")
    cycle.cycle.snapshots.records = 2000
    update_ = cycle.ask(update())
    cycle.confirms()
    leave = cycle.ask(command("leave_room"), caller("bob"))
    cycle.stores(at=11)
    removal = cycle.ask(command("delete_universe"), caller("owner"))
    cycle.stores(at=12)
    outcomes = [cycle.outcome(number) for number in (update_, leave, removal)]
    assert outcomes == ["STORAGE_FULL", "ok", "ok"]


def test_an_almost_full_log_heals_with_the_next_snapshot() -> None:
    cycle = at_hand("ann")
    cycle.cycle.snapshots.records = 2000
    cycle.ask(update())
    cycle.said(SaveSnapshot)
    cycle.confirms().tell(SnapshotSaved(Coverage(3, (10,))))
    number = cycle.ask(update())
    cycle.stores(at=11)
    assert cycle.outcome(number) == "ok"


def test_a_snapshot_that_failed_is_not_tried_at_every_record() -> None:
    cycle = at_hand("ann")
    cycle.cycle.snapshots.records = 255
    cycle.ask(update())
    cycle.stores(at=11).said(SaveSnapshot)
    cycle.tell(SnapshotSaved(None))
    cycle.ask(update())
    cycle.stores(at=12)
    assert not [each for each in cycle.commands if isinstance(each, SaveSnapshot)]
    cycle.now_s += RETRY_STORING_S
    cycle.ask(update())
    cycle.stores(at=13).said(SaveSnapshot)


def test_a_batch_that_fits_into_no_record_is_halved_until_it_does() -> None:
    cycle = at_hand("ann")
    first = cycle.ask(update(1))
    numbers = [cycle.ask(update(n)) for n in range(4)]
    cycle.stores(at=11)
    assert len(cycle.does(Append).events) == 4

    cycle.tell(Failed(StepFailure.TOO_LARGE))
    assert len(cycle.does(Append).events) == 2
    cycle.tell(Failed(StepFailure.TOO_LARGE))
    assert len(cycle.does(Append).events) == 1
    cycle.tell(Failed(StepFailure.TOO_LARGE))

    assert [cycle.outcome(number) for number in [first, *numbers[:2]]] == [
        "ok",
        "INTERNAL_ERROR",
        "-",
    ]
    assert len(cycle.does(Append).events) == 3


def test_a_queue_has_a_bound() -> None:
    cycle = Cycle()
    numbers = [cycle.ask(update()) for _ in range(1002)]
    assert [cycle.outcome(number) for number in numbers[-3:]] == ["-", "BUSY", "BUSY"]


def test_a_batch_has_a_bound() -> None:
    cycle = Cycle()
    for number in range(MAX_BATCH + 5):
        cycle.ask(update(number % 20))
    cycle.loads(universe_with("ann"))
    assert len(cycle.does(Append).events) == MAX_BATCH
    cycle.stores(at=11)
    assert len(cycle.does(Append).events) == 5


def test_a_tombstone_has_a_record_to_itself_and_erases_what_precedes_it() -> None:
    cycle, owner = Cycle(), caller("owner")
    before = cycle.ask(update())
    deletion = cycle.ask(command("delete_universe"), owner)
    after = cycle.ask(update())
    cycle.loads(universe_with("ann"))
    assert len(cycle.does(Append).events) == 1
    cycle.stores(at=11)
    assert cycle.outcome(deletion) == "-"
    cycle.stores(at=12)
    assert cycle.said(Erase).loaded.position == 12
    cycle.tell(Confirmed())
    outcomes = [cycle.outcome(number) for number in (before, deletion, after)]
    assert outcomes == ["ok", "ok", "NOT_FOUND"]


def test_a_fault_in_one_decision_is_refused_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault")

    cycle = at_hand("ann")
    good = cycle.ask(update(1))
    bad, other = cycle.ask(command("leave_room")), cycle.ask(update(2), caller("ann"))
    monkeypatch.setattr(presence, "leave", fails)
    cycle.stores(at=11)

    assert str(cycle.said(Report).error) == "a fault"
    cycle.stores(at=12)
    outcomes = [cycle.outcome(number) for number in (good, bad, other)]
    assert outcomes == ["ok", "INTERNAL_ERROR", "ok"]

    # It is reported though the log is almost full, too, and wants a snapshot.
    cycle.cycle.snapshots.records = 2000
    cycle.ask(command("leave_room"))
    cycle.said(SaveSnapshot)
    assert str(cycle.said(Report).error) == "a fault"


def test_a_universe_that_was_loaded_is_announced_and_taken_up() -> None:
    cycle = Cycle()
    cycle.ask(update())
    cycle.loads(universe_with("ann", position=10))
    assert cycle.said(AnnounceHead) == AnnounceHead(10, "", at_once=False)
    universe = universe_with("ann").universe
    assert universe is not None
    assert cycle.said(ResumeEffects) == ResumeEffects(universe)


def test_a_tombstone_that_was_loaded_is_erased_again() -> None:
    cycle, history = Cycle(), created()
    history.does(command("delete_universe"), caller("owner"))
    cycle.ask(update())
    cycle.loads(Loaded(history.now, 10))
    assert cycle.said(Erase) == Erase(Loaded(history.now, 10))


def test_after_enough_records_a_snapshot_is_saved_once_at_a_time() -> None:
    cycle = at_hand("ann")
    for n in range(256):
        cycle.ask(update(n % 20))
        cycle.stores(at=11 + n)
    assert cycle.said(SaveSnapshot).loaded.position == 11 + 255
    cycle.ask(update(1))
    cycle.stores(at=267)
    assert not [each for each in cycle.commands if isinstance(each, SaveSnapshot)]
    cycle.tell(SnapshotSaved(Coverage(5, (266,))))
    assert cycle.cycle.known is not None
    assert cycle.cycle.known.coverage.marks == (266,)
    assert cycle.cycle.snapshots.records == 1


def damaged(*users: str, position: int = 8) -> Loaded:
    return replace(universe_with(*users, position=position), is_damaged=True)


def test_a_log_that_lost_records_goes_on_with_one_that_says_so_before_anything_else() -> None:
    cycle = Cycle()
    number = cycle.ask(update())
    cycle.tell(Read(damaged("ann"), []))
    before = damaged("ann").universe
    assert before is not None
    append = cycle.does(Append)
    assert append.position == 8
    assert append.at > before.updated_at
    (lost,) = append.events
    assert isinstance(lost, HistoryLost)
    assert lost.seq == before.seq + SEQ_JUMP
    cycle.appended(at=9).said(SaveSnapshot)
    cycle.tell(EffectsDone())
    cycle.stores(at=10)
    assert cycle.replies[number].seq == before.seq + SEQ_JUMP + 1


@pytest.mark.parametrize("position", [1, 10])
def test_a_snapshot_is_stored_on_demand_unless_one_covers_the_position(position: int) -> None:
    cycle = at_hand("ann")
    core, known = cycle.cycle, cycle.cycle.known
    assert known is not None
    assert core.cover(known.position + 1) == []
    assert core.cover(position) == [SaveSnapshot(known)]
    cycle.tell(SnapshotSaved(Coverage(3, (10,))))
    assert core.cover(position) == []


def test_no_snapshot_is_stored_on_demand_of_what_is_unknown_uncertain_or_damaged() -> None:
    assert Cycle().cycle.cover(1) == []
    uncertain = at_hand("ann")
    uncertain.ask(update())
    uncertain.tell(Failed(StepFailure.UNAVAILABLE))
    assert uncertain.cycle.known is not None
    assert uncertain.cycle.cover(1) == []
    mending = Cycle()
    mending.ask(update())
    mending.tell(Read(damaged("ann"), []))
    assert mending.cycle.cover(1) == []


def test_a_loss_that_is_found_by_an_owner_that_had_the_universe_at_hand_costs_nothing() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update(3))
    known = cycle.tell(Conflicted()).does(ReadOn).known
    cycle.tell(Read(replace(known, position=6, is_damaged=True), []))
    assert cycle.does(Append).position == 6
    cycle.stores(at=7).stores(at=8)
    assert cycle.outcome(number) == "ok"
    assert cycle.cycle.ring.after(6) is None


def seq_of(known: Loaded | None) -> int:
    assert known is not None
    return known.seq


def test_a_number_that_members_saw_has_the_loss_written_down_once_however_often_it_is_named() -> (
    None
):
    cycle = at_hand("ann")
    seen = seq_of(cycle.cycle.known) + 3
    number = cycle.ask(update(1), seen_seq=seen)
    # Another owner may have stored that.
    cycle.does(ReadOn)
    cycle.tell(Read(universe_with("ann"), []))
    (lost,) = cycle.does(Append).events
    assert isinstance(lost, HistoryLost)
    assert lost.seq > seen
    cycle.stores(at=11).stores(at=12)
    again = cycle.ask(update(2), seen_seq=seen)
    assert cycle.does(Append).position == 12
    cycle.stores(at=13)
    cycle.now_s += 3600
    later = cycle.ask(update(3), seen_position=3, seen_seq=seen, within_s=60)
    assert cycle.does(Append).position == 13
    cycle.stores(at=14)
    assert [cycle.outcome(each) for each in (number, again, later)] == ["ok"] * 3


def test_a_number_that_the_universe_has_reached_is_no_loss_wherever_it_was_seen() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update(), seen_position=30, seen_seq=seq_of(cycle.cycle.known))
    # A position beyond the end is looked for all the same: another owner may have stored it.
    cycle.does(ReadOn)
    cycle.tell(Read(universe_with("ann"), []))
    assert not any(isinstance(event, HistoryLost) for event in cycle.does(Append).events)
    cycle.stores(at=11)
    assert cycle.outcome(number) == "ok"


def test_where_a_loss_cannot_be_written_down_nothing_is_decided() -> None:
    cycle = Cycle()
    numbers = [cycle.ask(update(1)), cycle.ask(update(2))]
    cycle.tell(Read(damaged("ann"), []))
    cycle.does(Append)
    cycle.tell(Failed(StepFailure.TOO_LARGE))
    assert [cycle.outcome(each) for each in numbers] == ["INTERNAL_ERROR"] * 2
    assert cycle.work is None
    cycle.ask(update(3))
    (lost,) = cycle.does(Append).events
    assert isinstance(lost, HistoryLost)


def test_a_universe_that_never_was_and_a_tombstone_are_not_mended() -> None:
    cycle, history = Cycle(), created()
    history.does(command("delete_universe"), caller("owner"))
    cycle.ask(update(), seen_seq=9)
    cycle.loads(Loaded(None, 0)).does(ReadOn)
    cycle.tell(Read(Loaded(None, 0), [])).confirms()
    assert cycle.work is None
    other = Cycle()
    other.ask(update(), seen_seq=9)
    other.loads(replace(Loaded(history.now, 10), is_damaged=True)).does(ReadOn)
    other.tell(Read(replace(Loaded(history.now, 10), is_damaged=True), [])).confirms()
    assert other.work is None


def test_a_universe_that_is_lost_says_so() -> None:
    cycle = Cycle()
    number = cycle.ask(update())
    cycle.tell(Failed(StepFailure.LOST))
    assert cycle.outcome(number) == "DAMAGED"


def test_who_was_sent_another_record_at_its_position_is_not_continued() -> None:
    cycle = at_hand("ann")
    cycle.ask(update())
    cycle.stores(at=11)
    resume = ResumeRoom(
        universe_id=UNIVERSE, mode="edit", replaces="ann-1", after_position=11, after_record="r11"
    )
    right = cycle.ask(resume, caller("ann", tab=2))
    cycle.stores(at=12)
    wrong = cycle.ask(resume.model_copy(update={"after_record": "other"}), caller("ann", tab=3))
    cycle.confirms()
    assert [cycle.outcome(number) for number in (right, wrong)] == ["ok", "OFFSET"]


def test_a_request_whose_gateway_was_sent_more_has_the_log_read_and_then_mended() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update(), seen_position=20)
    # Another owner may have stored that.
    assert cycle.does(ReadOn).known.position == 10
    cycle.tell(Read(universe_with("ann"), []))
    (lost,) = cycle.does(Append).events
    assert isinstance(lost, HistoryLost)
    cycle.stores(at=11)
    assert cycle.does(Append).position == 11
    cycle.stores(at=12)
    assert cycle.outcome(number) == "ok"
    # Gateways say it until they have heard of the loss.
    later = cycle.ask(update(6), seen_position=20)
    cycle.stores(at=13)
    assert cycle.outcome(later) == "ok"


def test_an_owner_that_loads_less_than_members_were_sent_reads_on_and_then_mends_once() -> None:
    cycle = Cycle()
    number = cycle.ask(update())
    cycle.does(Load)
    cycle.tell(Read(universe_with("ann"), [], Seen.named(20, 0)))
    # Another owner may have stored that.
    assert cycle.does(ReadOn).known.position == 10
    cycle.tell(Read(universe_with("ann"), []))
    (lost,) = cycle.does(Append).events
    assert isinstance(lost, HistoryLost)
    cycle.stores(at=11).stores(at=12)
    later = cycle.ask(update(6))
    assert cycle.does(Append).position == 12
    cycle.stores(at=13)
    assert [cycle.outcome(each) for each in (number, later)] == ["ok", "ok"]


def test_an_owner_that_loads_all_that_members_were_sent_begins_at_once() -> None:
    cycle = Cycle()
    cycle.ask(update())
    cycle.does(Load)
    seen = Seen.named(10, seq_of(universe_with("ann")))
    cycle.tell(Read(universe_with("ann"), [], seen))
    assert cycle.does(Append).position == 10


def test_a_log_of_which_nothing_is_known_is_read_on_if_its_gateway_was_sent_its_first_record() -> (
    None
):
    cycle = Cycle()
    number = cycle.ask(update(), seen_position=1)
    cycle.loads(Loaded(None, 0))
    cycle.does(ReadOn)
    cycle.tell(Read(universe_with("ann", position=1), []))
    cycle.stores(at=2)
    assert cycle.outcome(number) == "ok"


def test_a_log_that_another_owner_went_on_with_is_not_mended() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update(), seen_position=12)
    cycle.does(ReadOn)
    cycle.tell(Read(universe_with("ann", position=12), []))
    assert cycle.does(Append).position == 12
    cycle.stores(at=13)
    assert cycle.outcome(number) == "ok"


def test_a_loss_that_another_owner_has_told_of_is_not_told_again() -> None:
    cycle = at_hand("ann")
    number = cycle.ask(update(), seen_position=20)
    cycle.does(ReadOn)
    known = universe_with("ann", position=12)
    assert known.universe is not None
    lost = history_lost(known.universe, known.universe.updated_at)
    told = encode_record("r12", lost.timestamp, [lost])
    cycle.tell(Read(known, [RecentRecord(12, 10, told)]))
    events = cycle.does(Append).events
    assert not any(isinstance(event, HistoryLost) for event in events)
    cycle.stores(at=21)
    assert cycle.outcome(number) == "ok"
