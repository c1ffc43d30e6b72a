"""What was seen from outside while the product ran, and what its log holds in the end.

Times are seconds of one monotonic clock: everything that is recorded is recorded by one process.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Changes: TypeAlias = Mapping[str, Mapping[str, Any]]
"""New values by parameter set and field, in their wire names."""


class Outcome(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """for good: nothing came of it"""
    UNKNOWN = "unknown"
    """a transient error, or no answer: something may have come of it, or still may"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of a command; ``via`` names the connection."""

    via: str
    sent_at: float
    answered_at: float
    outcome: Outcome
    seq: int | None = None


@dataclass(slots=True)
class Operation:
    """A command of a writer, sent as often as it took. No two operations set equal values."""

    writer: str
    universe: str
    op_id: str
    changes: Changes
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def sent_at(self) -> float:
        return min((attempt.sent_at for attempt in self.attempts), default=math.inf)

    @property
    def acknowledged_at(self) -> float:
        """When it was first acknowledged; infinite if it never was."""
        return min((attempt.answered_at for attempt in self.acknowledged), default=math.inf)

    @property
    def acknowledged(self) -> list[Attempt]:
        return [item for item in self.attempts if item.outcome is Outcome.ACKNOWLEDGED]


@dataclass(frozen=True, slots=True)
class Read:
    """The state as somebody was told it: on joining, or over HTTP."""

    who: str
    universe: str
    asked_at: float
    answered_at: float
    seq: int
    parameters: Changes
    participants: frozenset[str] | None = None


@dataclass(slots=True)
class Life:
    """A member's time in a room, from its snapshot on; ``frames`` are names with their data."""

    snapshot: Read
    frames: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    to_the_end: bool = False

    @property
    def seq(self) -> int:
        """How far it has come."""
        return int(self.frames[-1][1]["seq"]) if self.frames else self.snapshot.seq


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as it lies in its stream; ``previous`` is what its append was to follow."""

    position: int
    previous: int | None
    events: tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(slots=True)
class History:
    operations: list[Operation] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    """those over HTTP; those on joining are in ``lives``"""
    logs: dict[str, list[LogRecord]] = field(default_factory=dict)
    finals: list[Read] = field(default_factory=list)
    """the states that were asked for when all was quiet"""
