"""Stored messages that are skipped: each is logged and counted, and affects no other."""

from harmonic_runtime.bus.streams import Stored
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_state import metrics as table


class SkippedMessages:
    """Reports stored messages that are unreadable or foreign.

    No state service has stored a foreign one: the broker has, since it sends its answers to
    whatever subject a request names.
    """

    def __init__(self, metrics: Metrics, log: SampledLog) -> None:
        self._counters = metrics.counters(table.STORED_MESSAGES_SKIPPED)
        self._log = log

    def unreadable(self, kind: str, stored: Stored) -> None:
        """Report a message that no version of this service can have written."""
        self._tell(kind, "unreadable", stored)

    def foreign(self, kind: str, stored: Stored) -> None:
        """Report a message that is not of a state service."""
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
