"""The latest records in memory."""

from harmonic_state.ring import RecentRecord, Ring


def record(position: int, previous: int, size: int = 10) -> RecentRecord:
    return RecentRecord(position, previous, b"x" * size)


def test_what_follows_a_position_is_found_if_the_ring_reaches_back() -> None:
    ring = Ring(1000)
    assert ring.after(0) is None
    for position, previous in ((5, 3), (9, 5), (12, 9)):
        ring.add(record(position, previous))
    assert ring.after(2) is None
    assert [found.position for found in ring.after(3) or ()] == [5, 9, 12]
    assert [found.position for found in ring.after(9) or ()] == [12]
    assert ring.after(12) == []


def test_the_oldest_go_when_there_is_too_much() -> None:
    ring = Ring(25)
    for position in range(1, 5):
        ring.add(record(position, position - 1))
    assert ring.bytes == 20
    assert ring.after(1) is None
    assert [found.position for found in ring.after(2) or ()] == [3, 4]


def test_a_record_larger_than_the_ring_leaves_it_empty() -> None:
    ring = Ring(25)
    ring.add(record(1, 0, size=26))
    assert (ring.bytes, ring.after(0)) == (0, None)


def test_a_hole_makes_it_begin_anew() -> None:
    ring = Ring(1000)
    ring.add(record(1, 0))
    ring.add(record(7, 4))
    assert ring.after(1) is None
    assert [found.position for found in ring.after(4) or ()] == [7]


def test_as_many_bytes_as_the_bound_fit() -> None:
    ring = Ring(20)
    ring.add(record(1, 0))
    ring.add(record(2, 1))
    assert [found.position for found in ring.after(0) or ()] == [1, 2]


def test_what_is_forgotten_takes_nothing() -> None:
    ring = Ring(1000)
    assert ring.bytes == 0
    ring.add(record(1, 0))
    ring.clear()
    assert ring.bytes == 0
    ring.add(record(2, 1))
    assert ring.bytes == 10


def test_a_record_is_found_at_its_position_alone() -> None:
    ring = Ring(1000)
    assert ring.at(5) is None
    first, second = record(5, 3), record(9, 5)
    ring.add(first)
    ring.add(second)
    assert [ring.at(position) for position in (4, 5, 6, 9, 10)] == [None, first, None, second, None]
