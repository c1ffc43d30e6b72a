"""The chain of a universe's records: nothing missing, nothing twice, nothing out of order."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonic_gateway.delivery.chain import (
    MAX_WAITING_BYTES,
    MAX_WAITING_RECORDS,
    Chain,
    Deliver,
    FetchNotes,
    FetchRecords,
    Heard,
    Lose,
    Pause,
    StartTimer,
    Step,
)
from harmonic_gateway.delivery.frames import deliver

PIECE = {
    "name": "music_generated",
    "data": {
        "universeId": "u",
        "timestamp": "2024-03-21T10:30:00.000Z",
        "requestId": "r",
        "userId": "ann",
        "seed": 1,
        "duration": 1,
        "tempo": 90,
        "key": "C",
        "scale": "major",
        "seq": 1,
    },
}


#: More steps than any of these tests takes.
MANY = 2 * MAX_WAITING_RECORDS


def heard(position: int, previous: int, *, piece: bool = False) -> Heard:
    return Heard(position, previous, deliver([PIECE] if piece else []))


def begun(position: int = 0) -> Chain:
    chain = Chain()
    chain.begin(position)
    return chain


def behind(*, expected: int) -> Chain:
    """A chain that began at 0, and to which the record at a position is overdue."""
    chain = begun()
    chain.expect(expected)
    assert chain.next() == StartTimer()
    assert chain.timed_out()
    return chain


def steps(chain: Chain) -> list[Step]:
    """All that there is to do now."""
    found: list[Step] = []
    while (step := chain.next()) is not None:
        found.append(step)
        assert len(found) < MANY
    return found


def positions(found: list[Step]) -> list[object]:
    """The positions delivered, and everything else as it is."""
    return [step.heard.position if isinstance(step, Deliver) else step for step in found]


def test_nothing_is_done_before_it_begins() -> None:
    chain = Chain()
    chain.hear(heard(1, 0))
    chain.expect(7)
    chain.timed_out()
    assert chain.next() is None
    assert chain.position is None


def test_records_that_follow_one_another_are_delivered_in_order() -> None:
    chain = begun(2)
    for one in (heard(5, 2), heard(6, 5), heard(9, 6)):
        chain.hear(one)
    assert positions(steps(chain)) == [5, 6, 9]
    assert chain.position == 9
    chain.hear(heard(10, 9))
    assert positions(steps(chain)) == [10]


def test_a_record_is_delivered_as_it_was_heard_and_without_notes() -> None:
    chain, one = begun(), heard(1, 0)
    chain.hear(one)
    assert chain.next() == Deliver(one, {})
    assert chain.next() is None


def test_what_was_delivered_or_lies_before_the_beginning_is_passed_over() -> None:
    chain = begun(5)
    for one in (heard(5, 4), heard(6, 5), heard(6, 5)):
        chain.hear(one)
    assert positions(steps(chain)) == [6]


def test_a_missing_record_is_read_before_the_one_that_shows_it() -> None:
    chain = begun(1)
    chain.hear(heard(4, 3))
    assert steps(chain) == [FetchRecords(1)]
    chain.part_read([heard(2, 1), heard(3, 2)], complete=True)
    assert positions(steps(chain)) == [2, 3, 4]


def test_what_was_read_as_well_as_heard_is_delivered_once() -> None:
    chain = begun(1)
    chain.hear(heard(4, 3))
    steps(chain)
    chain.hear(heard(5, 4))
    chain.part_read([heard(2, 1), heard(3, 2), heard(4, 3)], complete=True)
    assert positions(steps(chain)) == [2, 3, 4, 5]


def test_a_long_gap_is_read_in_parts() -> None:
    chain = behind(expected=2)
    assert steps(chain) == [FetchRecords(0), StartTimer()]
    chain.part_read([heard(1, 0)], complete=False)
    assert positions(steps(chain)) == [1, FetchRecords(1)]
    chain.part_read([], complete=False)
    # The owner had nothing although there is more: not at once again.
    assert steps(chain) == [Pause()]
    chain.paused()
    assert steps(chain) == [FetchRecords(1)]
    chain.part_read([heard(2, 1)], complete=True)
    assert positions(steps(chain)) == [2]
    assert chain.next() is None


def test_while_one_thing_is_waited_for_nothing_else_is_begun() -> None:
    chain = behind(expected=1)
    assert steps(chain) == [FetchRecords(0), StartTimer()]
    chain.hear(heard(1, 0))
    assert chain.next() is None
    assert chain.timed_out()
    assert steps(chain) == [StartTimer()]


def test_a_reading_that_failed_is_tried_again_after_a_pause() -> None:
    chain = behind(expected=1)
    assert steps(chain) == [FetchRecords(0), StartTimer()]
    chain.read_failed()
    assert steps(chain) == [Pause()]
    chain.paused()
    assert steps(chain) == [FetchRecords(0)]


def test_a_log_that_lags_behind_what_was_heard_is_read_again_after_a_pause() -> None:
    chain = begun(0)
    chain.hear(heard(5, 4))
    assert steps(chain) == [FetchRecords(0)]
    chain.part_read([heard(1, 0)], complete=True)
    # Records 2 to 4 are stored, since 5 follows them, but this replica has not heard so.
    assert positions(steps(chain)) == [1, Pause()]
    chain.paused()
    assert steps(chain) == [FetchRecords(1)]
    chain.part_read([heard(4, 1)], complete=True)
    assert positions(steps(chain)) == [4, 5]


def test_a_record_that_was_read_and_heard_hides_no_gap_after_it() -> None:
    chain = begun(0)
    for one in (heard(5, 4), heard(9, 8)):
        chain.hear(one)
    assert steps(chain) == [FetchRecords(0)]
    chain.part_read([heard(4, 0), heard(5, 4)], complete=True)
    assert positions(steps(chain)) == [4, 5, Pause()]


def test_catching_up_joins_up_with_the_first_record_that_is_new() -> None:
    chain = begun(0)
    for one in (heard(2, 1), heard(3, 2)):
        chain.hear(one)
    assert steps(chain) == [FetchRecords(0)]
    chain.part_read([heard(1, 0), heard(2, 1)], complete=True)
    assert positions(steps(chain)) == [1, 2, 3]
    # And later gaps show as before.
    chain.hear(heard(9, 8))
    assert steps(chain) == [FetchRecords(3)]


def test_a_record_waits_for_its_notes_and_all_after_it_with_it() -> None:
    chain = begun(0)
    first = heard(1, 0, piece=True)
    chain.hear(first)
    chain.hear(heard(2, 1))
    assert steps(chain) == [FetchNotes(first)]
    assert chain.position == 0
    chain.notes_fetched({"r": b"[]"})
    assert chain.next() == Deliver(first, {"r": b"[]"})
    assert chain.next() == Deliver(heard(2, 1), {})
    # The notes of one are not those of the next.
    second = heard(3, 2, piece=True)
    chain.hear(second)
    assert steps(chain) == [FetchNotes(second)]
    chain.notes_fetched({})
    assert steps(chain) == [Deliver(second, {})]


def test_records_that_are_read_have_notes_as_well() -> None:
    chain = behind(expected=1)
    steps(chain)
    first = heard(1, 0, piece=True)
    chain.part_read([first], complete=True)
    assert steps(chain) == [FetchNotes(first)]
    chain.notes_fetched({"r": b"[1]"})
    assert steps(chain) == [Deliver(first, {"r": b"[1]"})]


def test_a_record_that_was_spoken_of_is_waited_for_and_then_read() -> None:
    chain = begun(3)
    assert not chain.expect(3)
    assert chain.next() is None
    assert chain.expect(5)
    assert chain.expect(4)
    assert steps(chain) == [StartTimer()]
    assert chain.timed_out()
    assert steps(chain) == [FetchRecords(3), StartTimer()]
    chain.part_read([heard(5, 3)], complete=True)
    assert positions(steps(chain)) == [5]
    assert not chain.timed_out()
    assert chain.next() is None


def test_a_timer_that_finds_everything_there_changes_nothing() -> None:
    chain = begun(3)
    chain.expect(4)
    assert steps(chain) == [StartTimer()]
    chain.hear(heard(4, 3))
    assert positions(steps(chain)) == [4]
    assert not chain.timed_out()
    chain.expect(5)
    assert steps(chain) == [StartTimer()]


def test_a_timer_that_finds_everything_there_leaves_a_reading_that_is_due() -> None:
    chain = begun(3)
    chain.hear(heard(5, 4))
    assert steps(chain) == [FetchRecords(3)]
    assert not chain.timed_out()
    chain.read_failed()
    assert steps(chain) == [Pause()]
    chain.paused()
    assert steps(chain) == [FetchRecords(3)]


def test_a_timer_before_the_beginning_finds_nothing_overdue() -> None:
    chain = Chain()
    chain.expect(4)
    assert not chain.timed_out()


def test_the_timer_runs_beside_whatever_is_waited_for() -> None:
    chain = begun(0)
    chain.hear(heard(2, 1))
    assert steps(chain) == [FetchRecords(0)]
    chain.expect(3)
    assert steps(chain) == [StartTimer()]


def test_a_log_that_was_trimmed_is_lost_once() -> None:
    chain = behind(expected=1)
    steps(chain)
    chain.trimmed()
    assert steps(chain) == [Lose()]
    assert chain.is_closed
    chain.hear(heard(1, 0))
    assert chain.next() is None


def test_a_log_that_goes_on_from_before_what_was_delivered_is_lost() -> None:
    chain = begun(5)
    chain.hear(heard(8, 4))
    assert steps(chain) == [Lose()]
    assert chain.is_closed


def test_a_closed_chain_does_nothing_more() -> None:
    chain = begun(0)
    chain.hear(heard(1, 0))
    chain.expect(4)
    was_closed = chain.is_closed
    chain.close()
    assert (was_closed, chain.is_closed) == (False, True)
    chain.hear(heard(2, 1))
    chain.timed_out()
    assert chain.next() is None


def test_a_second_beginning_is_the_older_of_both() -> None:
    chain = Chain()
    assert chain.begin(7) == 7
    chain.hear(heard(9, 7))
    assert chain.begin(4) == 4
    assert chain.begin(8) == 7
    assert positions(steps(chain)) == [9]


def test_so_many_records_wait_and_what_is_more_is_read_later() -> None:
    chain = begun(0)
    for number in range(MAX_WAITING_RECORDS + 1):
        chain.hear(heard(number + 1, number))
    assert positions(steps(chain)) == list(range(1, MAX_WAITING_RECORDS + 1))
    chain.hear(heard(MAX_WAITING_RECORDS + 2, MAX_WAITING_RECORDS + 1))
    assert steps(chain) == [FetchRecords(MAX_WAITING_RECORDS)]


def test_so_many_bytes_of_records_wait_and_what_is_more_is_read_later() -> None:
    chain, size_bytes = Chain(), MAX_WAITING_BYTES // 2
    for number in range(3):
        chain.hear(Heard(number + 1, number, deliver([]), size_bytes=size_bytes))
    chain.begin(0)
    assert positions(steps(chain)) == [1, 2]
    # What was delivered has made room.
    chain.hear(Heard(4, 3, deliver([]), size_bytes=size_bytes))
    assert steps(chain) == [FetchRecords(2)]
    chain.part_read([heard(3, 2)], complete=True)
    assert positions(steps(chain)) == [3, 4]


def test_what_was_delivered_makes_room_for_as_many_bytes_again() -> None:
    chain = begun()
    for position in (1, 3):
        for number, size_bytes in ((position, MAX_WAITING_BYTES - 1), (position + 1, 1)):
            chain.hear(Heard(number, number - 1, deliver([]), size_bytes=size_bytes))
        # No byte more than these.
        chain.hear(Heard(position + 2, position + 1, deliver([]), size_bytes=1))
        assert positions(steps(chain)) == [position, position + 1]


def test_a_record_that_is_due_is_passed_on_while_nothing_waits() -> None:
    chain = begun(2)
    assert chain.pass_on(heard(5, 2))
    assert chain.position == 5
    assert not chain.pass_on(heard(5, 2))
    assert not chain.pass_on(heard(9, 7))
    assert not chain.pass_on(heard(6, 5, piece=True))
    chain.hear(heard(9, 7))
    assert not chain.pass_on(heard(6, 5))
    assert positions(steps(chain)) == [FetchRecords(5)]
    chain.part_read([heard(7, 5)], complete=True)
    assert not chain.pass_on(heard(6, 5))
    assert positions(steps(chain)) == [7, 9]
    assert chain.pass_on(heard(10, 9))


@pytest.mark.parametrize("is_trimmed", [False, True])
def test_nothing_is_passed_on_at_the_end(*, is_trimmed: bool) -> None:
    chain = begun(2)
    (chain.trimmed if is_trimmed else chain.close)()
    assert not chain.pass_on(heard(5, 2))


def test_what_is_overdue_is_not_passed_on_but_read() -> None:
    chain = behind(expected=3)
    assert not chain.pass_on(heard(2, 0))
    assert steps(chain) == [FetchRecords(0), StartTimer()]
    chain.part_read([heard(2, 0), heard(3, 2)], complete=True)
    assert not chain.pass_on(heard(2, 0))
    assert positions(steps(chain)) == [2, 3]


class Broker:
    """A log, a broker that loses, repeats and delays, and an owner whose replica may lag."""

    def __init__(self, data: st.DataObject, records: list[Heard]) -> None:
        self.choose = data.draw
        self.records = records
        self.chain = begun(0)
        self.delivered: list[int] = []
        self.asked: int | None = None

    def follow(self, *, fairly: bool) -> None:
        """Do what the chain asks for; ``fairly`` if every reading succeeds and lags no more."""
        steps_taken = 0
        while (step := self.chain.next()) is not None:
            steps_taken += 1
            assert steps_taken < MANY
            match step:
                case Deliver(one, notes):
                    assert bool(notes) == bool(one.delivery.pieces())
                    self.delivered.append(one.position)
                case FetchNotes():
                    self.chain.notes_fetched({"r": b"[]"})
                case Pause():
                    self.chain.paused()
                case StartTimer():
                    self.chain.timed_out()
                case Lose():
                    pytest.fail("nothing is trimmed here")
                case FetchRecords(after):
                    self.read(after, fairly=fairly)

    def read(self, after: int, *, fairly: bool) -> None:
        if not fairly and self.choose(st.booleans()):
            self.chain.read_failed()
            return
        left = [one for one in self.records if one.position > after]
        if not fairly:
            left = left[: self.choose(st.integers(0, len(left)))]
        part = left if fairly else left[: self.choose(st.integers(0, len(left)))]
        self.chain.part_read(part, complete=len(part) == len(left))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=8))
def test_whatever_the_broker_does_all_is_delivered_once_and_in_order(
    data: st.DataObject, gaps: list[tuple[int, bool]]
) -> None:
    ends = [0]
    for gap, _ in gaps:
        ends.append(ends[-1] + gap)
    records = [
        heard(position, previous, piece=piece)
        for (previous, position), (_, piece) in zip(pairwise(ends), gaps, strict=True)
    ]
    broker = Broker(data, records)
    sent = data.draw(st.lists(st.sampled_from(records), max_size=12))
    sent = [one for one in records if one in sent] if data.draw(st.booleans()) else sent
    for one in sent:
        if data.draw(st.booleans()) and broker.chain.pass_on(one):
            broker.delivered.append(one.position)
        else:
            broker.chain.hear(one)
        if data.draw(st.booleans()):
            broker.follow(fairly=False)
        assert broker.delivered == ends[1 : len(broker.delivered) + 1]
    broker.chain.expect(ends[-1])
    broker.follow(fairly=True)
    assert broker.delivered == ends[1:]
