"""Every way of not being sent the log is found out."""

from collections.abc import Sequence
from typing import Any

import pytest

from recovery.checker import Sent, Stay, check, read_notes

ROOM = "room"


def sent(*seqs: int) -> list[Sent]:
    return [Sent(seq, "physics_updated", f"at {seq}") for seq in seqs]


# Presence has numbers, too, and is not sent again: logs of what is have holes.
LOG = sent(2, 3, 5, 6, 9)


def found(frames: Sequence[Sent], *, after_seq: int = 2, to_the_end: bool = True) -> dict[str, int]:
    stay = Stay("ann", ROOM, after_seq, list(frames), to_the_end)
    counts = check({ROOM: LOG}, [stay]).counts
    return {kind: count for kind, count in counts.items() if count and kind != "sent"}


def test_who_was_sent_all_that_followed_lacks_nothing() -> None:
    assert found(sent(3, 5, 6, 9)) == {}
    assert check({ROOM: LOG}, [Stay("ann", ROOM, 2, sent(3, 5, 6, 9))]).is_good


@pytest.mark.parametrize(
    ("frames", "wrong"),
    [
        ((3, 6, 9), {"missing": 1}),
        ((5, 6, 9), {"missing": 1}),
        ((3, 5), {"missing": 2}),
        ((), {"missing": 4}),
        ((3, 5, 5, 6, 9), {"duplicated": 1}),
        ((3, 5, 6, 9, 3, 5), {"duplicated": 2}),
        ((3, 6, 5, 9), {"out of order": 1}),
    ],
)
def test_what_is_wrong_is_counted(frames: Sequence[int], wrong: dict[str, int]) -> None:
    assert found(sent(*frames)) == wrong


def test_a_frame_of_another_content_is_unknown() -> None:
    other = Sent(5, "physics_updated", "at another time")
    assert found([*sent(3), other, *sent(6, 9)]) == {"unknown": 1}


def test_who_began_anew_is_due_what_came_up_to_then() -> None:
    assert found(sent(3, 5), to_the_end=False) == {}
    assert found(sent(5), to_the_end=False) == {"missing": 1}


def test_what_went_wrong_is_told_of_whom_and_where() -> None:
    verdict = check({ROOM: LOG}, [Stay("ann", ROOM, 2, sent(3, 6, 9))])
    assert not verdict.is_good
    assert verdict.examples == ["missing: ann in room: [5]"]


def notes(*entries: tuple[object, ...]) -> list[list[Any]]:
    return [[number * 1000, *entry] for number, entry in enumerate(entries)]


def frame(seq: int) -> tuple[object, ...]:
    return ("frame", ROOM, seq, "physics_updated", f"at {seq}", f"{ROOM}:{seq}")


def test_a_stay_lasts_over_returns_that_recover() -> None:
    seen = read_notes(
        "ann",
        notes(
            ("connect", False, False),
            ("room_joined", ROOM, 2, None),
            frame(3),
            ("disconnect", "transport close"),
            ("connect", True, True),
            ("room_joined", ROOM, 6, 3),
            frame(5),
        ),
    )
    assert seen.stays == [Stay("ann", ROOM, 2, sent(3, 5))]
    assert [(back.away_s, back.recovered) for back in seen.returns] == [(1.0, True)]


def test_a_stay_that_begins_with_a_return_begins_where_that_says() -> None:
    seen = read_notes("ann", notes(("connect", True, True), ("room_joined", ROOM, 6, 3), frame(5)))
    assert seen.stays == [Stay("ann", ROOM, 3, sent(5))]


def test_a_return_that_does_not_recover_begins_a_new_stay() -> None:
    seen = read_notes(
        "ann",
        notes(
            ("connect", False, False),
            ("room_joined", ROOM, 2, None),
            ("disconnect", "ping timeout"),
            ("connect", False, True),
            ("room_joined", ROOM, 6, None),
            frame(9),
        ),
    )
    assert seen.stays == [
        Stay("ann", ROOM, 2, [], to_the_end=False),
        Stay("ann", ROOM, 6, sent(9)),
    ]
    assert [back.recovered for back in seen.returns] == [False]


def test_errors_and_frames_of_strange_rooms_are_told() -> None:
    seen = read_notes("ann", notes(("error", "room_error", {"code": "NOT_FOUND"}), frame(3)))
    assert len(seen.errors) == 2
