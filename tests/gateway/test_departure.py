"""What follows the end of a connection, until all its seats are released."""

from gateway.members import connection
from harmonic_gateway.membership.departure import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    Departure,
    Release,
    Save,
    Step,
    Wait,
)
from harmonic_gateway.membership.membership import Membership

GRACE_S = 10.0
#: More steps than any of these tests takes.
MANY = 100


def seats(*universes: str) -> list[Membership]:
    """Memberships of one connection, each with a seat."""
    held = [Membership(connection("ann"), universe) for universe in universes]
    for membership in held:
        membership.may_hold_seat = True
    return held


def steps(departure: Departure) -> list[Step]:
    """What is to be done until something is waited for: seats are asked for in vain."""
    found: list[Step] = []
    while (step := departure.next()) is not None:
        found.append(step)
        assert len(found) < MANY
        match step:
            case Save():
                departure.saved()
            case Release(membership):
                departure.asked(membership)
            case Wait():
                break
    return found


def test_the_session_is_saved_first_and_once() -> None:
    departure = Departure(seats("u"), grace_s=GRACE_S)
    assert departure.next() == Save()
    assert departure.next() == Save()
    departure.saved()
    assert departure.next() == Wait(GRACE_S)


def test_without_a_seat_there_is_nothing_to_do_after_it() -> None:
    (none,) = seats("u")
    none.may_hold_seat = False
    assert steps(Departure([none], grace_s=GRACE_S)) == [Save()]
    assert steps(Departure([], grace_s=0)) == [Save()]


def test_a_goodbye_releases_all_seats_at_once() -> None:
    one, other = seats("u", "v")
    departure = Departure([one, other], grace_s=0)
    assert steps(departure) == [Save(), Release(one), Release(other), Wait(FIRST_PAUSE_S)]


def test_seats_are_kept_for_the_grace_and_not_longer() -> None:
    (one,) = seats("u")
    departure = Departure([one], grace_s=GRACE_S)
    assert steps(departure) == [Save(), Wait(GRACE_S)]
    departure.waited()
    assert steps(departure) == [Release(one), Wait(FIRST_PAUSE_S)]


def test_a_seat_that_was_taken_over_in_the_grace_is_not_released() -> None:
    one, other = seats("u", "v")
    departure = Departure([one, other], grace_s=GRACE_S)
    steps(departure)
    one.may_hold_seat = False
    departure.waited()
    assert steps(departure) == [Release(other), Wait(FIRST_PAUSE_S)]
    other.may_hold_seat = False
    assert steps(departure) == []


def test_a_release_without_an_answer_is_tried_again_at_growing_pauses() -> None:
    (one,) = seats("u")
    departure = Departure([one], grace_s=0)
    pauses = []
    for _ in range(8):
        *_, release, wait = steps(departure)
        assert release == Release(one)
        assert isinstance(wait, Wait)
        pauses.append(wait.seconds)
        departure.waited()
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert (FIRST_PAUSE_S, LONGEST_PAUSE_S) == (1, 30)


def test_a_seat_that_is_granted_only_now_is_released_as_well() -> None:
    one, other = seats("u", "v")
    departure = Departure([one, other], grace_s=0)
    steps(departure)
    departure.seated(one)
    assert departure.next() == Release(one)
    departure.asked(one)
    assert departure.next() == Wait(2 * FIRST_PAUSE_S)
