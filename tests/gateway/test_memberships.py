"""Rooms and memberships of a gateway: who is due which record, and what offsets tell."""

from typing import cast

import pytest

from gateway.members import Silent, connection
from harmonic_gateway.delivery.places import Place, Position
from harmonic_gateway.membership.follower import AwaitNews, ReadAfter, StreamFollower, WriteEvents
from harmonic_gateway.membership.local_room import MAX_RECENT_RECORDS, LocalRoom
from harmonic_gateway.membership.membership import Entry, Membership, Presence
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.summaries import acknowledged, saved_rooms
from harmonic_gateway.sockets import Connection, Frame
from harmonic_protocol.handed import HandedRoom
from harmonic_protocol.internal import SavedRoom
from harmonic_protocol.log import FIRST_MARK
from harmonic_protocol.messages.following import UniverseState
from harmonic_protocol.messages.parameters import Parameters
from harmonic_protocol.refusals import Code, refused
from harmonic_protocol.values import Mode

#: Of a record: any number that no frame's place in a record reaches.
MARK = FIRST_MARK + 7
NOW = "2024-03-21T10:30:00.000Z"
REMOVED = refused(Code.PERMISSION_DENIED, "You were removed")
DELETED = refused(Code.NOT_FOUND, "Universe not found")


def frame(name: str) -> Frame:
    return Frame.event(name, b"{}")


def ask(memberships: Memberships, who: Connection, universe: str = "u") -> Membership:
    """Ask for a seat."""
    membership = memberships.enter(who, universe)
    memberships.ask(membership)
    return membership


def join(
    memberships: Memberships,
    who: Connection,
    universe: str = "u",
    *,
    at: int = 5,
    mode: Mode = "edit",
    start: Place | None = None,
) -> Membership:
    """Become a member by a snapshot as of ``at``; the room follows the log from there."""
    membership = ask(memberships, who, universe)
    room = memberships.room(universe)
    assert room is not None
    assert memberships.answered(membership, at, mode, start)
    if room.position is None:
        memberships.begin(universe, at)
    assert memberships.admit(membership) == (Entry.ADMITTED, [])
    return membership


@pytest.fixture
def memberships() -> Memberships:
    return Memberships()


def test_a_connection_is_known_from_its_request_on(memberships: Memberships) -> None:
    ann, bob = connection("ann"), connection("bob")
    membership = memberships.enter(ann, "u")
    assert memberships.of(ann) == {"u": membership}
    assert memberships.find(ann.id, "u") is membership
    assert memberships.of(bob) == {}
    assert memberships.find(bob.id, "u") is None
    assert memberships.find(ann.id, "v") is None
    assert memberships.enter(ann, "u") is membership
    assert len(memberships) == 1
    assert not membership.may_hold_seat
    memberships.ask(membership)
    assert membership.may_hold_seat


def test_only_members_have_a_mode_and_are_present(memberships: Memberships) -> None:
    ann = connection("ann")
    membership = ask(memberships, ann)
    memberships.answered(membership, 5, "view")
    assert memberships.mode(ann, "u") is None
    assert list(memberships.present("u")) == []
    memberships.begin("u", 5)
    memberships.admit(membership)
    assert memberships.mode(ann, "u") == "view"
    assert list(memberships.present("u")) == [membership]
    assert memberships.mode(ann, "v") is None
    assert list(memberships.present("v")) == []


def test_an_answer_says_whether_it_is_the_newest(memberships: Memberships) -> None:
    membership = ask(memberships, connection("ann"))
    memberships.unseat("u", membership.connection.id, 6, REMOVED)
    assert not memberships.answered(membership, 5, "edit")
    assert memberships.answered(membership, 7, "edit")
    membership.depart()
    assert not memberships.answered(membership, 8, "edit")


def test_positions_are_those_of_the_rooms_that_are_followed(memberships: Memberships) -> None:
    join(memberships, connection("ann"), "u", at=5)
    ask(memberships, connection("ann"), "v")
    assert memberships.positions() == {"u": 5}
    memberships.deliver("u", 9, [])
    assert memberships.positions() == {"u": 9}


def test_members_are_due_what_lies_above_their_snapshot(memberships: Memberships) -> None:
    ann = join(memberships, connection("ann"), at=5)
    bob = ask(memberships, connection("bob"))
    memberships.answered(bob, 8, "edit")
    assert list(memberships.deliver("u", 7, [frame("seven")])) == [ann]
    assert memberships.admit(bob) == (Entry.ADMITTED, [])
    assert list(memberships.deliver("u", 8, [frame("eight")])) == [ann]
    assert list(memberships.deliver("u", 9, [frame("nine")])) == [ann, bob]
    assert list(memberships.deliver("u", 10, [])) == []
    assert list(memberships.deliver("v", 1, [frame("one")])) == []


def test_records_delivered_while_one_enters_are_due_at_once(memberships: Memberships) -> None:
    join(memberships, connection("ann"), at=5)
    memberships.deliver("u", 6, [frame("before")])
    bob = ask(memberships, connection("bob"))
    sent = {number: frame(str(number)) for number in (7, 8, 9)}
    memberships.deliver("u", 7, [sent[7]])
    memberships.answered(bob, 7, "edit")
    memberships.deliver("u", 8, [sent[8]])
    memberships.deliver("u", 9, [sent[9], sent[9]])
    assert memberships.admit(bob) == (Entry.ADMITTED, [sent[8], sent[9], sent[9]])
    assert bob.cursor == 9
    # Nobody enters any more: what is delivered now is kept for nobody.
    room = memberships.room("u")
    assert room is not None
    memberships.deliver("u", 10, [frame("ten")])
    assert list(room.recent) == []


def test_a_snapshot_older_than_what_is_kept_is_stale(memberships: Memberships) -> None:
    join(memberships, connection("ann"), at=5)
    memberships.deliver("u", 6, [frame("six")])
    bob = ask(memberships, connection("bob"))
    memberships.answered(bob, 5, "edit")
    assert memberships.admit(bob) == (Entry.STALE, [])
    assert memberships.find(bob.connection.id, "u") is bob
    assert bob.may_hold_seat


def test_so_many_records_are_kept_for_those_who_enter() -> None:
    room = LocalRoom("u")
    bob = Membership(connection("bob"), "u")
    bob.begin()
    room.place(bob)
    room.begin(0)
    for position in range(1, MAX_RECENT_RECORDS + 2):
        room.deliver(position, [frame(str(position))])
    assert len(room.recent) == MAX_RECENT_RECORDS
    assert room.complete_after == 1
    bob.answered(1, "edit")
    entry, missed = room.admit(bob)
    assert (entry, len(missed)) == (Entry.ADMITTED, MAX_RECENT_RECORDS)


def test_a_room_that_nobody_entered_lately_is_complete_from_now(memberships: Memberships) -> None:
    join(memberships, connection("ann"), at=5)
    memberships.deliver("u", 6, [frame("six")])
    bob, eve = ask(memberships, connection("bob")), ask(memberships, connection("eve"))
    memberships.deliver("u", 7, [frame("seven")])
    room = memberships.room("u")
    assert room is not None
    # The second that enters finds what is kept for the first.
    assert (room.complete_after, len(room.recent)) == (6, 1)
    memberships.refused(bob, frees_seat=True)
    assert len(room.recent) == 1
    memberships.refused(eve, frees_seat=True)
    assert len(room.recent) == 0


def test_the_first_cursor_is_that_of_the_oldest_snapshot(memberships: Memberships) -> None:
    ann, bob = ask(memberships, connection("ann")), ask(memberships, connection("bob"))
    ask(memberships, connection("eve"))
    memberships.answered(ann, 7, "edit")
    memberships.answered(bob, 4, "edit")
    assert memberships.first_cursor("u", 9) == 4
    memberships.begin("u", 4)
    memberships.admit(bob)
    assert memberships.first_cursor("u", 9) == 4


def test_frames_wait_until_their_member_was_sent_all_before_them(
    memberships: Memberships,
) -> None:
    ann, eve = connection("ann"), connection("eve")
    member, other = join(memberships, ann, at=5), join(memberships, eve, at=5)
    late, later = frame("late"), frame("later")
    for asks, position, greeting in ((member, 7, late), (member, 8, later), (other, 7, late)):
        memberships.enter(asks.connection, "u")
        assert memberships.admit(asks, position, [greeting]) == (Entry.ADMITTED, [])
    assert memberships.due("u") == []
    memberships.deliver("u", 6, [])
    assert memberships.due("u") == []
    memberships.deliver("u", 7, [])
    memberships.unseat("u", eve.id, 6, REMOVED)
    assert memberships.due("u") == [(member, [late])]
    memberships.deliver("u", 9, [])
    assert memberships.due("u") == [(member, [later])]
    assert memberships.due("u") == []
    assert memberships.due("v") == []


def test_a_member_that_asks_again_is_greeted_between_the_records(memberships: Memberships) -> None:
    member = join(memberships, connection("ann"), at=5)
    six, seven, greeting = frame("six"), frame("seven"), frame("greeting")
    memberships.enter(member.connection, "u")
    assert list(memberships.deliver("u", 6, [six])) == []
    assert list(memberships.deliver("u", 7, [seven])) == []
    memberships.answered(member, 6, "view")
    assert memberships.admit(member, 6, [greeting]) == (Entry.ADMITTED, [six, greeting, seven])
    assert member.mode == "view"


def test_a_member_that_asks_again_in_vain_goes_on_as_before(memberships: Memberships) -> None:
    member = join(memberships, connection("ann"), at=5)
    six = frame("six")
    memberships.enter(member.connection, "u")
    memberships.deliver("u", 6, [six])
    assert memberships.mode(member.connection, "u") is None
    assert memberships.refused(member, frees_seat=False) == (Entry.ADMITTED, [six])
    assert memberships.mode(member.connection, "u") == "edit"


def test_a_member_that_is_removed_while_it_asks_again_is_told(memberships: Memberships) -> None:
    member = join(memberships, connection("ann"), at=5)
    memberships.enter(member.connection, "u")
    assert memberships.unseat("u", member.connection.id, 6, REMOVED) is member
    assert memberships.refused(member, frees_seat=False) == (Entry.UNSEATED, [])
    assert member.stage is Presence.GONE


def test_a_removed_member_is_told_and_forgotten(memberships: Memberships) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    assert memberships.unseat("u", ann.id, 5, REMOVED) is None
    assert memberships.mode(ann, "u") == "edit"
    assert memberships.unseat("u", ann.id, 6, REMOVED) is member
    assert member.refusal is REMOVED
    assert memberships.of(ann) == {}
    assert list(memberships.deliver("u", 7, [frame("seven")])) == []
    assert memberships.unseat("u", ann.id, 8, REMOVED) is None


def test_one_who_is_removed_while_entering_is_told_by_its_answer(memberships: Memberships) -> None:
    bob = ask(memberships, connection("bob"))
    assert memberships.unseat("u", bob.connection.id, 6, REMOVED) is None
    memberships.answered(bob, 5, "edit")
    assert memberships.admit(bob) == (Entry.UNSEATED, [])
    assert bob.refusal is REMOVED
    assert list(memberships.deliver("u", 7, [frame("seven")])) == []


def test_a_deletion_ends_all_and_tells_members(memberships: Memberships) -> None:
    ann = join(memberships, connection("ann"), at=5)
    bob = join(memberships, connection("bob"), at=5)
    entering = ask(memberships, connection("eve"))
    other = join(memberships, connection("ann"), "v", at=5)
    assert memberships.delete("u", 6, DELETED) == [ann, bob]
    assert [one.refusal for one in (ann, bob, entering)] == [DELETED] * 3
    assert other.stage is Presence.PRESENT
    assert memberships.delete("w", 6, DELETED) == []


def test_a_released_member_asks_again_and_is_sent_what_it_missed(memberships: Memberships) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    memberships.deliver("u", 7, [frame("seven")])
    assert memberships.release("u", ann.id, 5) is None
    assert memberships.release("u", "nobody", 9) is None
    assert memberships.release("v", ann.id, 9) is None
    assert memberships.release("u", ann.id, 8) is member
    assert member.cursor == 7
    missed = frame("nine")
    assert list(memberships.deliver("u", 9, [missed])) == []
    ask(memberships, ann)
    memberships.answered(member, 10, "edit")
    assert memberships.admit(member) == (Entry.ADMITTED, [missed])


def test_a_released_member_that_is_removed_is_told(memberships: Memberships) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    memberships.release("u", ann.id, 8)
    assert memberships.unseat("u", ann.id, 9, REMOVED) is member


def test_a_mode_changes_for_members_and_for_those_who_enter(memberships: Memberships) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    assert memberships.change_mode("u", ann.id, 5, "view") is None
    assert memberships.change_mode("u", ann.id, 6, "view") is member
    assert memberships.mode(ann, "u") == "view"
    assert memberships.change_mode("u", "nobody", 7, "view") is None


def test_a_seat_that_is_taken_over_ends_here(memberships: Memberships) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    assert memberships.supersede("u", "nobody", 6) is None
    assert memberships.supersede("u", ann.id, 6) is member
    assert memberships.of(ann) == {}
    assert list(memberships.present("u")) == []


def test_whoever_departs_is_known_until_it_is_forgotten(memberships: Memberships) -> None:
    ann = connection("ann")
    member, other = join(memberships, ann, "u"), join(memberships, ann, "v")
    assert memberships.depart(ann) == [member, other]
    assert list(memberships.present("u")) == list(memberships.present("v")) == []
    assert memberships.of(ann) == {"u": member, "v": other}
    memberships.released(member)
    assert (member.may_hold_seat, other.may_hold_seat) == (False, True)
    memberships.forget(ann)
    assert memberships.of(ann) == {}
    memberships.forget(ann)
    assert memberships.depart(connection("bob")) == []


def test_a_seat_may_still_be_held_while_a_request_is_under_way(memberships: Memberships) -> None:
    ann = connection("ann")
    member = ask(memberships, ann)
    memberships.depart(ann)
    memberships.released(member)
    assert member.may_hold_seat
    memberships.refused(member, frees_seat=True)
    memberships.released(member)
    assert not member.may_hold_seat


def test_a_lost_room_takes_all_along(memberships: Memberships) -> None:
    ann, bob = join(memberships, connection("ann")), ask(memberships, connection("bob"))
    assert memberships.lose("u") == [ann, bob]
    assert [one.stage for one in (ann, bob)] == [Presence.GONE] * 2
    assert memberships.room("u") is None
    assert memberships.lose("u") == []
    assert memberships.admit(bob) == (Entry.GONE, [])


def test_a_room_is_discarded_if_nobody_is_in_it(memberships: Memberships) -> None:
    ann = connection("ann")
    membership = ask(memberships, ann)
    assert not memberships.discard("u")
    memberships.answered(membership, 5, "edit")
    memberships.begin("u", 5)
    memberships.admit(membership)
    assert not memberships.discard("u")
    memberships.unseat("u", ann.id, 6, None)
    assert memberships.discard("u")
    assert not memberships.discard("u")
    assert len(memberships) == 0


def test_a_ping_that_is_answered_acknowledges_what_was_sent_before_it(
    memberships: Memberships,
) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    entering = ask(memberships, ann, "v")
    memberships.deliver("u", 7, [frame("seven")])
    memberships.mark_sent(ann)
    memberships.deliver("u", 8, [frame("eight")])
    assert acknowledged([member]) == {}
    memberships.acknowledge(ann)
    assert (member.sent, member.acknowledged) == (7, 7)
    assert (entering.sent, entering.acknowledged) == (None, None)
    assert acknowledged([member, entering]) == {"u": 7}
    # A member whose snapshot lies ahead of what was delivered here has all up to it.
    bob = connection("bob")
    ahead = ask(memberships, bob)
    memberships.answered(ahead, 20, "edit")
    memberships.admit(ahead)
    memberships.mark_sent(bob)
    assert ahead.sent == 20


def test_what_is_kept_of_a_session_is_where_each_room_began(memberships: Memberships) -> None:
    ann = connection("ann")
    one = join(memberships, ann, "u", at=5, start=Place(3, 2))
    other = join(memberships, ann, "v", at=6, mode="view")
    asking = ask(memberships, ann, "w")
    kept = {name: room.to_wire() for name, room in saved_rooms([one, other, asking]).items()}
    assert kept == {
        "u": {"mode": "edit", "position": 3, "frames": 2},
        "v": {"mode": "view", "position": 6},
    }


def offsets(membership: Membership) -> str | None:
    return membership.elsewhere


def test_in_one_room_an_offset_tells_of_no_other(memberships: Memberships) -> None:
    member = join(memberships, connection("ann"), at=5)
    room = memberships.room("u")
    assert room is not None
    assert offsets(member) == ""
    assert room.several == set()


def test_in_several_rooms_offsets_tell_of_the_others_as_they_are_now(
    memberships: Memberships,
) -> None:
    ann = connection("ann")
    one, other = join(memberships, ann, "u", at=5), join(memberships, ann, "v", at=6)
    assert (offsets(one), offsets(other)) == (",v:6", ",u:5")
    memberships.deliver("v", 9, [frame("nine")])
    memberships.deliver("u", 7, [frame("seven")])
    assert offsets(one) == ",v:9"
    memberships.deliver("v", 10, [])
    assert offsets(other) == ",u:5"
    memberships.unseat("v", ann.id, 11, None)
    room = memberships.room("u")
    assert room is not None
    assert (offsets(one), room.several) == ("", set())


def test_a_room_that_one_is_about_to_be_in_is_told_by_where_one_begins(
    memberships: Memberships,
) -> None:
    ann = connection("ann")
    one = join(memberships, ann, "u", at=5)
    coming = ask(memberships, ann, "v")
    assert offsets(one) == ""
    memberships.answered(coming, 9, "edit", Place(3, 2))
    assert offsets(one) == ",v:3:2"
    memberships.depart(ann)


def test_a_room_that_one_rejoins_is_told_by_what_one_has_received(
    memberships: Memberships,
) -> None:
    ann = connection("ann")
    one, other = join(memberships, ann, "u", at=5), join(memberships, ann, "v", at=6)
    memberships.deliver("v", 7, [frame("seven")])
    memberships.release("v", ann.id, 8)
    assert offsets(one) == ",v:7"
    memberships.deliver("v", 9, [frame("nine")])
    memberships.deliver("u", 6, [frame("six")])
    assert offsets(one) == ",v:7"
    assert other.rejoining


def test_clients_without_offsets_are_told_none(memberships: Memberships) -> None:
    ann = connection("ann", offsets=False)
    one = join(memberships, ann, "u", at=5)
    join(memberships, ann, "v", at=6)
    assert offsets(one) is None
    assert cast("Silent", ann).written == []


def test_a_member_that_asks_again_in_vain_is_one_as_before(memberships: Memberships) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    assert memberships.enter(ann, "u") is member
    missed = frame("six")
    assert list(memberships.deliver("u", 6, [missed])) == []
    assert memberships.refused(member, frees_seat=False) == (Entry.ADMITTED, [missed])
    assert (member.stage, member.requests) == (Presence.PRESENT, 0)
    assert memberships.mode(ann, "u") == "edit"


def test_of_two_requests_of_a_member_the_last_that_fails_makes_it_one_again(
    memberships: Memberships,
) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    memberships.enter(ann, "u")
    memberships.enter(ann, "u")
    assert memberships.refused(member, frees_seat=False) == (Entry.UNSEATED, [])
    assert (member.stage, member.requests) == (Presence.ENTERING, 1)
    assert memberships.refused(member, frees_seat=False) == (Entry.ADMITTED, [])
    assert member.requests == 0


def test_whether_a_refused_request_frees_the_seat_is_passed_on(memberships: Memberships) -> None:
    freed, kept = ask(memberships, connection("ann")), ask(memberships, connection("bob"))
    memberships.refused(freed, frees_seat=True)
    memberships.refused(kept, frees_seat=False)
    assert (freed.may_hold_seat, kept.may_hold_seat) == (False, True)


def test_a_session_that_is_over_is_taken_over_without_news(memberships: Memberships) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    memberships.depart(ann)
    assert memberships.supersede("u", ann.id, 6) is None
    assert not member.may_hold_seat


def test_nothing_is_kept_of_a_room_without_a_mode_or_a_place() -> None:
    bare = Membership(connection("ann"), "u")
    bare.mode = "edit"
    assert saved_rooms([bare]) == {}
    bare.mode, bare.start = None, Place(3)
    assert saved_rooms([bare]) == {}


def test_a_room_that_is_not_followed_yet_sends_nothing_that_waits() -> None:
    room = LocalRoom("u")
    ann = Membership(connection("ann"), "u")
    ann.begin()
    room.place(ann)
    ann.answered(1, "edit")
    greeting = frame("joined")
    assert room.admit(ann, 1, [greeting]) == (Entry.ADMITTED, [greeting])
    room.awaited.append((1, ann, [greeting]))
    assert room.due() == []
    room.begin(1)
    assert room.due() == [(ann, [greeting])]


def test_a_member_that_asked_twice_is_greeted_in_the_place_of_each_snapshot(
    memberships: Memberships,
) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    memberships.enter(ann, "u")
    memberships.enter(ann, "u")
    first, second, third, record = frame("1"), frame("2"), frame("3"), frame("six")
    memberships.answered(member, 6, "edit")
    memberships.deliver("u", 6, [record])
    assert memberships.admit(member, 6, [first]) == (Entry.ADMITTED, [record, first])
    assert memberships.admit(member, 6, [second]) == (Entry.RENEWED, [second])
    memberships.enter(ann, "u")
    memberships.enter(ann, "u")
    memberships.answered(member, 8, "edit")
    assert memberships.admit(member, 8, [first]) == (Entry.ADMITTED, [])
    assert memberships.admit(member, 7, [third]) == (Entry.RENEWED, [])
    memberships.deliver("u", 7, [frame("seven")])
    assert memberships.due("u") == [(member, [third])]
    memberships.deliver("u", 8, [frame("eight")])
    assert memberships.due("u") == [(member, [first])]


def test_a_member_is_not_shown_the_room_as_it_was_before_what_it_was_sent(
    memberships: Memberships,
) -> None:
    member = join(memberships, connection("ann"), at=5)
    for position, entry in ((7, Entry.RENEWED), (8, Entry.RENEWED), (9, Entry.OVERTAKEN)):
        memberships.deliver("u", position, [frame("more")])
        member.requests += 1
        assert memberships.admit(member, 8, [frame("then")])[0] is entry
    member.requests += 1
    # Without a greeting, nothing is shown.
    assert memberships.admit(member, 8) == (Entry.RENEWED, [])
    assert member.requests == 0


def test_a_room_is_complete_from_where_its_log_is_followed() -> None:
    room = LocalRoom("u")
    early, late = Membership(connection("ann"), "u"), Membership(connection("bob"), "u")
    for each, position in ((early, 6), (late, 7)):
        each.begin()
        room.place(each)
        each.answered(position, "edit")
    room.begin(7)
    assert room.admit(early) == (Entry.STALE, [])
    assert room.admit(late, 7, [frame("joined")])[0] is Entry.ADMITTED


def test_whoever_leaves_a_room_is_in_several_no_more(memberships: Memberships) -> None:
    ann = connection("ann")
    join(memberships, ann, "u", at=5)
    join(memberships, ann, "v", at=6)
    rooms = [memberships.room(universe) for universe in ("u", "v")]
    assert [room and room.universe_id for room in rooms] == ["u", "v"]
    assert [room and len(room.several) for room in rooms] == [1, 1]
    memberships.depart(ann)
    assert [room and len(room.several) for room in rooms] == [0, 0]


def test_a_room_that_one_is_not_in_yet_does_not_hide_those_that_one_is_in(
    memberships: Memberships,
) -> None:
    ann = connection("ann")
    coming = ask(memberships, ann, "u")
    memberships.answered(coming, 5, "edit")
    member = join(memberships, ann, "v", at=6)
    assert (offsets(member), offsets(coming)) == (",u:5", None)
    bare = ask(memberships, ann, "w")
    assert bare.start is None
    memberships.answered(coming, 7, "edit")
    assert offsets(member) == ",u:7"


def test_a_client_without_offsets_is_told_none_in_its_only_room_either(
    memberships: Memberships,
) -> None:
    assert offsets(join(memberships, connection("ann", offsets=False))) is None


def test_an_offset_tells_of_the_record_that_one_begins_at(memberships: Memberships) -> None:
    ann = connection("ann")
    one = join(memberships, ann, "u", at=5)
    memberships.answered(ask(memberships, ann, "v"), 9, "edit", Place(3, 2, MARK))
    assert offsets(one) == f",v:3:{MARK}:2"


def test_a_session_is_continued_if_the_owner_says_so_and_only_then(
    memberships: Memberships,
) -> None:
    member = join(memberships, connection("ann"), at=5)
    memberships.answered(member, 6, "edit")
    assert member.continued_until == 0
    memberships.answered(member, 7, "edit", continued=True)
    assert member.continued_until == 7


def test_a_connection_is_settled_once_it_was_sent_all_that_it_is_due(
    memberships: Memberships,
) -> None:
    ann, bob = connection("ann"), connection("bob")
    assert memberships.is_settled(ann)
    member = join(memberships, ann, "u", at=5)
    join(memberships, ann, "v", at=5)
    ask(memberships, bob, "u")
    assert (memberships.is_settled(ann), memberships.is_settled(bob)) == (True, False)
    memberships.enter(ann, "u")
    assert not memberships.is_settled(ann)
    memberships.answered(member, 7, "edit")
    assert memberships.admit(member, 7, [frame("joined")]) == (Entry.ADMITTED, [])
    # How the room is comes after the records up to there.
    assert not memberships.is_settled(ann)
    memberships.deliver("u", 7, [])
    memberships.due("u")
    assert memberships.is_settled(ann)
    memberships.depart(ann)
    assert not memberships.is_settled(ann)


def test_a_member_was_sent_what_was_delivered_unless_it_asks_again(
    memberships: Memberships,
) -> None:
    ann = connection("ann")
    member = join(memberships, ann, at=5)
    join(memberships, connection("bob"), at=5)
    memberships.deliver("u", 6, [frame("six")])
    assert memberships.sent_up_to(member) == 6
    memberships.enter(ann, "u")
    memberships.deliver("u", 7, [frame("seven")])
    assert memberships.sent_up_to(member) == 6


def test_what_another_gateway_knew_is_restored(memberships: Memberships) -> None:
    member = join(memberships, connection("ann"), at=5)
    began = SavedRoom(mode="view", position=3, frames=2, mark=FIRST_MARK)
    handed = HandedRoom(began=began, sent=10, pinged=9, acknowledged=7)
    memberships.restore(member, handed)
    assert member.start == Place(3, 2, FIRST_MARK)
    assert (member.sent, member.acknowledged) == (9, 7)


def test_a_room_is_vacated_once_when_the_last_has_left(memberships: Memberships) -> None:
    ann, bob = connection("ann"), connection("bob")
    join(memberships, ann, at=5)
    join(memberships, bob, at=5)
    memberships.depart(bob)
    assert not memberships.vacate("u")
    memberships.depart(ann)
    assert memberships.vacate("u")
    assert not memberships.vacate("u")
    # Who comes after that leaves it anew.
    eve = connection("eve")
    join(memberships, eve, at=5)
    memberships.depart(eve)
    assert memberships.vacate("u")


def test_whoever_only_enters_vacates_a_room_as_well(memberships: Memberships) -> None:
    entering = ask(memberships, connection("ann"))
    assert not memberships.vacate("u")
    memberships.refused(entering, frees_seat=True)
    assert memberships.vacate("u")


def test_a_room_that_is_not_known_or_only_followed_is_not_vacated(memberships: Memberships) -> None:
    memberships.attach(follower())
    assert not memberships.vacate("u")
    assert not memberships.vacate("v")


def test_members_were_shown_the_room_once_they_are_greeted(memberships: Memberships) -> None:
    ann, bob = join(memberships, connection("ann")), join(memberships, connection("bob"))
    ask(memberships, connection("eve"))
    room = memberships.room("u")
    assert room is not None
    memberships.enter(ann.connection, "u")
    memberships.answered(ann, 6, "edit")
    greeting = [frame("joined")]
    assert memberships.admit(ann, 6, greeting) == (Entry.ADMITTED, [])
    assert room.greeted() == [bob]
    memberships.deliver("u", 6, [])
    assert memberships.due("u") == [(ann, greeting)]
    assert room.greeted() == [bob, ann]


class Idle:
    """A follower's driver that does nothing."""

    def wake(self) -> None:
        pass

    def interrupt(self) -> None:
        pass


def follower(universe: str = "u") -> StreamFollower:
    return StreamFollower(universe, "ann", None, max_bytes=1000, driver=Idle())


def is_shown_all(following: StreamFollower, position: int) -> bool:
    """Whether a follower that is shown the universe as of a position has all up to its feed."""
    state = UniverseState(
        universe_id="u", participants=(), parameters=Parameters(), timestamp=NOW, seq=0
    )
    following.answered(Position(position), state)
    assert isinstance(following.next(), WriteEvents)
    then = following.next()
    assert then in (AwaitNews(), ReadAfter(Place(position)))
    return then == AwaitNews()


@pytest.mark.parametrize(("shown", "is_all"), [(6, False), (7, True)])
@pytest.mark.parametrize("is_early", [True, False])
def test_a_follower_reads_what_the_feed_of_its_room_does_not_deliver(
    memberships: Memberships, shown: int, *, is_all: bool, is_early: bool
) -> None:
    following = follower()
    if is_early:
        memberships.attach(following)
    ask(memberships, connection("bob"))
    memberships.begin("u", 7)
    if not is_early:
        memberships.attach(following)
    room = memberships.room("u")
    assert room is not None
    assert (room.followers, following.is_attached) == ({following}, True)
    assert is_shown_all(following, shown) is is_all


def test_a_room_is_kept_for_those_who_follow_it(memberships: Memberships) -> None:
    one, other, elsewhere = follower(), follower(), follower("v")
    for each in (one, other, elsewhere):
        memberships.attach(each)
    assert len(memberships) == 2
    memberships.detach(one)
    memberships.detach(one)
    assert not memberships.discard("u")
    memberships.detach(other)
    assert memberships.discard("u")
    assert not memberships.discard("v")
    # Its room is not known any more.
    memberships.detach(other)
    assert len(memberships) == 1
