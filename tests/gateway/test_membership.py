"""One connection in one universe: what counts as news, and what becomes of its seat."""

from collections.abc import Callable

import pytest

from gateway.members import connection
from harmonic_gateway.delivery.places import Place, Position
from harmonic_gateway.membership.membership import Entry, Membership, Presence
from harmonic_protocol.log import FIRST_MARK
from harmonic_protocol.refusals import Code, refused

ENTERING, PRESENT, GONE = Presence.ENTERING, Presence.PRESENT, Presence.GONE
REMOVED = refused(Code.PERMISSION_DENIED, "You were removed")


def entering(*, requests: int = 1) -> Membership:
    """A connection for which a seat is being asked for."""
    membership = Membership(connection("ann"), "u")
    for _ in range(requests):
        membership.begin()
        membership.may_hold_seat = True
    return membership


def released(membership: Membership, position: int) -> bool:
    return membership.release(position, reached=position - 1)


def present(*, at: int = 5) -> Membership:
    """A member, whose seat the owner keeps as of ``at``."""
    membership = entering()
    membership.answered(at, "edit")
    assert membership.admit(None) is Entry.ADMITTED
    return membership


def received(membership: Membership, position: int) -> tuple[int | None, int | None]:
    """Note that the client has received everything up to ``position``."""
    membership.sent = membership.acknowledged = position
    return membership.sent, membership.acknowledged


def test_a_membership_begins_with_a_request_for_a_seat() -> None:
    membership = Membership(connection("ann"), "u")
    assert (membership.stage, membership.is_known) == (GONE, False)
    membership.begin()
    assert (membership.stage, membership.requests, membership.is_known) == (ENTERING, 1, True)
    assert not membership.may_hold_seat


def test_it_writes_where_its_connection_does() -> None:
    ann = connection("ann")
    membership = Membership(ann, "u")
    assert membership.namespace == ann.namespace
    assert membership.write == ann.write


def test_whoever_may_hold_a_seat_is_known() -> None:
    membership = present()
    membership.depart()
    assert (membership.stage, membership.is_known) == (GONE, True)
    membership.may_hold_seat = False
    assert not membership.is_known


def test_an_answer_says_where_one_begins_and_in_which_mode() -> None:
    membership = entering()
    membership.answered(5, "view")
    assert (membership.seated, membership.mode, membership.as_of) == (True, "view", 5)
    assert (membership.start, membership.cursor) == (Place(5), 5)
    assert membership.stage is ENTERING


def test_a_return_begins_where_the_client_had_come_to() -> None:
    membership = entering()
    membership.answered(5, "edit", Place(3, 1))
    assert (membership.start, membership.cursor) == (Place(3, 1), 5)


def test_one_begins_at_the_record_that_the_answer_names() -> None:
    membership = entering()
    membership.answered(Position(5, FIRST_MARK), "edit")
    assert membership.start == Place(5, mark=FIRST_MARK)


def test_an_older_answer_says_nothing_and_one_of_the_same_position_counts() -> None:
    membership = entering(requests=2)
    membership.answered(5, "edit")
    membership.answered(4, "view")
    assert (membership.mode, membership.cursor) == ("edit", 5)
    membership.answered(5, "view")
    assert membership.mode == "view"


def test_an_answer_for_one_who_is_gone_tells_of_its_seat_alone() -> None:
    membership = entering()
    membership.depart()
    membership.answered(5, "edit")
    assert (membership.seated, membership.start, membership.stage) == (True, None, GONE)
    # An earlier connection's end is no news any more.
    assert not membership.supersede(4)
    assert membership.admit(None) is Entry.GONE


def test_a_members_answer_changes_its_mode_and_not_its_place() -> None:
    membership = present(at=5)
    membership.begin(7)
    membership.answered(9, "view")
    assert (membership.mode, membership.cursor, membership.start) == ("view", 7, Place(5))
    membership.begin(7)
    assert membership.admit(None) is Entry.ADMITTED
    assert membership.admit(None) is Entry.RENEWED
    assert (membership.stage, membership.requests) == (PRESENT, 0)


def test_a_member_that_asks_again_keeps_what_it_has() -> None:
    membership = present(at=5)
    membership.sent = membership.acknowledged = 7
    membership.begin(8)
    assert (membership.stage, membership.start, membership.cursor) == (ENTERING, Place(5), 8)
    assert membership.keeps_place
    assert (membership.sent, membership.acknowledged) == (7, 7)


def test_without_an_answer_nobody_is_admitted() -> None:
    membership = entering()
    assert membership.admit(None) is Entry.UNSEATED
    assert (membership.stage, membership.requests, membership.mode) == (GONE, 0, None)


@pytest.mark.parametrize(
    ("complete_after", "entry"),
    [(None, Entry.ADMITTED), (4, Entry.ADMITTED), (5, Entry.ADMITTED), (6, Entry.STALE)],
)
def test_a_snapshot_is_good_if_all_records_after_it_are_at_hand(
    complete_after: int | None, entry: Entry
) -> None:
    membership = entering()
    membership.answered(5, "edit")
    assert membership.admit(complete_after) is entry
    assert membership.stage is (PRESENT if entry is Entry.ADMITTED else GONE)
    assert membership.requests == 0


def test_a_stale_snapshot_leaves_another_request_its_turn() -> None:
    membership = entering(requests=2)
    membership.answered(5, "edit")
    assert membership.admit(6) is Entry.STALE
    assert membership.stage is ENTERING
    membership.answered(6, "edit")
    assert membership.admit(6) is Entry.ADMITTED


def test_whoever_departed_while_it_was_waited_for_is_not_admitted() -> None:
    membership = entering()
    membership.answered(5, "edit")
    membership.depart()
    assert membership.admit(None) is Entry.GONE
    assert (membership.stage, membership.may_hold_seat) == (GONE, True)


def test_a_removal_above_the_snapshot_keeps_one_out() -> None:
    membership = entering()
    membership.answered(5, "edit")
    assert membership.unseat(6, REMOVED)
    assert membership.stage is ENTERING
    assert membership.admit(None) is Entry.UNSEATED
    assert (membership.refusal, membership.stage) == (REMOVED, GONE)


def test_a_removal_at_or_below_the_snapshot_is_in_it_already() -> None:
    membership = entering()
    membership.answered(5, "edit")
    for position in (4, 5):
        assert not membership.unseat(position, REMOVED)
    assert membership.admit(None) is Entry.ADMITTED
    assert membership.refusal is None


def test_a_removal_that_is_heard_before_an_older_answer_counts() -> None:
    membership = entering()
    assert membership.unseat(6, REMOVED)
    membership.answered(5, "edit")
    assert membership.admit(None) is Entry.UNSEATED
    assert membership.refusal is REMOVED


def test_an_answer_that_is_newer_than_a_removal_seats_again() -> None:
    membership = entering()
    membership.unseat(6, REMOVED)
    membership.answered(7, "edit")
    assert membership.refusal is None
    assert membership.admit(None) is Entry.ADMITTED


def test_a_removed_member_has_nothing_left() -> None:
    membership = present(at=5)
    assert received(membership, 7) == (7, 7)
    assert membership.unseat(8, REMOVED)
    assert (membership.stage, membership.seated, membership.may_hold_seat) == (GONE, False, False)
    assert (membership.mode, membership.start, membership.cursor) == (None, None, 0)
    assert (membership.sent, membership.acknowledged) == (None, None)
    assert membership.rejoining is False
    assert membership.as_of == 8


def test_a_seat_that_ended_without_a_reason_has_none() -> None:
    membership = present(at=5)
    membership.refusal = REMOVED
    assert membership.unseat(8)
    assert membership.refusal is None


def test_a_member_that_asks_while_it_is_removed_may_get_a_seat_again() -> None:
    membership = present(at=5)
    membership.begin()
    assert membership.unseat(8, REMOVED)
    assert (membership.stage, membership.may_hold_seat) == (ENTERING, True)
    membership.answered(9, "view")
    assert membership.admit(None) is Entry.ADMITTED
    assert membership.cursor == 9


@pytest.mark.parametrize(("frees_seat", "held"), [(True, False), (False, True)])
def test_a_refused_request_ends_it_and_frees_the_seat_if_none_was_taken(
    *, frees_seat: bool, held: bool
) -> None:
    membership = entering()
    membership.refused(frees_seat=frees_seat)
    assert (membership.stage, membership.requests) == (GONE, 0)
    assert membership.may_hold_seat is held
    assert membership.mode is None


def test_a_refused_request_leaves_a_member_its_seat() -> None:
    membership = present()
    membership.begin(8)
    membership.refused(frees_seat=True)
    assert membership.is_held_in_vain
    assert (membership.keeps_place, membership.may_hold_seat) == (True, True)


def test_a_refused_request_leaves_another_one_its_turn() -> None:
    membership = entering(requests=2)
    membership.refused(frees_seat=True)
    assert (membership.stage, membership.may_hold_seat) == (ENTERING, True)
    membership.refused(frees_seat=True)
    assert (membership.stage, membership.may_hold_seat) == (GONE, False)


def test_a_released_member_is_to_ask_again_and_is_sent_nothing_till_then() -> None:
    membership = present(at=5)
    assert membership.release(8, reached=7)
    assert (membership.stage, membership.rejoining, membership.cursor) == (ENTERING, True, 7)
    assert (membership.seated, membership.as_of) == (False, 8)
    # What it had received stays as it was.
    assert membership.start == Place(5)
    membership.begin()
    membership.answered(9, "edit")
    assert (membership.start, membership.cursor) == (Place(5), 7)
    assert membership.admit(None) is Entry.ADMITTED
    assert not membership.rejoining


def test_a_release_before_the_seat_is_no_news() -> None:
    membership = present(at=5)
    assert not membership.release(5, reached=5)
    assert (membership.stage, membership.seated) == (PRESENT, True)


def test_a_release_while_entering_lets_the_request_that_is_under_way_decide() -> None:
    membership = entering()
    membership.answered(5, "edit")
    assert not membership.release(6, reached=5)
    assert (membership.seated, membership.as_of, membership.rejoining) == (False, 6, False)
    assert membership.admit(None) is Entry.UNSEATED


def test_a_release_of_one_who_is_gone_is_no_news() -> None:
    membership = present(at=5)
    membership.depart()
    assert not membership.release(8, reached=7)
    assert membership.seated


def test_a_released_member_whose_new_seat_is_refused_is_gone() -> None:
    membership = present(at=5)
    membership.release(8, reached=7)
    membership.begin()
    membership.refused(frees_seat=False)
    # Nobody knows whether it has one: it stays to be asked for again.
    assert (membership.stage, membership.rejoining) == (ENTERING, True)
    membership.begin()
    membership.refused(frees_seat=True)
    assert (membership.stage, membership.rejoining) == (GONE, False)


def test_a_released_member_whose_records_are_not_at_hand_begins_anew() -> None:
    membership = present(at=5)
    membership.release(8, reached=7)
    membership.begin()
    membership.answered(9, "edit")
    assert membership.admit(8) is Entry.STALE
    assert (membership.rejoining, membership.stage) == (False, GONE)


def test_a_mode_changes_if_that_is_newer() -> None:
    membership = present(at=5)
    assert not membership.change_mode(5, "view")
    assert membership.mode == "edit"
    assert membership.change_mode(6, "view")
    assert (membership.mode, membership.as_of) == ("view", 6)


def test_a_mode_that_is_heard_before_an_older_answer_counts() -> None:
    membership = entering()
    assert membership.change_mode(6, "view")
    membership.answered(5, "edit")
    assert (membership.mode, membership.cursor, membership.start) == ("view", 5, Place(5))
    assert membership.admit(None) is Entry.ADMITTED


@pytest.mark.parametrize("end", [Membership.unseat, released])
def test_a_member_is_sent_nothing_of_the_time_between_two_seats(end: Callable[..., bool]) -> None:
    membership = present(at=5)
    membership.begin(5)
    membership.answered(9, "edit")
    membership.admit(None)
    assert not end(membership, 7)
    assert (membership.stage, membership.cursor) == (PRESENT, 9)


def test_a_seat_that_another_connection_took_over_is_nobodys_here() -> None:
    membership = present(at=5)
    assert membership.supersede(6)
    assert (membership.stage, membership.seated, membership.may_hold_seat) == (GONE, False, False)
    assert membership.as_of == 6
    assert not membership.supersede(7)


def test_a_seat_that_was_taken_after_the_session_was_taken_over_is_to_be_released() -> None:
    membership = present(at=5)
    assert membership.supersede(4)
    assert (membership.stage, membership.seated, membership.may_hold_seat) == (GONE, True, True)


def test_a_seat_that_is_asked_for_while_the_session_is_taken_over_may_be_held() -> None:
    idle = present(at=5)
    assert idle.supersede(5)
    # The seat is of the same position: newer than that it is not known to have ended.
    assert (idle.seated, idle.may_hold_seat) == (True, True)
    asking = present(at=5)
    asking.begin()
    assert asking.supersede(6)
    assert (asking.seated, asking.may_hold_seat, asking.as_of) == (False, True, 6)
    idle = present(at=5)
    assert idle.supersede(6)
    assert (idle.seated, idle.may_hold_seat) == (False, False)


def test_a_seat_that_ended_and_was_taken_anew_leaves_a_hole_in_what_is_sent() -> None:
    member = present(at=5)
    member.begin(reached=6)
    member.answered(9, "edit")
    assert member.cursor == 6
    # An end at what it was sent already says nothing of what follows.
    assert not member.unseat(6)
    assert member.cursor == 6
    assert not member.unseat(8)
    assert member.cursor == 9


def test_a_session_that_was_continued_across_an_end_has_no_hole_there() -> None:
    member = present(at=5)
    member.release(6, reached=6)
    member.begin()
    member.answered(9, "edit", continued=True)
    member.answered(7, "edit", continued=True)
    member.admit(None)
    for position in (8, 9):
        assert not member.release(position, reached=6)
        assert member.cursor == 6
    # Of a later end, nothing is known.
    member.answered(12, "edit")
    assert not member.release(10, reached=6)
    assert member.cursor == 12


def test_one_that_is_no_member_has_no_hole() -> None:
    coming = entering()
    coming.answered(9, "edit")
    assert not coming.unseat(8)
    assert coming.cursor == 9
    coming.cursor = 5
    assert not coming.unseat(8)
    assert coming.cursor == 5


@pytest.mark.parametrize(
    ("requests", "rejoining", "seated", "is_held"),
    [
        (0, False, True, True),
        (1, False, True, False),
        (0, True, True, False),
        (1, True, True, False),
        (0, False, False, False),
    ],
)
def test_a_member_is_held_in_vain_once_nothing_is_asked_any_more(
    requests: int, *, rejoining: bool, seated: bool, is_held: bool
) -> None:
    member = present(at=5)
    member.requests, member.rejoining, member.seated = requests, rejoining, seated
    assert not member.is_held_in_vain
    member.stage, member.keeps_place = ENTERING, True
    assert member.is_held_in_vain is is_held
    member.keeps_place = False
    assert not member.is_held_in_vain


def test_a_seat_that_ended_after_its_connection_did_may_be_held_by_a_request() -> None:
    over = entering()
    over.depart()
    assert over.unseat(6)
    assert (over.stage, over.may_hold_seat) == (GONE, True)


def test_of_two_answers_of_one_position_the_later_says_where_one_begins() -> None:
    membership = entering(requests=2)
    membership.answered(5, "edit", Place(3))
    membership.answered(5, "edit", Place(4))
    assert membership.start == Place(4)


def test_who_gives_up_is_no_member_any_more() -> None:
    member = present(at=5)
    member.begin(reached=6)
    assert member.unseat(7)
    assert member.admit(None) is Entry.UNSEATED
    assert (member.stage, member.is_member, member.keeps_place) == (GONE, False, False)


def test_a_granted_seat_that_has_ended_is_held_only_by_another_request() -> None:
    one = entering()
    one.unseat(6, REMOVED)
    one.answered(5, "edit")
    assert one.admit(None) is Entry.UNSEATED
    assert (one.may_hold_seat, one.is_known) == (False, False)
    two = entering(requests=2)
    two.unseat(6, REMOVED)
    two.answered(5, "edit")
    assert two.admit(None) is Entry.UNSEATED
    assert (two.may_hold_seat, two.stage) == (True, ENTERING)
