"""How far logs were delivered here, and what outlives a log that was lost."""

import pytest

from harmonic_gateway.membership import log_positions
from harmonic_gateway.membership.local_room import LocalRoom
from harmonic_gateway.membership.log_positions import MAX_ANSWERS, LogPositions
from harmonic_gateway.sockets import Frame


class Rooms:
    """The rooms here; those that are lost are gone in the same turn."""

    def __init__(self) -> None:
        self.rooms: dict[str, LocalRoom] = {}
        self.logs = LogPositions(self.rooms)

    def opens(self, *names: str, seq: int = 0) -> None:
        for name in names:
            self.rooms[name] = LocalRoom(name, position=4)
            self.logs.told(name, seq)

    def loses(self, name: str) -> list[str]:
        forgotten = self.logs.lose(name)
        self.rooms.pop(name, None)
        return forgotten


@pytest.fixture
def rooms() -> Rooms:
    return Rooms()


def test_a_room_is_known_by_its_position_and_the_last_number_that_was_sent_or_named(
    rooms: Rooms,
) -> None:
    assert (rooms.logs.position("u"), rooms.logs.seq("u")) == (None, 0)
    rooms.logs.told("u", 5)
    assert rooms.logs.seq("u") == 0
    rooms.opens("u", seq=5)
    rooms.logs.told("u", 3)
    assert (rooms.logs.position("u"), rooms.logs.seq("u")) == (4, 5)
    frame = Frame.event("x", b"{}", seq=7)
    rooms.rooms["u"].deliver(6, [frame])
    rooms.rooms["u"].deliver(8, [])
    assert (rooms.logs.position("u"), rooms.logs.seq("u")) == (8, 7)


def test_the_number_of_a_lost_log_is_named_until_it_is_settled(rooms: Rooms) -> None:
    rooms.opens("u", seq=9)
    assert rooms.loses("u") == []
    assert (rooms.logs.position("u"), rooms.logs.seq("u"), len(rooms.logs)) == (None, 9, 1)
    # It is followed again, and what it has now is not all that was seen.
    rooms.opens("u", seq=6)
    assert rooms.logs.seq("u") == 9
    named = rooms.logs.lost(10)
    assert named == {"u": 9}
    assert rooms.logs.answered(named, ()) == []
    assert rooms.logs.answered(named, ("u", "v")) == ["u"]
    assert (rooms.logs.seq("u"), rooms.logs.lost(10)) == (6, {})
    assert rooms.logs.answered(named, ("u",)) == []


def test_an_answer_does_not_settle_what_was_lost_after_the_question(rooms: Rooms) -> None:
    rooms.opens("u", seq=9)
    rooms.loses("u")
    named = rooms.logs.lost(10)
    rooms.opens("u", seq=12)
    rooms.loses("u")
    assert rooms.logs.answered(named, ("u",)) == []
    assert rooms.logs.lost(10) == {"u": 12}


def test_a_room_without_a_number_is_not_remembered(rooms: Rooms) -> None:
    rooms.opens("u")
    assert rooms.loses("u") == ["u"]
    assert len(rooms.logs) == 0


def test_lost_logs_are_named_in_turns(rooms: Rooms) -> None:
    rooms.opens("u", "v", "w", seq=3)
    for name in ("u", "v", "w"):
        rooms.loses(name)
    named = rooms.logs.lost(2)
    assert list(named) == ["u", "v"]
    rooms.logs.answered(named, ())
    assert list(rooms.logs.lost(2)) == ["w", "u"]


def test_lost_logs_are_remembered_up_to_a_bound(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_positions, "MAX_LOST_LOGS", 2)
    rooms.opens("u", "v", "w", seq=3)
    assert [rooms.loses(name) for name in ("u", "v", "w")] == [[], [], ["u"]]
    assert list(rooms.logs.lost(10)) == ["v", "w"]


def test_a_lost_log_that_no_owner_settles_is_forgotten_in_the_end(rooms: Rooms) -> None:
    rooms.opens("u", seq=3)
    rooms.loses("u")
    named = rooms.logs.lost(1)
    assert [rooms.logs.answered(named, ()) for _ in range(MAX_ANSWERS - 1)][-1] == []
    assert rooms.logs.answered(named, ()) == ["u"]
    rooms.opens("u", seq=3)
    rooms.loses("u")
    assert rooms.logs.answered(rooms.logs.lost(1), ()) == []
