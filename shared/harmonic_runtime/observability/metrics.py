"""Metrics of one process, in a registry of its own, in Prometheus' text format."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from harmonic_runtime.process.ticker import every

PREFIX = "harmonic_"
#: From a local request to the longest command, in seconds.
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: How often the event loop's lag is measured.
LAG_INTERVAL_S = 0.1
#: The lag shown is the worst of this and the preceding window, so that no scrape misses it.
LAG_WINDOW_S = 15.0


class Metrics:
    """The metrics of a process; every name begins with ``harmonic_``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def counter(self, name: str, description: str, labels: Sequence[str] = ()) -> Counter:
        """A number that only rises; Prometheus knows it as ``harmonic_<name>_total``."""
        return Counter(PREFIX + name, description, labels, registry=self.registry)

    def counter_from(self, name: str, description: str, read: Callable[[], float]) -> None:
        """A counter that is kept elsewhere as a plain number: it costs nothing until read."""
        self.registry.register(_Sampled(PREFIX + name, description, read))

    def gauge(self, name: str, description: str, labels: Sequence[str] = ()) -> Gauge:
        """A number that rises and falls."""
        return Gauge(PREFIX + name, description, labels, registry=self.registry)

    def histogram(
        self,
        name: str,
        description: str,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = LATENCY_BUCKETS_S,
    ) -> Histogram:
        """A distribution: seconds, unless ``buckets`` say otherwise."""
        return Histogram(
            PREFIX + name, description, labels, buckets=buckets, registry=self.registry
        )

    def render(self) -> tuple[bytes, str]:
        """All metrics as text, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _Sampled(Collector):
    def __init__(self, name: str, description: str, read: Callable[[], float]) -> None:
        self._name = name
        self._description = description
        self._read = read

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily(self._name, self._description, value=self._read())


@contextmanager
def loop_lag(metrics: Metrics) -> Iterator[None]:
    """Measure how late the event loop calls back, while the block runs.

    A loop that is late delays every client of the process: this is what saturation looks like.
    """
    loop = asyncio.get_running_loop()
    expected_at = loop.time() + LAG_INTERVAL_S
    window_ends_at = loop.time() + LAG_WINDOW_S
    worst_s = before_s = 0.0

    def measure() -> None:
        nonlocal expected_at, window_ends_at, worst_s, before_s
        now = loop.time()
        if now > window_ends_at:
            window_ends_at, before_s, worst_s = now + LAG_WINDOW_S, worst_s, 0.0
        worst_s = max(worst_s, now - expected_at)
        expected_at = now + LAG_INTERVAL_S

    gauge = metrics.gauge(
        "event_loop_lag_seconds", "worst delay of a callback in the last 15 to 30 seconds"
    )
    gauge.set_function(lambda: max(worst_s, before_s))
    tasks = metrics.gauge("tasks", "tasks of the event loop that are not done")
    tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
    with every(LAG_INTERVAL_S, measure):
        yield
