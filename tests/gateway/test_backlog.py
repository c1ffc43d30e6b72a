"""What waits for a client: in order, without what was superseded, and how much of it counts."""

from harmonic_gateway.sockets.backlog import Backlog
from harmonic_gateway.sockets.frames import Encoded


def texts(backlog: Backlog) -> list[str]:
    return [str(packet) for encoded in backlog for packet in encoded.packets]


def of(name: str, *, supersedes: str | None = None) -> Encoded:
    return Encoded.of([name], supersedes=supersedes)


def test_of_superseded_events_the_last_one_waits_in_its_own_place() -> None:
    backlog = Backlog(0)
    for name, key in [("a1", "a"), ("n1", None), ("b1", "b"), ("a2", "a"), ("n2", None)]:
        backlog.add(of(name, supersedes=key))
    assert backlog.tidy(0) == (1, 0)
    assert texts(backlog) == ["n1", "b1", "a2", "n2"]
    assert backlog.bytes == sum(len(encoded.raw) for encoded in backlog)
    assert backlog.tidy(0) == (0, 0)


def test_each_packet_that_is_removed_is_told_and_counts_no_more() -> None:
    backlog = Backlog(0)
    for number in range(3):
        backlog.add(of(f"a{number}", supersedes="a"))
        backlog.add(Encoded.of([f"s{number}"], droppable=True))
    assert backlog.counted_bytes == backlog.bytes
    assert backlog.tidy(0) == (2, 3)
    assert texts(backlog) == ["a2"]
    assert backlog.counted_bytes == backlog.bytes == len(of("a2").raw)


def test_live_signals_do_not_wait_for_long() -> None:
    backlog = Backlog(0)
    for encoded in (of("n1"), Encoded.of(["s1"], droppable=True), of("n2")):
        backlog.add(encoded)
    assert backlog.tidy(0) == (0, 1)
    assert texts(backlog) == ["n1", "n2"]


def test_what_has_its_moment_waits_until_that_is_over() -> None:
    backlog = Backlog(0)
    for over_s in (10, 20):
        backlog.add(Encoded.of([f"until {over_s}"], over_s=over_s))
    assert backlog.tidy(9.9) == (0, 0)
    assert backlog.tidy(10) == (0, 1)
    assert texts(backlog) == ["until 20"]


def test_what_is_owed_stays_whole_and_does_not_count() -> None:
    backlog = Backlog(0)
    backlog.add(of("a1", supersedes="a"))
    backlog.add(of("a2", supersedes="a"), owed=True)
    assert backlog.counted_bytes == 0
    for name in ("a3", "a4"):
        backlog.add(of(name, supersedes="a"))
    assert backlog.tidy(0) == (1, 0)
    assert texts(backlog) == ["a1", "a2", "a4"]
    assert backlog.counted_bytes == len(of("a4").raw)
    for left, is_owing in ((["a2", "a4"], True), (["a4"], False), ([], False)):
        backlog.take()
        assert (texts(backlog), backlog.is_owing) == (left, is_owing)
    assert (backlog.bytes, backlog.counted_bytes) == (0, 0)


def test_what_is_taken_is_what_came_first() -> None:
    backlog = Backlog(7)
    assert not backlog
    assert backlog.first() is None
    assert backlog.moved_at_s == 7
    first, second = of("n1"), of("n2")
    backlog.add(first)
    backlog.add(second)
    assert backlog
    assert backlog.first() is first
    assert [backlog.take(), backlog.take()] == [first, second]
    assert backlog.first() is None


def test_what_was_tidied_is_known_until_it_is_taken() -> None:
    backlog = Backlog(0)
    for name in ("n1", "n2"):
        backlog.add(of(name))
    assert backlog.tidied_bytes == 0
    backlog.tidy(0)
    assert backlog.tidied_bytes == backlog.bytes
    backlog.add(of("n3"))
    backlog.take()
    assert backlog.tidied_bytes == backlog.bytes
    backlog.take()
    assert backlog.tidied_bytes == backlog.bytes == len(of("n3").raw)
