"""What is held of a log for somebody who is not sent it yet, within its bound."""

from harmonic_gateway.delivery.places import Position
from harmonic_gateway.membership.held import HeldRecords


def held(max_bytes: int, *positions: int) -> HeldRecords:
    """Some records of two bytes each."""
    records = HeldRecords(max_bytes)
    for position in positions:
        records.add(Position(position), b"ab")
    return records


def test_what_was_never_begun_holds_all_from_the_first_record_on() -> None:
    records = held(4, 1, 2)
    assert records.complete_after == 0
    assert [position for position, _ in records.after(0)] == [1, 2]


def test_beyond_the_bound_the_oldest_are_dropped_and_known_to_be() -> None:
    records = held(4, 1, 2, 3)
    assert records.complete_after == 1
    assert [position for position, _ in records.after(0)] == [2, 3]
    assert records.after(2) == [(3, b"ab")]


def test_what_begins_anew_holds_nothing_of_before_and_has_all_its_space() -> None:
    records = held(4, 1, 2)
    records.begin(7)
    assert (records.complete_after, records.after(0)) == (7, [])
    for position in (8, 9):
        records.add(Position(position), b"ab")
    assert records.complete_after == 7
