"""Requests that are decided together, what is replied to each, and when snapshots are due."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest

from harmonic_protocol.envelope import NO_TRACE, Caller, Reply, RequestTrace
from harmonic_protocol.internal import CloseConnection, ReleaseGateway, ResumeRoom
from harmonic_protocol.log import HistoryLost, record_mark
from harmonic_runtime.process.clock import milliseconds
from harmonic_state.batches import Batch, Conditions, Decided, decide_batch, mending_batch, reply_to
from harmonic_state.domain.decide import Decision
from harmonic_state.domain.events import encode_record
from harmonic_state.domain.mending import SEQ_JUMP
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.loaded import Coverage, Loaded
from harmonic_state.losses import Seen
from harmonic_state.parts import MAX_PART_BYTES, log_part
from harmonic_state.pending import PendingRequest
from harmonic_state.refusals import AHEAD, FULL
from harmonic_state.ring import RecentRecord, Ring
from harmonic_state.snapshot_plan import RETRY_STORING_S, SnapshotPlan
from harmonic_state.steps import Instant, SaveSnapshot
from harmonic_state.waiting_line import WaitingLine
from state_service.builders import (
    UNIVERSE,
    caller,
    command,
    created,
    open_universe,
    received,
)
from state_service.cycles import update

ANN, BOB = caller("ann"), caller("bob")
EDIT = command("join_room", mode="edit")
TEMPO = command("update_music", parameters={"tempo": 90})
AT = datetime(2024, 3, 21, 11, 0, 0, 7000, tzinfo=UTC)
AT_MS = milliseconds(AT)
STAMP = "2024-03-21T11:00:00.007Z"
POSITION = 10


def pending(request: UniverseRequest, by: Caller = ANN, *, until_s: float = 3.0) -> PendingRequest:
    return PendingRequest(request, by, until_s, lambda _: None, "fresh", 42)


def conditions(*, almost_full: bool = False, at: datetime = AT) -> Conditions:
    return Conditions(Instant(milliseconds(at), 0.0), almost_full=almost_full)


def known(*users: Caller) -> Loaded:
    history = open_universe()
    for user in users:
        history.does(EDIT, user)
    return Loaded(history.now, POSITION)


def resume(after_position: int | None, by: Caller = ANN) -> ResumeRoom:
    return ResumeRoom(
        universe_id=UNIVERSE,
        mode="edit",
        replaces=by.connection_id,
        after_position=after_position,
    )


def decided(batch: Batch) -> list[bool]:
    """Whether something is to be stored for each request."""
    return [each.has_events for each in batch.decided]


def test_each_request_is_decided_on_what_those_before_it_changed() -> None:
    batch = decide_batch([pending(EDIT), pending(EDIT), pending(TEMPO)], known(), conditions())
    assert decided(batch) == [True, False, True]
    assert batch.at == STAMP
    assert batch.errors == []
    assert batch.after is not None
    assert batch.after.parameters.music.tempo == 90
    (_, update) = [each.decision for each in batch.decided if each.has_events]
    assert isinstance(update, Decision)
    assert update.seq == batch.after.seq == 2
    assert list(batch.events)[-1] == update.events[-1]
    assert [each.moment.timestamp for each in batch.decided] == [STAMP] * 3


def test_a_refused_request_stores_nothing_and_harms_no_other() -> None:
    batch = decide_batch([pending(TEMPO), pending(EDIT)], known(), conditions())
    assert decided(batch) == [False, True]
    assert not isinstance(batch.decided[0].decision, Decision)


TRACES = [RequestTrace(number, f"00-{number:032x}-{number:016x}-00") for number in range(4)]
SAMPLED = [RequestTrace(number, f"00-{number:032x}-{number:016x}-01") for number in range(4)]


@pytest.mark.parametrize(
    ("traces", "told"),
    [
        # The first request stores nothing; of the others, the first says when it arrived, ...
        ([SAMPLED[0], TRACES[1], TRACES[2]], TRACES[1]),
        ([TRACES[0], SAMPLED[1], SAMPLED[2]], SAMPLED[1]),
        # ... and the first that is recorded is the trace that goes on.
        ([TRACES[0], TRACES[1], SAMPLED[2], SAMPLED[3]], RequestTrace(1, SAMPLED[2].traceparent)),
        ([TRACES[0]], NO_TRACE),
    ],
)
def test_a_record_belongs_to_the_trace_of_the_first_request_that_stores_something(
    traces: list[RequestTrace], told: RequestTrace
) -> None:
    asked = [EDIT, *(update(number) for number in range(1, len(traces)))]
    waiting = [
        replace(pending(each), trace=trace) for each, trace in zip(asked, traces, strict=True)
    ]
    before = replace(known(ANN), record_id="r9")
    append = decide_batch(waiting, before, conditions()).append_after(before)
    assert append.trace == told
    assert (append.position, append.after) == (POSITION, "r9")


def test_what_a_request_makes_is_drawn_once() -> None:
    piece = command("generate_music", duration=1)
    batch = decide_batch([pending(piece)], known(ANN), conditions())
    (requested,) = batch.events
    job = requested.to_wire()["job"]
    assert isinstance(job, dict)
    assert (job["requestId"], job["seed"]) == ("fresh", 42)
    assert job["deadlineMs"] == int(AT.timestamp() * 1000) + 5000


def test_no_record_is_older_than_the_one_before_it() -> None:
    early = AT.replace(year=2023)
    batch = decide_batch([pending(EDIT)], known(), conditions(at=early))
    assert batch.at == known().universe.updated_at  # type: ignore[union-attr]
    nothing = decide_batch([pending(TEMPO)], Loaded(None, 0), conditions(at=early))
    assert nothing.at == "2023-03-21T11:00:00.007Z"
    assert nothing.after is None


@pytest.mark.parametrize(("after", "is_ahead"), [(None, False), (10, False), (11, True)])
def test_a_position_that_the_log_has_not_reached_is_refused(
    after: int | None, *, is_ahead: bool
) -> None:
    batch = decide_batch([pending(resume(after))], known(ANN), conditions())
    assert (batch.decided[0].decision == AHEAD) is is_ahead


def at_end(record_id: str) -> RecentRecord:
    return RecentRecord(POSITION, 7, encode_record(record_id, STAMP, []))


@pytest.mark.parametrize(
    ("request_", "is_ahead"),
    [
        (resume(POSITION), False),
        (resume(POSITION).model_copy(update={"after_record": "r9"}), False),
        (resume(POSITION).model_copy(update={"after_record": "r8"}), True),
        (resume(POSITION).model_copy(update={"after_mark": record_mark("r9")}), False),
        (resume(POSITION).model_copy(update={"after_mark": record_mark("r8")}), True),
        (resume(7).model_copy(update={"after_mark": record_mark("r7")}), False),
        (resume(7).model_copy(update={"after_mark": record_mark("r8")}), True),
        # No record of this log stands at these positions, or none that is in memory.
        (resume(8), True),
        (resume(6), True),
        (resume(4), False),
        (resume(4).model_copy(update={"after_mark": record_mark("r4")}), False),
    ],
)
def test_a_position_where_another_record_stands_or_none_is_refused(
    request_: ResumeRoom, *, is_ahead: bool
) -> None:
    ring = Ring(1000)
    ring.add(RecentRecord(5, 4, encode_record("r5", STAMP, [])))
    ring.add(RecentRecord(7, 5, encode_record("r7", STAMP, [])))
    ring.add(at_end("r9"))
    now = Instant(AT_MS, 0.0)
    before = replace(known(ANN), record_id="r9")
    batch = decide_batch([pending(request_)], before, Conditions(now, ring=ring))
    assert (batch.decided[0].decision == AHEAD) is is_ahead


@pytest.mark.parametrize(
    ("record_id", "after", "is_ahead"), [("r9", "r9", False), ("r9", "r8", True), ("", "r8", False)]
)
def test_without_records_in_memory_the_last_one_is_known_by_its_id(
    record_id: str, after: str, *, is_ahead: bool
) -> None:
    back = resume(POSITION).model_copy(update={"after_record": after})
    batch = decide_batch(
        [pending(back)], replace(known(ANN), record_id=record_id), Conditions(Instant(AT_MS, 0.0))
    )
    assert (batch.decided[0].decision == AHEAD) is is_ahead


def test_a_position_between_the_first_record_in_memory_and_the_one_before_it_is_refused() -> None:
    ring = Ring(1000)
    ring.add(RecentRecord(7, 5, encode_record("r7", STAMP, [])))
    conditions = Conditions(Instant(AT_MS, 0.0), ring=ring)
    for after, is_ahead in ((5, False), (6, True)):
        batch = decide_batch([pending(resume(after))], known(ANN), conditions)
        assert (batch.decided[0].decision == AHEAD) is is_ahead


def test_a_reply_to_a_join_names_the_record_at_its_position() -> None:
    before = replace(known(), record_id="r9")
    batch = decide_batch([pending(EDIT)], before, conditions())
    after = before.then(batch.after, 11, "r10")
    result = received(reply_to(batch.decided[0], after, Ring(1000))).result
    assert result["record"] == "r10"


@pytest.mark.parametrize(("record_id", "told"), [("r9", "r9"), ("", None)])
def test_who_follows_is_told_the_record_that_the_state_is_as_of(
    record_id: str, told: str | None
) -> None:
    before = replace(known(ANN), record_id=record_id)
    batch = decide_batch([pending(command("follow_universe"))], before, conditions())
    result = received(reply_to(batch.decided[0], before, Ring(1000))).result
    assert result.get("record") == told
    assert result["state"]["universeId"] == UNIVERSE


@pytest.mark.parametrize(("seen", "furthest"), [((), 0), ((5,), 5), ((3, 7), 7), ((9, 2, 4), 9)])
def test_the_furthest_of_what_gateways_were_sent_counts(
    seen: tuple[int, ...], furthest: int
) -> None:
    line = WaitingLine(3)
    for position in seen:
        line.add(replace(pending(TEMPO), seen_position=position))
    assert line.seen == Seen(furthest, 0, furthest)


@pytest.mark.parametrize(
    ("request_", "is_taken"),
    [
        (TEMPO, False),
        (command("join_room", mode="view"), False),
        (EDIT, True),
        (command("leave_room"), True),
        (CloseConnection(universe_id=UNIVERSE), True),
        (ReleaseGateway(universe_id=UNIVERSE, gateway_id="g1"), True),
    ],
    ids=lambda one: one.operation() if hasattr(one, "operation") else None,
)
def test_an_almost_full_log_takes_what_makes_a_universe_smaller_or_changes_nothing(
    request_: UniverseRequest, *, is_taken: bool
) -> None:
    batch = decide_batch([pending(request_)], known(ANN), conditions(almost_full=True))
    assert (batch.decided[0].decision == FULL) is not is_taken
    assert bool(batch.events) is (is_taken and request_ is not EDIT)


def replied(request: UniverseRequest, by: Caller, before: Loaded, ring: Ring) -> Reply:
    batch = decide_batch([pending(request, by)], before, conditions())
    position = POSITION + bool(batch.events)
    return received(reply_to(batch.decided[0], before.then(batch.after, position), ring))


def test_a_reply_says_the_number_and_the_end_of_its_record() -> None:
    reply = replied(TEMPO, ANN, known(ANN), Ring(1000))
    assert (reply.seq, reply.position, reply.result, reply.error) == (2, 11, None, None)
    reply = replied(command("leave_room"), ANN, known(ANN), Ring(1000))
    assert reply.result == {"universeId": UNIVERSE, "timestamp": STAMP}
    refusal = replied(TEMPO, ANN, known(), Ring(1000))
    assert refusal.error is not None
    assert refusal.position is None


def test_who_joins_is_told_the_room_and_nothing_that_it_missed() -> None:
    reply = replied(EDIT, ANN, known(), Ring(1000))
    assert reply.error is None
    assert "missed" not in reply.result


def test_who_joins_a_private_universe_is_answered_as_itself() -> None:
    private = Loaded(created().now, POSITION)
    assert replied(EDIT, caller("owner"), private, Ring(1000)).error is None


@pytest.mark.parametrize("hashed", [False, True])
def test_a_request_is_decided_with_the_space_that_there_is(*, hashed: bool) -> None:
    space = Conditions(Instant(AT_MS, 0.0), hashed=hashed)
    (only,) = decide_batch([pending(TEMPO)], known(ANN), space).decided
    assert only.moment.hashed is hashed


def test_of_what_there_is_not_nothing_is_replied() -> None:
    moment = decide_batch([pending(TEMPO)], known(ANN), conditions()).decided[0].moment
    answer = Decided(pending(TEMPO), moment, Decision((), 3))
    reply = reply_to(answer, Loaded(None, 0), Ring(10))
    assert (reply.seq, reply.position, reply.result) == (3, 0, None)


def recent(position: int, previous: int) -> RecentRecord:
    return RecentRecord(position, previous, encode_record(f"r{position}", STAMP, []))


@pytest.mark.parametrize(
    ("after", "missed"), [(10, [10]), (8, [8, 10]), (7, None), (6, None), (None, None)]
)
def test_who_continues_is_told_what_it_missed_and_the_record_it_knows_a_part_of(
    after: int | None, missed: list[int] | None
) -> None:
    ring = Ring(10_000)
    ring.add(recent(8, 7))
    ring.add(recent(10, 8))
    reply = replied(resume(after), caller("ann", tab=2), known(ANN), ring)
    part = reply.result.get("missed")
    found = [record["position"] for record in part["records"]] if part else None
    assert found == missed
    assert part is None or part["complete"] is True


def test_who_does_not_continue_is_told_nothing_of_what_it_missed() -> None:
    ring = Ring(10_000)
    ring.add(recent(10, 8))
    reply = replied(resume(10, BOB), caller("eve"), known(ANN), ring)
    assert (reply.result["continued"], "missed" in reply.result) == (False, False)


def large(position: int, size: int) -> RecentRecord:
    empty = encode_record("", STAMP, [])
    return RecentRecord(position, position - 1, encode_record("x" * (size - len(empty)), STAMP, []))


def test_a_part_holds_as_much_as_a_reply_may() -> None:
    half = MAX_PART_BYTES // 2
    both = log_part([large(1, half), large(2, half)])
    assert ([each.position for each in both.records], both.complete) == ([1, 2], True)
    one = log_part([large(1, half), large(2, half + 1)])
    assert ([each.position for each in one.records], one.complete) == ([1], False)
    first = log_part([large(1, MAX_PART_BYTES + 1), large(2, 200)])
    assert ([each.position for each in first.records], first.complete) == ([1], False)
    none = log_part([])
    assert (none.records, none.complete) == ((), True)
    assert log_part([recent(3, 2)]).records[0].record.id == "r3"


# The line of those who wait.


def test_a_line_is_bounded_and_keeps_its_order() -> None:
    line = WaitingLine(2)
    first, second = pending(EDIT), pending(TEMPO)
    assert [line.add(each) for each in (first, second, pending(EDIT))] == [True, True, False]
    assert len(line) == 2
    assert list(line) == [first, second]
    assert line.take(1) == [first]
    assert line.take(9) == [second]
    assert len(line) == 0


def test_what_is_put_back_stands_in_front_in_its_order() -> None:
    line = WaitingLine(9)
    first, second, third = pending(EDIT), pending(TEMPO), pending(EDIT)
    line.add(third)
    line.put_back(iter([first, second]))
    assert line.take_all() == [first, second, third]
    assert line.take_all() == []


def test_a_deletion_is_taken_alone() -> None:
    line = WaitingLine(9)
    deletion = command("delete_universe")
    requests = [pending(each) for each in (EDIT, deletion, TEMPO, EDIT)]
    for each in requests:
        line.add(each)
    assert [line.take(9) for _ in range(3)] == [requests[:1], requests[1:2], requests[2:]]


def test_a_request_is_overdue_at_its_deadline() -> None:
    line = WaitingLine(9)
    early, late = pending(EDIT, until_s=1.0), pending(TEMPO, until_s=2.0)
    line.add(late)
    line.add(early)
    assert line.take_overdue(0.9) == []
    assert line.take_overdue(1.0) == [early]
    assert list(line) == [late]
    assert line.take_overdue(2.5) == [late]
    assert len(line) == 0


# The plan of snapshots.


def now(seconds: float) -> Instant:
    return Instant(AT_MS, seconds)


def plan(records: int) -> SnapshotPlan:
    made = SnapshotPlan(every_records=5, uncovered_records=20)
    made.records = records
    return made


def test_a_snapshot_is_due_after_so_many_records_and_one_at_a_time() -> None:
    loaded = known()
    assert plan(4).due(loaded, now(0)) == []
    assert plan(5).due(None, now(0)) == []
    due = plan(5)
    was_saving = due.saving
    assert due.due(loaded, now(0)) == [SaveSnapshot(loaded)]
    assert (was_saving, due.saving) == (False, True)
    assert due.due(loaded, now(0)) == due.begin(loaded) == []


def test_records_that_come_while_a_snapshot_is_saved_count_for_the_next() -> None:
    saving = plan(5)
    saving.begin(known())
    saving.records += 2
    saving.saved(Coverage(1, (5,)), now(0))
    assert (saving.records, saving.saving) == (2, False)
    # Another load may have counted anew meanwhile.
    saving.begin(known())
    saving.records = 1
    saving.saved(Coverage(1, (5,)), now(0))
    assert saving.records == 0


def test_a_snapshot_that_failed_is_tried_again_after_a_time() -> None:
    saving = plan(5)
    saving.begin(known())
    saving.saved(None, now(10))
    assert (saving.records, saving.saving) == (5, False)
    assert saving.due(known(), now(10 + RETRY_STORING_S - 0.1)) == []
    assert not saving.may_retry(now(10))
    assert saving.may_retry(now(10 + RETRY_STORING_S))
    assert len(saving.due(known(), now(10 + RETRY_STORING_S))) == 1


def test_a_plan_begins_without_records() -> None:
    assert SnapshotPlan(every_records=5, uncovered_records=20).records == 0


def test_a_log_is_almost_full_from_its_bound_on() -> None:
    assert not plan(19).almost_full
    assert plan(20).almost_full
    assert not plan(0).saving
    assert plan(0).may_retry(now(0))


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (command("delete_universe"), "NOT_FOUND"),
        (command("update_universe", visibility="private"), "NOT_FOUND"),
        (CloseConnection(universe_id=UNIVERSE), "PERMISSION_DENIED"),
    ],
)
@pytest.mark.parametrize("way_in", [EDIT, resume(None)])
def test_who_loses_its_seat_in_the_record_of_its_joining_is_refused(
    way_in: UniverseRequest, end: UniverseRequest, code: str
) -> None:
    by = ANN if isinstance(end, CloseConnection) else caller("owner")
    batch = decide_batch([pending(way_in), pending(end, by)], known(), conditions())
    reply = reply_to(batch.decided[0], Loaded(batch.after, POSITION), Ring(1000))
    assert reply.error is not None
    assert reply.error.code.value == code
    assert reply.position is None


@pytest.mark.parametrize("deadlines_s", [*permutations((0.5, 2.0, 5.0))])
def test_each_request_is_overdue_at_its_own_deadline_in_whatever_order_they_come(
    deadlines_s: tuple[float, ...],
) -> None:
    line = WaitingLine(3)
    for until_s in deadlines_s:
        line.add(pending(EDIT, until_s=until_s))
        assert line.take_overdue(0.1) == []
    for now_s in sorted(deadlines_s):
        assert [each.deadline_s for each in line.take_overdue(now_s)] == [now_s]


def test_a_loss_is_written_down_with_a_number_above_what_members_saw() -> None:
    universe = known().universe
    assert universe is not None
    for seen in (0, universe.seq + SEQ_JUMP, universe.seq + 7 * SEQ_JUMP):
        batch = mending_batch(universe, Instant(AT_MS, 0.0), seen)
        (lost,) = batch.events
        assert isinstance(lost, HistoryLost)
        assert max(seen, universe.seq) < lost.seq <= max(seen, universe.seq) + SEQ_JUMP
        assert batch.after is not None
        assert batch.after.seq == lost.seq
