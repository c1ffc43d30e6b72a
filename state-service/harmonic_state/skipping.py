"""Stored messages that count for nothing: each is logged and counted, and harms no other."""

from harmonic_runtime.bus.streams import Stored
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_state import metrics as table


class SkippedMessages:
    """Tells of stored messages that are unreadable, or foreign.

    Foreign ones no state service has stored: the broker has, whose answers go wherever a request
    names.
    """

    def __init__(self, metrics: Metrics, log: SampledLog) -> None:
        self._counters = metrics.counters(table.STORED_MESSAGES_SKIPPED)
        self._log = log

    def unreadable(self, kind: str, stored: Stored) -> None:
        """The message holds what no version of this service wrote."""
        self._tell(kind, "unreadable", stored)

    def foreign(self, kind: str, stored: Stored) -> None:
        """The message is no state service's."""
        self._tell(kind, "foreign", stored)

    def _tell(self, kind: str, reason: str, stored: Stored) -> None:
        self._counters.of(kind, reason).inc()
        self._log.error(
            "stored_message_skipped",
            kind=f"{kind} {stored.subject}",
            subject=stored.subject,
            position=stored.sequence,
            reason=reason,
        )
