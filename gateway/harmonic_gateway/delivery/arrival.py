"""When a record arrived, and its trace. Pure."""

from typing import NamedTuple

from harmonic_protocol.envelope import RequestTrace


class RecordArrival(NamedTuple):
    """When a republished record arrived, by the monotonic clock, and its request's trace."""

    arrived_s: float
    trace: RequestTrace
