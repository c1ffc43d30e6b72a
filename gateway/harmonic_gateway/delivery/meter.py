"""How long updates take to reach members, in stages; and the spans of the last stage.

Durations within this process are by its monotonic clock. The whole way, from a command's arrival
at any gateway, is by the time base that all services share.
"""

from collections.abc import Callable

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.arrival import RecordArrival
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.tracing import Tracer

_MS_PER_S = 1000


class DeliveryMeter:
    """Counts frames to members, and measures their delays."""

    def __init__(self, clock: SharedClock, tracer: Tracer, metrics: Metrics) -> None:
        self._clock = clock
        self._tracer = tracer
        self._metrics = metrics
        self._behind_since_s: dict[str, float] = {}
        seconds = metrics.histograms(table.DELIVERY_SECONDS)
        self._appended = seconds.of("appended")
        self._written = seconds.of("written")
        self._total = seconds.of("total")
        self.delivered = metrics.counter(table.DELIVERIES)
        self.lost = metrics.counter(table.ROOMS_LOST)
        self.foreign = metrics.counter(table.FOREIGN_RECORDS)

    def watch(self, rooms: Callable[[], int]) -> None:
        """Show how many rooms have members here, and how far behind the last of them is."""
        self._metrics.gauge_from(table.ROOMS, rooms)
        self._metrics.gauge_from(table.LOG_LAG, self._lag_s)

    def behind(self, universe_id: str) -> None:
        """A room waits for a record that its log is known to hold."""
        self._behind_since_s.setdefault(universe_id, self._clock.monotonic())

    def caught_up(self, universe_id: str) -> None:
        """It has come, or the room is left."""
        self._behind_since_s.pop(universe_id, None)

    def _lag_s(self) -> float:
        since_s = min(self._behind_since_s.values(), default=None)
        return 0.0 if since_s is None else self._clock.monotonic() - since_s

    def appended(self, took_s: float) -> None:
        """A command was stored so long after its arrival here, as its owner says."""
        self._appended.observe(took_s)

    def written(self, arrival: RecordArrival) -> None:
        """A record was just written to all members here."""
        arrived_s, trace = arrival
        self._written.observe(self._clock.monotonic() - arrived_s)
        if trace.received_ms is not None and self._clock.is_shared:
            now_ms = self._clock.unix_s() * _MS_PER_S
            # What is left of clocks' differences must not count as negative.
            self._total.observe(max(0.0, now_ms - trace.received_ms) / _MS_PER_S)
        if trace.is_sampled and self._tracer.records:
            self._tracer.begin("deliver", trace.traceparent, arrived_s=arrived_s).end()
