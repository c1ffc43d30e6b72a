"""Bars of endless pieces in memory: each taken once, kept until it ends, within bounds."""

import pytest

from gateway.stored_bars import stored
from harmonic_gateway.delivery.bars import HeardBar, KeptBars, read_bar
from harmonic_gateway.sockets import Frame
from harmonic_protocol.messages.endless import MAX_BAR_BYTES
from harmonic_protocol.subjects import BAR_SLOTS


def bar(number: int, *, ends_s: float = 10, size: int = 2) -> HeardBar:
    return HeardBar("s", number, ends_s - 1, ends_s, b"x" * size)


def taken(kept: KeptBars, one: HeardBar, now_s: float = 0) -> Frame | None:
    return kept.take("u", one, now_s, over_s=99)


def test_a_bar_is_news_once() -> None:
    kept = KeptBars()
    frame = taken(kept, bar(1))
    assert frame is not None
    assert (frame.name, frame.over_s, frame.offset) == ("music_bar", 99, None)
    assert taken(kept, bar(1)) is None
    assert taken(kept, bar(2)) is not None
    assert kept.number == 2


def test_what_is_kept_is_told_in_the_order_of_the_bars_until_each_ends() -> None:
    kept = KeptBars()
    # By their beginnings: a later piece numbers its bars anew.
    for number, place in ((2, 2), (9, 1), (3, 3)):
        taken(kept, bar(number, ends_s=place, size=place))
    assert [frame.data for frame in kept.frames("u", 0)] == [b"x", b"xx", b"xxx"]
    assert [frame.data for frame in kept.frames("u", 1)] == [b"xx", b"xxx"]
    assert kept.size_bytes == 5
    assert list(kept.frames("u", 3)) == []
    assert (kept.size_bytes, kept.number) == (0, 0)
    assert list(kept.frames("other", 0)) == []


def test_a_bar_that_has_ended_is_not_taken() -> None:
    kept = KeptBars()
    assert taken(kept, bar(1, ends_s=5), now_s=5) is None
    assert kept.number == 0


def test_what_is_beyond_the_bounds_is_shown_and_not_kept() -> None:
    kept = KeptBars(max_bytes=3)
    assert taken(kept, bar(1)) is not None
    assert taken(kept, bar(2)) is not None
    assert (kept.number, kept.size_bytes, kept.turned_away) == (1, 2, 1)
    many = KeptBars(max_bytes=2 * BAR_SLOTS)
    for number in range(BAR_SLOTS + 2):
        assert taken(many, bar(number)) is not None
    assert (many.number, many.turned_away) == (BAR_SLOTS, 2)
    many.forget("other")
    assert many.number == BAR_SLOTS
    many.forget("u")
    assert (many.number, many.size_bytes) == (0, 0)


def test_what_has_ended_makes_room_for_a_bar_that_comes() -> None:
    kept = KeptBars(max_bytes=2)
    taken(kept, bar(1, ends_s=5))
    taken(kept, bar(2, ends_s=10), now_s=5)
    assert [frame.data for frame in kept.frames("u", 5)] == [b"xx"]
    assert (kept.number, kept.turned_away) == (1, 0)


def test_a_bar_is_read_up_to_the_largest() -> None:
    payload = stored(1)
    assert read_bar("u", payload + b" " * (MAX_BAR_BYTES - len(payload))) is not None
    assert read_bar("u", payload + b" " * (MAX_BAR_BYTES + 1 - len(payload))) is None


def test_a_bar_is_written_anew_with_what_is_declared_alone() -> None:
    payload = stored(1)
    heard = read_bar("u", payload[:-1] + b',"evil":"<b>"}')
    assert heard is not None
    assert heard.data == payload
    assert heard.ends_s - heard.starts_s == 1
    assert (heard.stream_id, heard.number) == ("s", 1)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[1]",
        stored(1, universe="another"),
        stored(1, notes=MAX_BAR_BYTES // 50),
        stored(1).replace(b":60,", b":600,"),
        stored(1).replace(b"2999", b"year"),
    ],
    ids=["nothing", "empty", "list", "another's", "large", "no pitch", "no time"],
)
def test_what_is_no_bar_of_the_universe_is_passed_over(payload: bytes) -> None:
    assert read_bar("u", payload) is None
