"""Bars of endless pieces in memory: each taken once, kept until it ends, within bounds."""

import pytest

from gateway.stored_bars import BEGINS_S, stored
from harmonic_gateway.delivery.bars import MAX_LEAD_S, HeardBar, KeptBars, Unbelieved, read_bar
from harmonic_gateway.sockets import Frame
from harmonic_protocol.messages.endless import MAX_BAR_BYTES
from harmonic_protocol.subjects import BAR_SLOTS


def bar(number: int, *, ends_s: float = 10, size: int = 2) -> HeardBar:
    return HeardBar("s", number, ends_s - 1, ends_s, b"x" * size)


def taken(kept: KeptBars, one: HeardBar, now_s: float = 0) -> Frame | Unbelieved | None:
    return kept.take("u", one, now_s, over_s=99)


def test_a_bar_is_news_once() -> None:
    kept = KeptBars()
    frame = taken(kept, bar(1))
    assert isinstance(frame, Frame)
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


def test_what_is_beyond_the_bound_of_bytes_is_shown_and_not_kept() -> None:
    kept = KeptBars(max_bytes=3)
    assert isinstance(taken(kept, bar(1)), Frame)
    assert isinstance(taken(kept, bar(2)), Frame)
    assert (kept.number, kept.size_bytes) == (1, 2)


def test_what_has_ended_makes_room_for_a_bar_that_comes() -> None:
    kept = KeptBars(max_bytes=2)
    taken(kept, bar(1, ends_s=5))
    taken(kept, bar(2, ends_s=10), now_s=5)
    assert [frame.data for frame in kept.frames("u", 5)] == [b"xx"]
    assert kept.number == 1


def test_a_bar_is_read_up_to_the_largest() -> None:
    payload = stored(1)
    largest = payload + b" " * (MAX_BAR_BYTES - len(payload))
    assert isinstance(read_bar("u", largest, BEGINS_S), HeardBar)
    assert read_bar("u", largest + b" ", BEGINS_S) is Unbelieved.NO_BAR


def test_a_universe_has_so_many_unfinished_bars_and_no_more() -> None:
    kept = KeptBars()
    for number in range(BAR_SLOTS):
        assert isinstance(taken(kept, bar(number)), Frame)
    assert taken(kept, bar(BAR_SLOTS)) is Unbelieved.TOO_MANY
    assert kept.number == BAR_SLOTS
    # They have ended.
    assert isinstance(taken(kept, bar(BAR_SLOTS, ends_s=20), now_s=10), Frame)
    kept.forget("other")
    assert kept.number == 1
    kept.forget("u")
    assert (kept.number, kept.size_bytes) == (0, 0)


def test_a_bar_is_written_anew_with_what_is_declared_alone() -> None:
    payload = stored(1)
    heard = read_bar("u", payload[:-1] + b',"evil":"<b>"}', BEGINS_S)
    assert isinstance(heard, HeardBar)
    assert heard.data == payload
    assert heard.ends_s - heard.starts_s == 1
    assert (heard.stream_id, heard.number) == ("s", 1)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", Unbelieved.NO_BAR),
        (b"{}", Unbelieved.NO_BAR),
        (b"[1]", Unbelieved.NO_BAR),
        (stored(1, universe="another"), Unbelieved.ANOTHERS),
        (stored(1, notes=MAX_BAR_BYTES // 50), Unbelieved.NO_BAR),
        (stored(1).replace(b":60,", b":600,"), Unbelieved.NO_BAR),
        (stored(1).replace(b'"startsAt":"2', b'"startsAt":"two'), Unbelieved.NO_BAR),
        (
            stored(1).replace(b'"duration":1.0,"tempo"', b'"duration":1e-9,"tempo"'),
            Unbelieved.NO_BAR,
        ),
    ],
    ids=["nothing", "empty", "list", "another's", "large", "no pitch", "no time", "no length"],
)
def test_what_is_no_bar_of_the_universe_is_passed_over(payload: bytes, why: Unbelieved) -> None:
    assert read_bar("u", payload, BEGINS_S) is why


@pytest.mark.parametrize("year", [b"2999", b"9999"])
def test_a_bar_that_begins_far_ahead_is_passed_over(year: bytes) -> None:
    payload = stored(1).replace(b'"startsAt":"20', b'"startsAt":"' + year[:2])
    assert read_bar("u", payload, BEGINS_S) is Unbelieved.TOO_EARLY
    assert read_bar("u", stored(1), BEGINS_S - MAX_LEAD_S) is Unbelieved.TOO_EARLY
    assert isinstance(read_bar("u", stored(0), BEGINS_S - MAX_LEAD_S + 1), HeardBar)
