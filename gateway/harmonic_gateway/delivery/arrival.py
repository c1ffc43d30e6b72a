"""When a record came, and what it is followed by. Pure."""

from typing import NamedTuple

from harmonic_protocol.envelope import RequestTrace


class RecordArrival(NamedTuple):
    """When a republished record came, by the monotonic clock, and what its request is traced by."""

    arrived_s: float
    trace: RequestTrace
