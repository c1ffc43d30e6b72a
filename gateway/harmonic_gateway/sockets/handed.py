"""The state of a session that a gateway hands over to another.

Times are ages, in seconds, since clocks differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harmonic_gateway.sockets.headers import Beginning


@dataclass(slots=True)
class HandedHeartbeat:
    """The state of a heartbeat: ``is_due`` if a ping is unanswered."""

    answered_ago_s: float
    pinged_ago_s: float
    is_due: bool
    round_trip_ms: float | None


@dataclass(slots=True)
class HandedConnection:
    """A connection to a namespace; ``kept`` belongs to the application."""

    id: str
    namespace: str
    pid: str | None
    elsewhere: str | None
    kept: Mapping[str, Any]


@dataclass(slots=True)
class HandedSession:
    """A session: its first request, and the packets that wait for its client.

    If it was ``shut``, it has nothing else, and is closed once these packets are sent. Its client's
    messages still count for ``busy_s`` seconds, and their cost for ``cost_s`` seconds.
    """

    begun: Beginning
    packets: str
    heartbeat: HandedHeartbeat
    shut: bool = False
    has_asked: bool = False
    busy_s: float = 0.0
    cost_s: float = 0.0
    connections: list[HandedConnection] = field(default_factory=list)
