"""``harmonic explain``: what logs say of an error whose id a client was told."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harmonic_operator.connection import NotDone
from harmonic_operator.output import console, write_json
from harmonic_protocol.causes import Cause

Line = Mapping[str, Any]
#: Fields that every line has, or that are printed separately.
_KNOWN = {"event", "level", "time", "service", "instance", "replica", "error_id", "exception"}


@dataclass
class Explanation:
    """An error as its gateway logged it, and the other lines of the same trace or id.

    ``instances`` are the names of replicas by their ids, as far as the logs have them.
    """

    error: Line
    related: list[Line] = field(default_factory=list)
    instances: dict[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, object]:
        """The known facts about the error, by plain names; unknown ones are left out."""
        error = self.error
        cause = error.get("cause")
        owner = error.get("owner")
        known = {
            "cause": cause,
            "meaning": _meaning(cause),
            "code": error.get("code", "INTERNAL_ERROR" if cause else None),
            "reason": error.get("reason"),
            "universe": error.get("universe"),
            "replica": owner,
            "replicaInstance": self.instances.get(str(owner)),
            "gateway": error.get("instance"),
            "trace": error.get("trace_id"),
            "time": error.get("time"),
            "event": error.get("event"),
        }
        rest = {name: value for name, value in error.items() if name not in _KNOWN}
        told = {"cause", "code", "reason", "universe", "owner", "trace_id"}
        more = {name: value for name, value in rest.items() if name not in told}
        return {name: value for name, value in {**known, **more}.items() if value is not None}


def explain(error_id: str, logs: Iterable[str], *, as_json: bool) -> None:
    """Print what logs say of an error; raise :class:`NotDone` if they say nothing."""
    found = find(error_id, logs)
    if found is None:
        raise NotDone(
            f"These logs say nothing of {error_id}: give those of all gateways and state replicas,"
            " from before the error on."
        )
    if as_json:
        write_json({"errorId": error_id, **found.facts, "related": found.related})
        return
    for name, value in found.facts.items():
        console.print(f"{name + ':':<17}{value}")
    for line in found.related:
        told = " ".join(f"{k}={v}" for k, v in line.items() if k not in _KNOWN and v is not None)
        origin = f"{line.get('time')} {line.get('service')} {line.get('instance')}"
        console.print(f"  {origin} {line.get('event')} {told}")
        for part in str(line.get("exception", "")).splitlines():
            console.print(f"    {part}")


def find(error_id: str, logs: Iterable[str]) -> Explanation | None:
    """The lines of an error, in the order of their times; ``None`` if there are none."""
    lines = list(_read(logs))
    own = [line for line in lines if line.get("error_id") == error_id]
    if not own:
        return None
    # A traceback may have a line of its own, which names no cause.
    error = max(own, key=lambda line: ("cause" in line, line.get("service") == "gateway"))
    trace = error.get("trace_id")
    related = [
        line
        for line in lines
        if line is not error
        and (line.get("error_id") == error_id or (trace and line.get("trace_id") == trace))
    ]
    instances = {
        str(line["replica"]): str(line["instance"])
        for line in lines
        if "replica" in line and "instance" in line
    }
    related.sort(key=lambda line: str(line.get("time", "")))
    return Explanation(error, related, instances)


def _read(logs: Iterable[str]) -> Iterator[Line]:
    """The lines that a service wrote, without any prefix that a tool added."""
    for line in logs:
        start = line.find("{")
        if start < 0:
            continue
        try:
            read = json.loads(line[start:])
        except ValueError:
            continue
        if isinstance(read, dict) and "event" in read:
            yield read


def _meaning(cause: object) -> str | None:
    return next((each.meaning for each in Cause if each.value == cause), None)
