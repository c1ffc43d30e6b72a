"""Whatever a universe is filled with, it can be stored; and what makes it smaller always may."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from harmonic_protocol.envelope import Caller
from harmonic_protocol.refusals import Refused
from harmonic_state.domain import bounds
from harmonic_state.domain.decide import decide
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.operations import REMEMBERED_S, operation_key
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import Universe
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.snapshots import Snapshot, encode_snapshot
from state_service.builders import caller, command, created, open_universe

#: What the broker takes by default, with some of it for headers.
MESSAGE_BYTES = 1024 * 1024 - 1024
#: Users with ids as long as they may be, of characters that take most.
LONG = "\N{MUSICAL SYMBOL G CLEF}" * 250
OWNER = caller("owner")
#: After ``REMEMBERED_S`` as many are forgotten as come.
SECONDS = REMEMBERED_S + 40


class Crowd:
    """Requests at times of their own, and the refusals that they met."""

    def __init__(self, universe: Universe, *, hashed: bool = False) -> None:
        self.universe = universe
        self.refusals: list[Refused] = []
        self._now = datetime(2024, 3, 21, tzinfo=UTC)
        self._hashed = hashed
        self._asked = 0

    def passes(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def asks(self, request: UniverseRequest, by: Caller) -> bool:
        at = self._now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        at_ms = int(self._now.timestamp() * 1000)
        self._asked += 1
        moment = DecisionInputs(at, at_ms, f"request-{self._asked:014}", 1, self._hashed)
        decision = decide(self.universe, request, by, moment)
        if isinstance(decision, Refused):
            self.refusals.append(decision)
            return False
        after = fold(self.universe, decision.events)
        assert after is not None
        self.universe = after
        return True

    def stored_bytes(self) -> int:
        return len(encode_snapshot(Snapshot(1, self.universe), packed=self._hashed))


def update(op_id: str) -> UniverseRequest:
    return command("update_physics", parameters={"gravity": 1}, opId=op_id)


def room_of(users: int) -> tuple[Universe, list[Caller]]:
    history = open_universe(maxParticipants=1000)
    callers = [caller(f"auth0|user-{number:04}") for number in range(users)]
    for each in callers:
        history.does(command("join_room", mode="edit"), each)
    return history.now, callers


@pytest.mark.parametrize("hashed", [False, True])
def test_users_who_drag_sliders_are_not_forgotten(*, hashed: bool) -> None:
    universe, users = room_of(46)
    crowd = Crowd(universe, hashed=hashed)
    recent: dict[str, int] = {}
    for second in range(SECONDS):
        for user in users:
            op_id = f"drag-{second}"
            if crowd.asks(update(op_id), user):
                recent[operation_key(user.user_id, op_id)] = second
        crowd.passes(1)
        if second % 60 == 0:
            assert crowd.stored_bytes() < MESSAGE_BYTES
    young = {key for key, at in recent.items() if at > SECONDS - REMEMBERED_S}
    assert young <= set(crowd.universe.operations)
    # At one update a second of each, some have to wait where texts are stored, and none else.
    assert len(crowd.refusals) <= (0 if hashed else len(recent) // 10)


@pytest.mark.parametrize("hashed", [False, True])
def test_before_a_young_op_id_is_forgotten_the_command_is_refused_until_it_is_old(
    *,
    hashed: bool,
) -> None:
    universe, (ann, *_) = room_of(1)
    crowd = Crowd(universe, hashed=hashed)
    number = 0
    while crowd.asks(update(f"{number:0>64}"), ann):
        number += 1
    (refusal,) = crowd.refusals
    assert refusal.details["reason"] == "TOO_MANY_OPERATIONS"
    assert crowd.stored_bytes() < MESSAGE_BYTES
    assert operation_key(ann.user_id, f"{0:0>64}") in crowd.universe.operations
    # Without an opId nothing has to be remembered.
    assert crowd.asks(command("update_physics", parameters={"gravity": 2}), ann)
    assert crowd.asks(command("leave_room", opId="x"), ann)
    assert crowd.asks(command("join_room", mode="edit"), ann)
    crowd.passes(refusal.details["retryAfterMs"] / 1000)
    assert crowd.asks(update("another"), ann)


def fill(crowd: Crowd) -> Iterator[bool]:
    """Everything that may be added to a universe, with the longest texts."""
    users = [Caller(f"{number:04}{LONG}", "\x01" * 64, f"c{number}", "g") for number in range(500)]
    for user in users:
        yield crowd.asks(command("set_member", userId=user.user_id, role="edit"), OWNER)
    for user in users:
        yield crowd.asks(command("join_room", mode="edit"), user)
    present = [Caller(s.user_id, s.username, c, "g") for c, s in crowd.universe.connections.items()]
    for user in present:
        yield crowd.asks(command("generate_music", duration=10), user)
    number = 0
    while crowd.asks(update(f"{number:0>64}"), present[0]):
        number += 1
    yield number == 0
    for user in users:
        absent = user._replace(connection_id=f"{user.connection_id}-away")
        yield crowd.asks(command("join_room", mode="edit"), absent)


@pytest.mark.parametrize("hashed", [False, True])
def test_a_universe_filled_to_the_brim_can_be_stored_left_and_deleted(*, hashed: bool) -> None:
    crowd = Crowd(created(visibility="public", publicMode="edit", maxParticipants=1000).now)
    crowd = Crowd(crowd.universe, hashed=hashed)
    assert not all(list(fill(crowd)))
    reasons = {refusal.details.get("reason") for refusal in crowd.refusals}
    assert reasons == {"NO_SPACE", "BUSY", "TOO_MANY_OPERATIONS"}
    assert crowd.stored_bytes() < MESSAGE_BYTES
    assert crowd.universe.seats_bytes <= bounds.MAX_SEAT_BYTES
    assert bounds.member_bytes(crowd.universe.members) <= bounds.MAX_MEMBER_BYTES

    connection, seat = next(iter(crowd.universe.connections.items()))
    leaver = Caller(seat.user_id, seat.username, connection, "g")
    member = next(iter(crowd.universe.members))
    assert crowd.asks(command("leave_room"), leaver)
    assert crowd.asks(command("remove_member", userId=member), OWNER)
    assert crowd.asks(command("update_universe", visibility="private"), OWNER)
    assert crowd.asks(command("delete_universe"), OWNER)
