"""Metrics over all universes, and log entries whose rate is bounded."""

from collections import Counter
from collections.abc import Sequence

from harmonic_protocol.causes import Cause
from harmonic_protocol.envelope import Reply
from harmonic_protocol.log import MusicFailed
from harmonic_protocol.messages.universes import CreateUniverse
from harmonic_protocol.refusals import Code
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_state import metrics as table
from harmonic_state.domain.events import LogEvent
from harmonic_state.pending import PendingRequest
from harmonic_state.refusals import BUSY
from harmonic_state.steps import StepFailure

#: Seconds over which requests are counted for the rate that is shown.
RATE_WINDOW_S = 5.0
#: The label by which an append that stored nothing is counted.
_NOT_STORED = {
    StepFailure.UNAVAILABLE: "unavailable",
    StepFailure.OUTCOME_UNKNOWN: "unknown",
    StepFailure.FULL: "full",
    StepFailure.TOO_LARGE: "too_large",
    StepFailure.LOST: "unavailable",
    StepFailure.BROKEN: "unavailable",
}


#: What an operator may do about appends that fail for long.
_HINTS = {
    StepFailure.OUTCOME_UNKNOWN: "the broker answers no append to this stream: look for its disk"
    " and its leader. A broker whose disk was full stores nothing until it is restarted, also"
    " when there is room again",
    StepFailure.FULL: "the log, the stream or the broker's disk is full",
}


class Meters:
    """Metrics over all universes, and log entries whose rate is bounded."""

    def __init__(self, metrics: Metrics, log: SampledLog) -> None:
        appends = metrics.counters(table.APPENDS)
        self._stored = appends.of("stored")
        self._conflicts = appends.of("conflict")
        self._not_stored = {failure: appends.of(name) for failure, name in _NOT_STORED.items()}
        self._append_seconds = metrics.histogram(table.APPEND_SECONDS)
        self.losses = metrics.counter(table.HISTORIES_LOST)
        self.owners_changed = metrics.counter(table.OWNERS_CHANGED)
        self._music_overdue = metrics.counter(table.MUSIC_OVERDUE)
        given_up = metrics.counters(table.REQUESTS_GIVEN_UP)
        self._causes = {cause: given_up.of(cause.value) for cause in Cause}
        self._queue_full = given_up.of("queue_full")
        #: Requests that wait for their universes.
        self.waiting = 0
        metrics.gauge_from(table.WAITING_REQUESTS, lambda: self.waiting)
        self._log = log

    def stored(self, events: Sequence[LogEvent], took_s: float) -> None:
        """Count an append that stored a record of these events."""
        self._stored.inc()
        for event in events:
            if type(event) is MusicFailed:
                self._music_overdue.inc()
        self._append_seconds.observe(took_s)

    def conflicted(self) -> None:
        """Count an append that found another owner's record at its position."""
        self._conflicts.inc()

    def not_stored(self, failure: StepFailure, stream: str, error: Exception) -> None:
        """Count an append to a log's stream that stored nothing, as far as is known."""
        self._not_stored[failure].inc()
        hint = _HINTS.get(failure)
        if hint is not None:
            self._log.error(
                "log_not_stored",
                kind=f"{failure.name} {stream}",
                stream=stream,
                reason=f"{type(error).__name__}: {error}",
                hint=hint,
            )

    def answered(self, pending: PendingRequest, reply: Reply) -> None:
        """A request waits no longer: count its reply, and log it if it gives the request up."""
        self.waiting -= 1
        error = reply.error
        if error is None:
            return
        if error is BUSY:
            self._queue_full.inc()
            name = pending.request.operation()
            self._log.warning("request_given_up", kind="queue_full", request=name)
        elif error.code is Code.INTERNAL_ERROR:
            self._causes[error.cause].inc()
            self._log.warning(
                "internal_error",
                kind=error.cause.value,
                cause=error.cause.value,
                request=pending.request.operation(),
                universe=_universe_of(pending),
                trace_id=pending.trace.trace_id,
            )


class RequestRates:
    """The request rates of universes: those with the most requests in the last whole window.

    No metric names a universe: it has only the busiest one's rate.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._counts: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        metrics.gauge_from(table.BUSIEST_UNIVERSE, self._busiest)

    def count(self, universe_id: str) -> None:
        """Count a request for a universe."""
        self._counts[universe_id] += 1

    def turn(self) -> None:
        """Begin a new window; called every ``RATE_WINDOW_S``."""
        self._before, self._counts = self._counts, Counter()

    def busiest(self, most: int) -> list[tuple[str, float]]:
        """The universes with the most requests, at most ``most``, with requests per second."""
        found = self._before.most_common(most)
        return [(universe_id, count / RATE_WINDOW_S) for universe_id, count in found]

    def _busiest(self) -> float:
        return max(self._before.values(), default=0) / RATE_WINDOW_S


def _universe_of(pending: PendingRequest) -> str | None:
    request = pending.request
    return request.id if isinstance(request, CreateUniverse) else request.universe_id
