"""What a process's metrics did lately, for who asks once and not every few seconds."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.specs import PREFIX
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.ticker import every

#: How often counters are looked at, and for how long what was seen is kept.
INTERVAL_S = 5.0
WINDOW_S = 60.0
#: Of a histogram, the number of observations and their sum rise; buckets are left out.
_LEFT_OUT = ("_bucket", "_created")
_RISES = ("_total", "_count", "_sum")


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
        counters, _ = self._read()
        self._kept.append((self._clock.monotonic(), counters))

    def recent(self) -> RecentMetrics:
        """What the metrics did up to now."""
        counters, gauges = self._read()
        since_s, before = self._kept[0]
        increases = {name: value - before.get(name, 0.0) for name, value in counters.items()}
        return RecentMetrics(
            self._clock.monotonic() - since_s, gauges, {k: v for k, v in increases.items() if v}
        )

    def _read(self) -> tuple[dict[str, float], dict[str, float]]:
        counters: dict[str, float] = {}
        gauges: dict[str, float] = {}
        for family in self._metrics.registry.collect():
            if not family.name.startswith(PREFIX):
                continue
            for sample in family.samples:
                if sample.value and not sample.name.endswith(_LEFT_OUT):
                    rises = family.type != "gauge" and sample.name.endswith(_RISES)
                    kind = counters if rises else gauges
                    kind[_key(sample.name, sample.labels)] = sample.value
        return counters, gauges


@contextmanager
def metrics_window(metrics: Metrics, clock: Clock) -> Iterator[MetricsWindow]:
    """Look at the counters again and again while the block runs."""
    window = MetricsWindow(metrics, clock)
    with every(INTERVAL_S, window.look):
        yield window


def _key(name: str, labels: Mapping[str, str]) -> str:
    if not labels:
        return name
    inner = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inner}}}"
