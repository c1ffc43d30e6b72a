"""The shares of a universe's bytes, to the byte: what just fits, and what does not any more."""

from dataclasses import replace

import pytest

from harmonic_protocol.log import (
    ConnectionJoined,
    MemberRemoved,
    MemberSet,
    MusicRequested,
    OperationApplied,
)
from harmonic_protocol.pieces import MusicJob
from harmonic_protocol.refusals import Code, Refused
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_state.domain.bounds import (
    ENDLESS_BYTES,
    HASHED_OPERATION_BYTES,
    MAX_MEMBER_BYTES,
    MAX_PENDING_BYTES,
    MAX_SEAT_BYTES,
    MAX_STATE_BYTES,
    OPERATION_BYTES,
    absence_bytes,
    member_bytes,
    overflow,
    pending_bytes,
    seats_bytes,
)
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.operations import stored_bytes
from harmonic_state.domain.universe import (
    Absence,
    AppliedOperation,
    EndlessState,
    Seat,
    Universe,
)
from state_service.builders import open_universe

NOW = "2024-03-21T10:30:00.000Z"
JUST_NOW = "2024-03-21T10:29:55.000Z"
LONG_AGO = "2024-03-21T10:27:00.000Z"
EMPTY = open_universe().now
REMOVED = MemberRemoved(user_id="eve", timestamp=NOW)
JOINED = ConnectionJoined(
    connection_id="c2", gateway_id="g1", user_id="bob", username="Bob", mode="edit", replaces="c1"
)
SET = MemberSet(user_id="bob", role="edit", timestamp=NOW)
APPLIED = OperationApplied(user_id="bob", op_id="op7", digest="d", seq=1, timestamp=NOW)
#: What the above take.
JOINED_BYTES, SET_BYTES, APPLIED_BYTES = 122, 15, 140


def requested(
    user: str = "bob",
    connection: str = "c2",
    op_id: str | None = "op",
    service: str | None = None,
) -> LogEvent:
    job = MusicJob(
        universe_id="u",
        request_id="r",
        user_id=user,
        duration=1,
        seed=1,
        music=MusicParameters(),
        physics=PhysicsParameters(),
        deadline_ms=1,
        service=service,
    )
    return MusicRequested(job=job, connection_id=connection, op_id=op_id, timestamp=NOW)


def pieces(*requests: LogEvent) -> dict[str, MusicRequested]:
    return {str(n): one for n, one in enumerate(requests) if isinstance(one, MusicRequested)}


def refusal(universe: Universe, *events: LogEvent, hashed: bool = False) -> Refused | None:
    return overflow(universe, events, NOW, hashed=hashed)


def seated(size: int) -> Universe:
    """A universe whose only seat takes so many bytes."""
    seat = Seat("u", "n" * (size - 114), "edit", "g")
    seats = {"c1": seat}
    assert seats_bytes(seats) == size
    return replace(EMPTY, connections=seats, seats_bytes=size)


def operations(number: int, at: str) -> dict[str, AppliedOperation]:
    return {f"{at} {n}": AppliedOperation("ann", f"{n:04}", "d", 1, at) for n in range(number)}


def test_what_seats_members_absences_and_pieces_take() -> None:
    seat = Seat("ann", "Ann", "edit", "g1")
    assert seats_bytes({}) == 0
    assert seats_bytes({"c1": seat}) == 120
    assert seats_bytes({"c1": seat, "c2": replace(seat, replaces="c1")}) == 242
    assert member_bytes(["ann", "robert"]) == 33
    assert absence_bytes("c1", Absence("ann", NOW)) == 65
    assert pending_bytes(pieces(requested("ann", "c1", None)).values()) == 811
    assert pending_bytes(pieces(requested(), requested()).values()) == 2 * 813
    assert pending_bytes(pieces(requested(service="plugin")).values()) == 813 + len('"plugin"')


def test_of_a_universe_that_never_was_nothing_is_too_much() -> None:
    assert overflow(None, [JOINED, SET, APPLIED, requested()], NOW, hashed=False) is None


def test_a_seat_has_space_to_the_last_byte() -> None:
    assert refusal(seated(MAX_SEAT_BYTES - JOINED_BYTES), JOINED) is None
    full = seated(MAX_SEAT_BYTES - JOINED_BYTES + 1)
    assert refusal(full, JOINED) == Refused(
        code=Code.ROOM_FULL,
        message="The room has no space for another connection",
        details={"reason": "NO_SPACE", "limitBytes": MAX_SEAT_BYTES},
    )
    # Who has a seat keeps it.
    assert refusal(full, JOINED.model_copy(update={"connection_id": "c1"})) is None


def test_each_event_is_asked_about() -> None:
    full = seated(MAX_SEAT_BYTES)
    assert refusal(full) is None
    assert refusal(full, REMOVED) is None
    first = refusal(full, REMOVED, SET, JOINED, REMOVED)
    assert first is not None
    assert first.code is Code.ROOM_FULL


def test_a_member_has_space_to_the_last_byte() -> None:
    length = MAX_MEMBER_BYTES - SET_BYTES - 12
    assert refusal(replace(EMPTY, members={"m" * length: "view"}), SET) is None
    full = replace(EMPTY, members={"m" * (length + 1): "view"})
    assert refusal(full, SET) == Refused(
        code=Code.INVALID_PARAMETERS,
        message="The universe has no space for another member",
        details={"reason": "NO_SPACE", "limitBytes": MAX_MEMBER_BYTES},
    )
    assert refusal(full, SET.model_copy(update={"user_id": "m" * (length + 1)})) is None


def test_a_piece_has_space_to_the_last_byte() -> None:
    length = MAX_PENDING_BYTES - 813 - 811
    fitting = pieces(requested(op_id="o" * length))
    assert refusal(replace(EMPTY, pending_music=fitting), requested()) is None
    full = replace(EMPTY, pending_music=pieces(requested(op_id="o" * (length + 1))))
    assert refusal(full, requested()) == Refused(
        code=Code.RATE_LIMITED,
        message="Too many pieces are being made for this universe",
        details={"reason": "BUSY", "retryAfterMs": 1000},
    )


def test_operations_have_their_share_whatever_else_there_is() -> None:
    crowded = replace(seated(MAX_STATE_BYTES), operations=operations(1, JUST_NOW))
    most = OPERATION_BYTES - APPLIED_BYTES
    assert refusal(replace(crowded, operations_bytes=most), APPLIED) is None
    assert refusal(replace(crowded, operations_bytes=most + 1), APPLIED) == Refused(
        code=Code.RATE_LIMITED,
        message="Too many commands with an opId were carried out in this universe lately",
        details={
            "reason": "TOO_MANY_OPERATIONS",
            "windowMs": 120_000,
            "retryAfterMs": 115_001,
        },
    )


def test_operations_have_what_all_else_leaves() -> None:
    some = replace(
        seated(1000),
        members={"ann": "view", "robert": "edit"},
        absences={"c1": Absence("ann", NOW), "c2": Absence("ann", NOW)},
        pending_music=pieces(requested()),
        endless=EndlessState("s", "ann", None, 1, NOW),
        operations=operations(1, LONG_AGO),
    )
    left = MAX_STATE_BYTES - 8192 - 1000 - 33 - 2 * 65 - 813 - ENDLESS_BYTES
    most = left - APPLIED_BYTES
    assert refusal(replace(some, operations_bytes=most), APPLIED) is None
    full = refusal(replace(some, operations_bytes=most + 1), APPLIED)
    assert full is not None
    # It is old enough to be forgotten once there are others: a moment is enough.
    assert full.details["retryAfterMs"] == 1


def test_operations_that_are_forgotten_make_space() -> None:
    old = operations(200, LONG_AGO)
    crowded = replace(seated(MAX_STATE_BYTES), operations=old | operations(128, JUST_NOW))
    freed = sum(map(stored_bytes, old.values()))
    most = OPERATION_BYTES - APPLIED_BYTES + freed
    assert refusal(replace(crowded, operations_bytes=most), APPLIED) is None
    assert refusal(replace(crowded, operations_bytes=most + 1), APPLIED) is not None


@pytest.mark.parametrize("forgotten", [0, 200])
def test_hashed_operations_are_counted_by_their_number(forgotten: int) -> None:
    most = OPERATION_BYTES // HASHED_OPERATION_BYTES - 1
    old, crowded = operations(forgotten, LONG_AGO), seated(MAX_STATE_BYTES)
    fitting = replace(crowded, operations=old | operations(most, JUST_NOW))
    assert refusal(fitting, APPLIED, hashed=True) is None
    full = replace(crowded, operations=old | operations(most + 1, JUST_NOW))
    assert refusal(full, APPLIED, hashed=True) is not None
