"""What a gateway hands over of a session that goes on at another one.

Times are ages, in seconds: clocks differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harmonic_gateway.sockets.headers import Beginning


@dataclass(slots=True)
class HandedHeartbeat:
    """How a heartbeat stands: ``is_due`` if a ping waits for its answer."""

    answered_ago_s: float
    pinged_ago_s: float
    is_due: bool
    round_trip_ms: float | None


@dataclass(slots=True)
class HandedConnection:
    """A connection to a namespace; what is ``kept`` of it is the application's."""

    id: str
    namespace: str
    pid: str | None
    elsewhere: str | None
    kept: Mapping[str, Any]


@dataclass(slots=True)
class HandedSession:
    """A session: how it began, and the packets that wait for its client.

    A session that was ``shut`` has nothing more: it is to be closed once these are sent. What its
    client has sent, and cost, still counts for ``busy_s`` and ``cost_s``.
    """

    begun: Beginning
    packets: str
    heartbeat: HandedHeartbeat
    shut: bool = False
    has_asked: bool = False
    busy_s: float = 0.0
    cost_s: float = 0.0
    connections: list[HandedConnection] = field(default_factory=list)
