"""Deciding whether a history is that of an ordered, durable, linearizable log per universe.

The log itself is the order in which everything is claimed to have happened. So nothing has to be
searched for: it is enough to walk along it, and see that all that was observed agrees with it.
Universes are independent, and what holds for each of them holds for all (linearizability is
local).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from chaos.history import Changes, History, Life, LogRecord, Operation, Outcome, Read
from harmonic_protocol.messages.parameters import Parameters

_SETS = {
    "physics_updated": "physics",
    "music_updated": "music",
    "visualization_updated": "visualization",
}
_DEFAULTS: Changes = Parameters().model_dump(by_alias=True)
#: Of each kind of violation, so many are told.
MAX_EXAMPLES = 5


@dataclass(slots=True)
class _Log:
    """A universe's log, walked along once: its frames by number, and what they add up to."""

    universe: str
    records: list[LogRecord]
    frames: dict[int, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    states: list[Changes] = field(default_factory=lambda: [_DEFAULTS])
    rosters: list[frozenset[str]] = field(default_factory=lambda: [frozenset()])
    effects: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    """frame numbers and sets by the operations that they are of"""

    @property
    def seq(self) -> int:
        return len(self.states) - 1


def check(history: History) -> list[str]:
    """Every way in which the history is not what was promised; none is what is hoped for."""
    found: dict[str, list[str]] = defaultdict(list)
    by_universe: dict[str, list[Operation]] = defaultdict(list)
    for operation in history.operations:
        by_universe[operation.universe].append(operation)
    for universe, records in history.logs.items():
        operations = by_universe.pop(universe, [])
        log = _Log(universe, records)
        lives = [life for life in history.lives if life.snapshot.universe == universe]
        reads = [read for read in history.reads if read.universe == universe]
        finals = [read for read in history.finals if read.universe == universe]
        for rule, violations in (
            ("one order", _walk(log, operations)),
            ("exactly once", _exactly_once(log, operations)),
            ("own order", _own_order(log, operations)),
            ("real time", _real_time(log, operations)),
            ("reads", _reads(log, operations, [*reads, *(life.snapshot for life in lives)])),
            ("views", _views(log, lives)),
            ("finals", _finals(log, finals)),
        ):
            found[rule].extend(f"{universe}: {violation}" for violation in violations)
    found["logs"].extend(f"{universe}: there is no log" for universe in by_universe)
    return [
        f"{rule}: {violation}"
        for rule, violations in found.items()
        for violation in _examples(violations)
    ]


def _examples(violations: list[str]) -> Iterator[str]:
    yield from violations[:MAX_EXAMPLES]
    if len(violations) > MAX_EXAMPLES:
        yield f"and {len(violations) - MAX_EXAMPLES} more"


def _walk(log: _Log, operations: list[Operation]) -> Iterator[str]:
    """The log is a chain, numbers its frames without a hole, and each is the sum so far."""
    known = {
        (name, _key(values)): operation.op_id
        for operation in operations
        for name, values in operation.changes.items()
    }
    position, at = 0, ""
    for record in log.records:
        if record.previous != position:
            yield f"the record at {record.position} follows {record.previous}, not {position}"
        position = record.position
        for name, data in record.events:
            if "seq" not in data or name == "operation_applied":
                continue
            if data["seq"] != log.seq + 1:
                yield f"frame {log.seq + 1} has number {data['seq']}"
            if data["timestamp"] < at:
                yield f"time runs backwards at frame {log.seq + 1}"
            at = data["timestamp"]
            yield from _fold(log, known, name, data)


def _fold(
    log: _Log, known: Mapping[tuple[str, Any], str], name: str, data: Mapping[str, Any]
) -> Iterator[str]:
    state, roster, changed = log.states[-1], log.rosters[-1], _SETS.get(name)
    number = log.seq + 1
    if changed is not None:
        values = {key: data["parameters"][key] for key in data["changed"]}
        state = {**state, changed: {**state[changed], **values}}
        if data["parameters"] != state[changed]:
            yield f"frame {number} is not what its changes make of the frames before"
        op_id = known.get((changed, _key(values)))
        if op_id is None:
            yield f"frame {number} is nobody's: {values}"
        else:
            log.effects[op_id].append((number, changed))
    elif name == "participant_joined":
        roster |= {data["participant"]["userId"]}
    elif name == "participant_left":
        roster -= {data["userId"]}
    log.states.append(state)
    log.rosters.append(roster)
    log.frames[number] = (name, data)


def _key(values: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    return frozenset(values.items())


def _exactly_once(log: _Log, operations: list[Operation]) -> Iterator[str]:
    """Acknowledged: in the log once, and every time with the same number; else at most once."""
    for operation in operations:
        effects = log.effects.get(operation.op_id, [])
        counts = Counter(name for _, name in effects)
        if any(count > 1 for count in counts.values()):
            yield f"{operation.op_id} was applied more than once: {effects}"
        elif effects and counts.keys() != operation.changes.keys():
            yield f"{operation.op_id} was applied in part: {effects}"
        elif effects and effects[-1][0] - effects[0][0] != len(effects) - 1:
            yield f"{operation.op_id} was interrupted: {effects}"
        acknowledged = {attempt.seq for attempt in operation.acknowledged}
        if acknowledged and not effects:
            yield f"{operation.op_id} was acknowledged as {acknowledged} and is lost"
        elif acknowledged and acknowledged != {effects[-1][0]}:
            yield f"{operation.op_id} is frame {effects[-1][0]}, acknowledged as {acknowledged}"
        if effects and all(item.outcome is Outcome.REFUSED for item in operation.attempts):
            yield f"{operation.op_id} was refused for good, and applied"


def _place(log: _Log, operation: Operation) -> int | None:
    effects = log.effects.get(operation.op_id)
    return effects[0][0] if effects else None


def _own_order(log: _Log, operations: list[Operation]) -> Iterator[str]:
    """What was sent over one connection, and acknowledged at once, is in the order of sending."""
    by_connection: dict[str, list[tuple[float, int, str]]] = defaultdict(list)
    for operation in operations:
        first, place = operation.attempts[0], _place(log, operation)
        if first.outcome is Outcome.ACKNOWLEDGED and place is not None:
            by_connection[first.via].append((first.sent_at, place, operation.op_id))
    for via, sent in by_connection.items():
        sent.sort()
        for (_, before, earlier), (_, after, later) in pairwise(sent):
            if after < before:
                yield f"{later} came before {earlier}, which was sent first over {via}"


def _real_time(log: _Log, operations: list[Operation]) -> Iterator[str]:
    """What was acknowledged before something else was sent comes before that."""
    earliest, whose = math.inf, ""
    for _, operation in reversed(_placed(log, operations)):
        if operation.sent_at > earliest:
            yield f"{operation.op_id} was sent after {whose} was acknowledged, and comes before it"
        if operation.acknowledged_at < earliest:
            earliest, whose = operation.acknowledged_at, operation.op_id


def _placed(log: _Log, operations: list[Operation]) -> list[tuple[int, Operation]]:
    places = ((_place(log, operation), operation) for operation in operations)
    placed = [(place, operation) for place, operation in places if place is not None]
    return sorted(placed, key=lambda item: item[0])


def _reads(log: _Log, operations: list[Operation], reads: list[Read]) -> Iterator[str]:
    """A read is a state of the log, and none older than what was known when it was asked for."""
    known = sorted(
        [(item.acknowledged_at, place) for place, item in _placed(log, operations)]
        + [(read.answered_at, read.seq) for read in reads]
    )
    newest, index = 0, 0
    for read in sorted(reads, key=lambda read: read.asked_at):
        while index < len(known) and known[index][0] < read.asked_at:
            newest = max(newest, known[index][1])
            index += 1
        if read.seq < newest:
            yield f"{read.who} was told of {read.seq}, when {newest} was known"
        yield from _state(log, read)


def _state(log: _Log, read: Read) -> Iterator[str]:
    if read.seq > log.seq:
        yield f"{read.who} was told of frame {read.seq}, the log ends with {log.seq}"
        return
    if read.parameters != log.states[read.seq]:
        yield f"{read.who} was told parameters that are not those of frame {read.seq}"
    if read.participants is not None and read.participants != log.rosters[read.seq]:
        yield f"{read.who} was told participants that are not those of frame {read.seq}"


def _views(log: _Log, lives: list[Life]) -> Iterator[str]:
    """Each member saw the log's frames after its snapshot, all of them and in order."""
    for life in lives:
        who, number = life.snapshot.who, life.snapshot.seq
        for name, data in life.frames:
            number += 1
            if data["seq"] != number:
                yield f"{who} saw frame {data['seq']} where {number} was due"
                break
            if log.frames.get(number) != (name, data):
                yield f"{who} saw {name} {data}, the log's {number} is {log.frames.get(number)}"
                break
        else:
            if life.to_the_end and number != log.seq:
                yield f"{who} saw nothing after frame {number}, the log ends with {log.seq}"


def _finals(log: _Log, finals: list[Read]) -> Iterator[str]:
    """When all is quiet, everybody is told the end of the log."""
    if not finals:
        yield "nobody asked for the final state"
    for read in finals:
        if read.seq != log.seq:
            yield f"{read.who} was told of {read.seq} in the end, the log ends with {log.seq}"
        yield from _state(log, read)
