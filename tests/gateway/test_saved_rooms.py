"""What is saved of a client that goes before it is told of its rooms."""

from gateway.members import connection
from harmonic_gateway.delivery.places import Place
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.summaries import saved_rooms


def test_a_client_that_goes_while_it_enters_is_saved_with_the_rooms_of_its_session() -> None:
    memberships, who = Memberships(), connection("ann")
    membership = memberships.enter(who, "u")
    memberships.ask(membership)
    memberships.answered(membership, 9, "edit", Place(5))
    (ended,) = memberships.depart(who)
    memberships.refused(membership, frees_seat=False)
    assert ended.may_hold_seat
    room = saved_rooms([ended])["u"]
    assert (room.position, room.mode) == (5, "edit")
