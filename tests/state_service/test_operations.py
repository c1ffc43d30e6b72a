"""For how long, and how many, operations are remembered."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from harmonic_protocol.messages.declaration import Command
from harmonic_state.domain.operations import (
    MAX_REMEMBERED_OPERATIONS,
    REMEMBERED_OPERATIONS,
    REMEMBERED_S,
    digest,
    operation_key,
    remember,
    stored_bytes,
)
from harmonic_state.domain.universe import AppliedOperation
from state_service.builders import command

#: Of ``update_physics`` with ``{"timeScale": 2}``, since the first version.
GOLDEN = "f2788403d41703be908c37eb714c5ad5"


def applied(number: int, *, at_s: float = 0) -> AppliedOperation:
    at = datetime(2024, 3, 21, tzinfo=UTC) + timedelta(seconds=at_s)
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return AppliedOperation("ann", f"op-{number}", "digest", number, stamp)


def remembered(*operations: AppliedOperation) -> Mapping[str, AppliedOperation]:
    return {operation_key(each.user_id, each.op_id): each for each in operations}


def numbers(operations: Mapping[str, AppliedOperation]) -> list[int]:
    return [operation.seq for operation in operations.values()]


def after(
    operations: Mapping[str, AppliedOperation], applied: AppliedOperation
) -> Mapping[str, AppliedOperation]:
    return remember(operations, applied)[0]


def test_the_last_operations_are_remembered_however_old_they_are() -> None:
    operations = remembered()
    for number in range(REMEMBERED_OPERATIONS):
        operations = after(operations, applied(number))
    operations = after(operations, applied(1000, at_s=10 * REMEMBERED_S))
    assert numbers(operations) == [*range(1, REMEMBERED_OPERATIONS), 1000]


def test_older_ones_are_remembered_for_their_time_and_not_longer() -> None:
    operations = remembered(
        *(applied(number, at_s=number) for number in range(REMEMBERED_OPERATIONS + 3))
    )
    # The oldest is as old as the bound by now, and not older.
    assert numbers(after(operations, applied(500, at_s=REMEMBERED_S)))[0] == 0
    assert numbers(after(operations, applied(500, at_s=REMEMBERED_S + 0.5)))[0] == 1
    # Four are more than are kept in any case; more are not forgotten.
    assert numbers(after(operations, applied(500, at_s=9 * REMEMBERED_S)))[0] == 4


def test_of_a_log_no_more_than_the_bound_are_remembered() -> None:
    operations = remembered(*(applied(number) for number in range(MAX_REMEMBERED_OPERATIONS)))
    kept = numbers(after(operations, applied(MAX_REMEMBERED_OPERATIONS)))
    assert kept == list(range(1, MAX_REMEMBERED_OPERATIONS + 1))


def test_what_is_remembered_is_counted_in_bytes() -> None:
    operations, total = remembered(), 0
    for number in range(200):
        operations, added = remember(operations, applied(number, at_s=number))
        total += added
    assert total == sum(stored_bytes(each) for each in operations.values())


def test_an_op_id_is_each_users_own() -> None:
    assert operation_key("a", "bc") != operation_key("ab", "c")


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
