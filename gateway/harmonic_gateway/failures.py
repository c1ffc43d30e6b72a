"""What operators learn of a refusal: a count by code and reason, and for our own failures a line.

The line of an ``INTERNAL_ERROR`` names the id that the client was told, the cause, the universe,
the replica of the state service that was asked, and the trace.
"""

from harmonic_gateway import metrics as table
from harmonic_gateway.metrics import NONE, OTHER
from harmonic_protocol.causes import Cause
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics


class Failures:
    """Counts refusals, and logs them."""

    def __init__(self, log: BoundLogger, metrics: Metrics) -> None:
        self._log = log
        refusals = metrics.counters(table.REFUSALS)
        self._refusals = {series: refusals.of(*series) for series in table.REFUSALS.labels.series}
        causes = metrics.counters(table.INTERNAL_ERRORS)
        self._causes = {cause: causes.of(cause.value) for cause in Cause}

    def count(self, refusal: Refused) -> None:
        """Count a refusal that a client is told."""
        reason = refusal.details.get("reason", NONE)
        code = refusal.code.value
        series = (code, reason) if (code, reason) in self._refusals else (code, OTHER)
        self._refusals[series].inc()
        if refusal.code is Code.INTERNAL_ERROR:
            self._causes[refusal.cause].inc()

    def report(
        self,
        event: str,
        refusal: Refused,
        *,
        error_id: str,
        universe_id: str | None = None,
        **context: object,
    ) -> None:
        """Count a refusal and log it, as ``event`` or, if the fault is ours, ``internal_error``."""
        self.count(refusal)
        reason = refusal.details.get("reason")
        if refusal.code is not Code.INTERNAL_ERROR:
            code = refusal.code.value
            self._log.info(event, code=code, reason=reason, error_id=error_id, **context)
            return
        self._log.warning(
            "internal_error",
            error_id=error_id,
            cause=refusal.cause.value,
            universe=universe_id,
            owner=refusal.replica,
            reason=reason,
            **context,
        )
