"""Reports refusals to operators: a count by code and reason, and a log line for our own failures.

The line of an ``INTERNAL_ERROR`` names the id that the client was told, the cause, the universe,
the replica of the state service that was asked, and the trace.
"""

from harmonic_gateway import metrics as table
from harmonic_gateway.metrics import NONE, OTHER
from harmonic_protocol.causes import Cause
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog


class Failures:
    """Counts and logs refusals.

    Of frequent refusals that clients cause, and of a connection's overdue commands, it logs a
    sample.
    """

    def __init__(self, log: BoundLogger, sampled: SampledLog, metrics: Metrics) -> None:
        self._log = log
        self._sampled = sampled
        refusals = metrics.counters(table.REFUSALS)
        self._refusals = {series: refusals.of(*series) for series in table.REFUSALS.labels.series}
        causes = metrics.counters(table.INTERNAL_ERRORS)
        self._causes = {cause: causes.of(cause.value) for cause in Cause}

    def count(self, refusal: Refused) -> None:
        """Count a refusal that is sent to a client."""
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
        in_full: bool = True,
        **context: object,
    ) -> None:
        """Count a refusal and log it, as ``event`` or, if the fault is ours, ``internal_error``.

        Without ``in_full``, its line may be left out of the log, which then counts it.
        """
        self.count(refusal)
        reason = refusal.details.get("reason")
        if refusal.code is not Code.INTERNAL_ERROR:
            code = refusal.code.value
            told = {"code": code, "reason": reason, "error_id": error_id, **context}
            if in_full:
                self._log.info(event, **told)
            else:
                self._sampled.info(event, kind=f"{code} {reason}", **told)
            return
        failed = {
            "error_id": error_id,
            "cause": refusal.cause.value,
            "universe": universe_id,
            "owner": refusal.replica,
            "trace_id": error_id,
            "reason": reason,
            **context,
        }
        if refusal.cause is Cause.OVERDUE:
            # All that waits behind a slow command, for as long as its client sends more.
            kind = f"{refusal.cause.value} {context.get('connection')}"
            self._sampled.warning("internal_error", kind=kind, **failed)
        else:
            self._log.warning("internal_error", **failed)
