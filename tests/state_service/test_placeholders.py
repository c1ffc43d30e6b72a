"""What a universe is after a placeholder stands for a user, whatever was decided before that."""

from dataclasses import replace

import pytest

from harmonic_protocol.messages.universes import UserErased
from harmonic_state.domain.bounds import seats_bytes
from harmonic_state.domain.evolve import evolve
from harmonic_state.domain.operations import REMEMBERED_S, stored_bytes
from harmonic_state.domain.universe import Absence, AppliedOperation, Seat, Universe
from state_service.builders import UNIVERSE, open_universe

AT = "2024-03-21T11:00:00.000Z"
#: So long before it, operations known as hashes need not be remembered any more.
HORIZON, BEFORE = "2024-03-21T10:58:00.000Z", "2024-03-21T10:57:59.999Z"
USERS = ("ann", "bob")


def inhabited() -> Universe:
    """A universe that names ann and bob alike, wherever it names anybody."""
    seats = {user: Seat(user, user.title(), "edit", "g1", None) for user in USERS}
    operations = {user: AppliedOperation(user, "an-op", "00" * 16, 1, HORIZON) for user in USERS}
    return replace(
        open_universe().now,
        members=dict.fromkeys(USERS, "edit"),
        bans=dict.fromkeys(USERS, HORIZON),
        connections=seats,
        seats_bytes=seats_bytes(seats),
        absences={user: Absence(user, HORIZON) for user in USERS},
        operations=operations,
        operations_bytes=sum(map(stored_bytes, operations.values())),
    )


def without_ann(universe: Universe) -> Universe:
    erased = UserErased(
        universe_id=UNIVERSE, user_id="ann", placeholder="p", timestamp=AT, seq=universe.seq + 1
    )
    after = evolve(universe, erased)
    assert after is not None
    return after


def test_whatever_the_user_has_goes_and_what_others_have_stays() -> None:
    before = inhabited()
    after = without_ann(before)
    for name in ("members", "bans", "connections", "absences", "operations"):
        assert getattr(after, name) == {"bob": getattr(before, name)["bob"]}, name


def test_the_bytes_are_counted_of_what_is_left() -> None:
    after = without_ann(inhabited())
    assert after.seats_bytes == seats_bytes(after.connections)
    assert after.operations_bytes == stored_bytes(after.operations["bob"])


def test_it_is_as_of_the_event() -> None:
    before = inhabited()
    after = without_ann(before)
    assert (after.seq, after.updated_at) == (before.seq + 1, AT)


@pytest.mark.parametrize(("at", "is_kept"), [(HORIZON, True), (BEFORE, False)])
def test_what_is_known_as_a_hash_is_kept_as_long_as_it_has_to_be(at: str, *, is_kept: bool) -> None:
    assert REMEMBERED_S == 120
    hashed = AppliedOperation("", "", "00" * 16, 1, at)
    universe = replace(inhabited(), operations={"hash": hashed})
    assert ("hash" in without_ann(universe).operations) is is_kept
