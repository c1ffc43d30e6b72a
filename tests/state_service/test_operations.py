"""For how long, and how many, operations are remembered."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from harmonic_protocol.log import OperationApplied
from harmonic_protocol.messages.declaration import Command
from harmonic_protocol.refusals import Refused
from harmonic_state.domain.bounds import MAX_STATE_BYTES
from harmonic_state.domain.decide import Decision, decide
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.operations import (
    MAX_REMEMBERED_OPERATIONS,
    REMEMBERED_OPERATIONS,
    REMEMBERED_S,
    TEXT_OVERHEAD_BYTES,
    digest,
    operation_key,
    remember,
    stored_bytes,
)
from harmonic_state.domain.presence import DecisionInputs
from harmonic_state.domain.universe import AppliedOperation
from state_service.builders import caller, command, open_universe

AT = "2024-03-21T10:31:00.000Z"

#: Of ann's ``op-1``, since operations are remembered by their hashes.
GOLDEN_KEY = "1c49a696f67452b9aede44bf"
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


def test_one_that_is_applied_once_more_is_remembered_as_the_newest_and_counted_once() -> None:
    operations, total = remember(remembered(applied(1), applied(2)), applied(1, at_s=1))
    assert numbers(operations) == [2, 1]
    assert total == 0


def test_a_remembered_operation_takes_its_texts_as_json_and_what_stands_around_them() -> None:
    plain = AppliedOperation("ann", "op-1", "digest", 1, "2024-03-21T00:00:00.000Z")
    assert stored_bytes(plain) == TEXT_OVERHEAD_BYTES + len('"ann""op-1"')
    assert stored_bytes(replace(plain, op_id="o\\1")) == TEXT_OVERHEAD_BYTES + len(r'"ann""o\\1"')
    assert stored_bytes(replace(plain, op_id='o"1')) == TEXT_OVERHEAD_BYTES + len(r'"ann""o\"1"')


def test_a_universe_knows_what_its_operations_take() -> None:
    applied_once = [
        OperationApplied(
            user_id="ann", op_id=f"op-{number}", digest="digest", seq=number, timestamp=AT
        )
        for number in range(2)
    ]
    universe = fold(open_universe().now, applied_once)
    assert universe is not None
    assert universe.operations_bytes == sum(map(stored_bytes, universe.operations.values())) > 0


def test_an_op_id_is_each_users_own() -> None:
    assert operation_key("a", "bc") != operation_key("ab", "c")


def test_what_an_operation_is_remembered_by_stays_the_same_over_versions() -> None:
    # It stands in snapshots. Texts that are no Unicode were once let in.
    assert operation_key("ann", "op-1") == GOLDEN_KEY
    assert len(operation_key("ann", "\ud800")) == len(GOLDEN_KEY)


def test_an_operation_is_old_a_millisecond_after_its_time() -> None:
    kept = remembered(*(applied(number, at_s=1) for number in range(REMEMBERED_OPERATIONS)))
    exactly = applied(500, at_s=1 + REMEMBERED_S)
    assert len(after(kept, exactly)) == REMEMBERED_OPERATIONS + 1
    assert len(after(kept, applied(500, at_s=1.001 + REMEMBERED_S))) == REMEMBERED_OPERATIONS


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


def test_a_command_sent_again_may_belong_to_another_trace() -> None:
    traces = [f"00-{digit * 32}-{digit * 16}-01" for digit in "12"]
    tempo = {"tempo": 90}
    digests = {digest_of("update_music", parameters=tempo, traceparent=each) for each in traces}
    assert digests == {digest_of("update_music", parameters=tempo)}


def test_a_digest_stays_the_same_over_versions() -> None:
    # It stands in logs, and replicas of two versions compare it.
    assert digest_of("update_physics", parameters={"timeScale": 2}, opId="x") == GOLDEN


def test_a_command_whose_operation_has_no_space_is_refused() -> None:
    history = open_universe()
    history.does(command("join_room", mode="edit"), caller("ann"))
    asked = command("update_physics", parameters={"gravity": 1}, opId="another")
    some = replace(history.now, operations=remembered(applied(1)))
    history.universe = replace(some, operations_bytes=2 * MAX_STATE_BYTES)
    assert isinstance(history.ask(asked, caller("ann")), Refused)
    # Where operations are stored as hashes, there is space for many more.
    hashed = DecisionInputs(AT, 0, hashed=True)
    assert isinstance(decide(history.now, asked, caller("ann"), hashed), Decision)
    history.universe = replace(some, operations_bytes=0)
    assert isinstance(history.ask(asked, caller("ann")), Decision)
