"""What is counted over all universes, and logged where it may repeat without end."""

from harmonic_protocol.envelope import Reply
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_state.pending import PendingRequest
from harmonic_state.refusals import (
    BROKEN,
    BUSY,
    DAMAGED,
    FULL,
    OUTCOME_UNKNOWN,
    OVERDUE,
    UNAVAILABLE,
)

#: The replies by which a request is given up, and what they are counted as.
_GIVEN_UP = (
    (OVERDUE, "overdue"),
    (OUTCOME_UNKNOWN, "outcome_unknown"),
    (FULL, "storage_full"),
    (BUSY, "queue_full"),
    (DAMAGED, "damaged"),
    (UNAVAILABLE, "unavailable"),
    (BROKEN, "broken"),
)


class Meters:
    """What is counted over all universes, and logged where it may repeat without end."""

    def __init__(self, metrics: Metrics, log: SampledLog) -> None:
        self.conflicts = metrics.counter("append_conflicts", "appends that found news")
        self.losses = metrics.counter("histories_lost", "logs found to have lost records")
        given_up = metrics.counter("requests_given_up", "requests not carried out", ["reason"])
        self._given_up = [(error, kind, given_up.labels(kind)) for error, kind in _GIVEN_UP]
        self._log = log

    def answered(self, pending: PendingRequest, reply: Reply) -> None:
        """Count and log a reply, if it gives its request up."""
        if reply.error is None:
            return
        for error, kind, counter in self._given_up:
            if reply.error is error:
                counter.inc()
                name = pending.request.operation()
                self._log.warning("request_given_up", kind=kind, request=name, reason=kind)
