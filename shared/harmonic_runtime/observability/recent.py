"""The recent changes of a process's metrics, for operators who ask once."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.series import series_name
from harmonic_runtime.observability.specs import PREFIX
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.ticker import every

#: How often counters are looked at, and for how long what was seen is kept.
INTERVAL_S = 5.0
WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class RecentMetrics:
    """Gauges as they are, and by how much counters rose within the last ``window_s``.

    Keys are names with their labels, as Prometheus writes them; what is 0 is left out.
    """

    window_s: float
    values: Mapping[str, float]
    increases: Mapping[str, float]


class MetricsWindow:
    """Keeps the counters of the last minute."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._kept: deque[tuple[float, Mapping[str, float]]] = deque(
            maxlen=int(WINDOW_S / INTERVAL_S)
        )
        self.look()

    def look(self) -> None:
        """Keep the counters as they are now."""
        self._kept.append((self._clock.monotonic(), self._metrics.rises()))

    def recent(self) -> RecentMetrics:
        """What the metrics did up to now."""
        since_s, before = self._kept[0]
        rises = self._metrics.rises()
        increases = {name: value - before.get(name, 0.0) for name, value in rises.items()}
        return RecentMetrics(
            self._clock.monotonic() - since_s,
            self._gauges(),
            {k: v for k, v in increases.items() if v},
        )

    def _gauges(self) -> dict[str, float]:
        return {
            series_name(sample.name, sample.labels): sample.value
            for family in self._metrics.registry.collect()
            if family.name.startswith(PREFIX) and family.type == "gauge"
            for sample in family.samples
            if sample.value
        }


@contextmanager
def metrics_window(metrics: Metrics, clock: Clock) -> Iterator[MetricsWindow]:
    """Look at the counters again and again while the block runs."""
    window = MetricsWindow(metrics, clock)
    with every(INTERVAL_S, window.look):
        yield window
