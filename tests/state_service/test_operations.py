"""For how long, and how many, operations are remembered."""

from datetime import UTC, datetime, timedelta

from harmonic_protocol.messages.declaration import Command
from harmonic_state.domain.operations import (
    MAX_REMEMBERED_OPERATIONS,
    REMEMBERED_OPERATIONS,
    REMEMBERED_S,
    digest,
    remember,
)
from harmonic_state.domain.universe import AppliedOperation
from state_service.builders import command

#: Of ``update_physics`` with ``{"timeScale": 2}``, since the first version.
GOLDEN = "f2788403d41703be908c37eb714c5ad5"


def applied(number: int, *, at_s: float = 0) -> AppliedOperation:
    at = datetime(2024, 3, 21, tzinfo=UTC) + timedelta(seconds=at_s)
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return AppliedOperation("ann", f"op-{number}", "digest", number, stamp)


def numbers(operations: tuple[AppliedOperation, ...]) -> list[int]:
    return [operation.seq for operation in operations]


def test_the_last_operations_are_remembered_however_old_they_are() -> None:
    operations: tuple[AppliedOperation, ...] = ()
    for number in range(REMEMBERED_OPERATIONS):
        operations = remember(operations, applied(number))
    operations = remember(operations, applied(1000, at_s=10 * REMEMBERED_S))
    assert numbers(operations) == [*range(1, REMEMBERED_OPERATIONS), 1000]


def test_older_ones_are_remembered_for_their_time_and_not_longer() -> None:
    operations = tuple(applied(number, at_s=number) for number in range(REMEMBERED_OPERATIONS + 3))
    # The oldest is as old as the bound by now, and not older.
    assert numbers(remember(operations, applied(500, at_s=REMEMBERED_S)))[0] == 0
    assert numbers(remember(operations, applied(500, at_s=REMEMBERED_S + 0.5)))[0] == 1
    # Four are more than are kept in any case; more are not forgotten.
    assert numbers(remember(operations, applied(500, at_s=9 * REMEMBERED_S)))[0] == 4


def test_in_one_moment_no_more_than_the_bound_are_remembered() -> None:
    operations = tuple(applied(number) for number in range(MAX_REMEMBERED_OPERATIONS))
    kept = numbers(remember(operations, applied(MAX_REMEMBERED_OPERATIONS)))
    assert kept == list(range(1, MAX_REMEMBERED_OPERATIONS + 1))


def digest_of(name: str, **fields: object) -> str:
    asked = command(name, **fields)
    assert isinstance(asked, Command)
    return digest(asked)


def test_a_digest_is_the_same_for_the_same_command_alone() -> None:
    tempo = digest_of("update_music", parameters={"tempo": 90}, opId="x")
    assert tempo == digest_of("update_music", parameters={"tempo": 90}, opId="y")
    assert tempo == digest_of("update_music", parameters={"tempo": 90})
    assert tempo != digest_of("update_music", parameters={"tempo": 91})
    assert tempo != digest_of("update_music", parameters={"tempo": 90, "key": "C"})
    assert digest_of("leave_room") != digest_of("generate_music", duration=1)


def test_a_digest_stays_the_same_over_versions() -> None:
    # It stands in logs, and replicas of two versions compare it.
    assert digest_of("update_physics", parameters={"timeScale": 2}, opId="x") == GOLDEN
