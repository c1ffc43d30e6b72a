"""The checker by itself: it lets a right history pass, and says what is wrong with others."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from chaos.checker import MAX_EXAMPLES, check
from chaos.history import Attempt, History, Life, LogRecord, Operation, Outcome, Read
from harmonic_protocol.messages.parameters import Parameters

U = "universe-1"
DEFAULTS = Parameters().model_dump(by_alias=True)
_NAMES = {"physics": "physics_updated", "music": "music_updated"}


def _history() -> History:
    """Five operations one after the other, a second apart; a member sees all from the first on.

    The second is of two sets; the fourth was sent twice, and acknowledged the second time; the
    fifth got no answer, and was applied all the same.
    """
    history = History()
    changes: list[dict[str, dict[str, Any]]] = [
        {"physics": {"gravity": 1.0}},
        {"physics": {"friction": 0.2}, "music": {"harmony": 0.2}},
        {"physics": {"gravity": 3.0}},
        {"music": {"harmony": 0.4}},
        {"physics": {"gravity": 5.0}},
    ]
    state, seq = DEFAULTS, 1
    joined = {"userId": "alice", "username": "alice", "mode": "edit"}
    records = [
        _record(("universe_created", {})),
        _record(("participant_joined", {"participant": joined, "timestamp": _time(0), "seq": 1})),
    ]
    for number, sets in enumerate(changes, start=1):
        events = []
        for name, values in sets.items():
            seq += 1
            state = {**state, name: {**state[name], **values}}
            data = {
                "parameters": state[name],
                "changed": list(values),
                "timestamp": _time(number),
                "seq": seq,
            }
            events.append((_NAMES[name], data))
        events.append(("operation_applied", {"opId": f"op-{number}", "seq": seq}))
        records.append(_record(*events))
        attempt = Attempt("tab-1", number, number + 0.5, Outcome.ACKNOWLEDGED, seq)
        history.operations.append(Operation("alice", U, f"op-{number}", sets, [attempt]))
    fourth, fifth = history.operations[3:]
    fourth.attempts.insert(0, Attempt("tab-1", 3.9, 4.0, Outcome.UNKNOWN))
    fifth.attempts[:] = [Attempt("tab-1", 5, 8, Outcome.UNKNOWN)]
    history.logs[U] = [
        replace(record, position=10 * n, previous=10 * (n - 1))
        for n, record in enumerate(records, start=1)
    ]
    frames = [
        (name, data) for record in records[2:] for name, data in record.events if "opId" not in data
    ]
    room = frozenset({"alice"})
    history.lives.append(Life(Read("bob", U, 0, 0.5, 1, DEFAULTS, room), frames, to_the_end=True))
    first = {**DEFAULTS, "physics": {**DEFAULTS["physics"], "gravity": 1.0}}
    history.reads.append(Read("carol", U, 1.6, 1.9, 2, first))
    history.finals.append(Read("dave", U, 20, 21, seq, state, room))
    return history


def _record(*events: tuple[str, Mapping[str, Any]]) -> LogRecord:
    return LogRecord(0, 0, events)


def _time(second: int) -> str:
    return f"2024-03-21T10:30:{second:02}.000Z"


def _append(history: History, *records: LogRecord) -> None:
    log = history.logs[U]
    for record in records:
        end = log[-1].position
        log.append(replace(record, position=end + 10, previous=end))


def _in_log(history: History, index: int, **changed: Any) -> None:
    record = history.logs[U][index]
    (name, data), *rest = record.events
    history.logs[U][index] = replace(record, events=((name, {**data, **changed}), *rest))


def _swap(history: History) -> None:
    """The third and the fifth operation in each other's place, with all that follows from it."""
    log, operations = history.logs[U], history.operations
    for index, gravity in ((4, 5.0), (6, 3.0)):
        _in_log(history, index, parameters={**_set(log, index), "gravity": gravity})
    _in_log(history, 5, parameters=log[5].events[0][1]["parameters"])
    operations[2].attempts[0] = replace(operations[2].attempts[0], seq=7)
    history.lives.clear()
    history.finals[0] = replace(
        history.finals[0],
        parameters={
            **history.finals[0].parameters,
            "physics": {**history.finals[0].parameters["physics"], "gravity": 3.0},
        },
    )


def _set(log: list[LogRecord], index: int) -> dict[str, Any]:
    found: dict[str, Any] = dict(log[index].events[0][1]["parameters"])
    return found


def test_a_right_history_passes() -> None:
    assert check(_history()) == []


def test_an_operation_of_unknown_outcome_may_be_absent() -> None:
    history = _history()
    absent = Operation("alice", U, "op-6", {"physics": {"gravity": 6.0}})
    absent.attempts.append(Attempt("tab-1", 9, 12, Outcome.UNKNOWN))
    history.operations.append(absent)
    assert check(history) == []


def test_a_member_that_went_away_need_not_have_seen_the_end() -> None:
    history = _history()
    del history.lives[0].frames[3:]
    history.lives[0].to_the_end = False
    assert check(history) == []


def _lost(history: History) -> None:
    history.operations.append(
        Operation(
            "alice",
            U,
            "op-6",
            {"physics": {"gravity": 6.0}},
            [Attempt("tab-1", 9, 10, Outcome.ACKNOWLEDGED, 8)],
        )
    )


def _doubled(history: History) -> None:
    state = {**_set(history.logs[U], 6), "gravity": 1.0}
    again = {"parameters": state, "changed": ["gravity"], "timestamp": _time(9), "seq": 8}
    _append(history, _record(("physics_updated", again)))


def _half(history: History) -> None:
    record = history.logs[U][3]
    history.logs[U][3] = replace(record, events=record.events[:1])


def _refused(history: History) -> None:
    history.operations[4].attempts[:] = [Attempt("tab-1", 5, 6, Outcome.REFUSED)]


def _acknowledged_as_another(history: History) -> None:
    attempts = history.operations[0].attempts
    attempts.append(replace(attempts[0], seq=3))


def _numbered_twice(history: History) -> None:
    _in_log(history, 4, seq=4)


def _unchained(history: History) -> None:
    history.logs[U][4] = replace(history.logs[U][4], previous=20)


def _made_of_older_values(history: History) -> None:
    _in_log(history, 4, parameters={**_set(history.logs[U], 4), "friction": 0.5})


def _back_in_time(history: History) -> None:
    _in_log(history, 4, timestamp=_time(0))


def _nobodys(history: History) -> None:
    del history.operations[4]


def _sent_later(history: History) -> None:
    first, *_ = history.operations
    first.attempts[0] = replace(first.attempts[0], sent_at=3.6, answered_at=3.8, via="tab-2")


def _sent_in_another_order(history: History) -> None:
    _swap(history)
    third, fifth = history.operations[2], history.operations[4]
    third.attempts[0] = replace(third.attempts[0], sent_at=4.5, answered_at=9)
    fifth.attempts[0] = Attempt("tab-1", 4.6, 9, Outcome.ACKNOWLEDGED, 5)


def _old_read(history: History) -> None:
    history.reads[0] = replace(history.reads[0], asked_at=3.0, answered_at=3.1)


def _read_back(history: History) -> None:
    read = history.reads[0]
    history.reads.append(replace(read, asked_at=2, answered_at=2.1, seq=1, parameters=DEFAULTS))


def _wrong_read(history: History) -> None:
    history.reads[0] = replace(history.reads[0], parameters=DEFAULTS)


def _wrong_roster(history: History) -> None:
    snapshot = replace(history.lives[0].snapshot, participants=frozenset({"eve"}))
    history.lives[0].snapshot = snapshot


def _gap(history: History) -> None:
    del history.lives[0].frames[2]


def _seen_twice(history: History) -> None:
    frames = history.lives[0].frames
    frames.insert(2, frames[1])


def _seen_otherwise(history: History) -> None:
    name, data = history.lives[0].frames[2]
    history.lives[0].frames[2] = (name, {**data, "userId": "eve"})


def _unseen(history: History) -> None:
    history.lives[0].frames.pop()


def _old_end(history: History) -> None:
    history.finals.append(replace(history.reads[0], asked_at=20, answered_at=21))


def _unasked(history: History) -> None:
    history.finals.clear()


def _vanished(history: History) -> None:
    del history.logs[U]


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (_lost, "exactly once"),
        (_doubled, "exactly once"),
        (_half, "exactly once"),
        (_refused, "exactly once"),
        (_acknowledged_as_another, "exactly once"),
        (_numbered_twice, "one order"),
        (_unchained, "one order"),
        (_made_of_older_values, "one order"),
        (_back_in_time, "one order"),
        (_nobodys, "one order"),
        (_sent_later, "real time"),
        (_swap, "real time"),
        (_sent_in_another_order, "own order"),
        (_old_read, "reads"),
        (_read_back, "reads"),
        (_wrong_read, "reads"),
        (_wrong_roster, "reads"),
        (_gap, "views"),
        (_seen_twice, "views"),
        (_seen_otherwise, "views"),
        (_unseen, "views"),
        (_old_end, "finals"),
        (_unasked, "finals"),
        (_vanished, "logs"),
    ],
)
def test_what_is_wrong_is_found(spoil: Callable[[History], None], rule: str) -> None:
    history = _history()
    spoil(history)
    assert any(violation.startswith(f"{rule}: ") for violation in check(history))


def test_of_many_violations_some_are_told() -> None:
    history = _history()
    for number in range(100):
        _lost(history)
        history.operations[-1].op_id = f"op-{number + 6}"
    assert len(check(history)) == MAX_EXAMPLES + 1
