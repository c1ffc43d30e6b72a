"""Metrics of one process, in a registry of its own, in Prometheus' text format."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from harmonic_runtime.observability import table
from harmonic_runtime.observability.series import (
    Counter,
    CounterSeries,
    Histogram,
    Histograms,
    RisingCollector,
    Summaries,
    Summary,
)
from harmonic_runtime.observability.specs import (
    PREFIX,
    CounterSpec,
    GaugeSpec,
    HistogramSpec,
    SummarySpec,
)
from harmonic_runtime.process.ticker import every

#: How often the event loop's lag is measured.
LAG_INTERVAL_S = 0.1
#: The lag shown is the worst of this and the preceding window, so that no scrape misses it.
LAG_WINDOW_S = 15.0
#: A callback that is so late counts as late. Other processes of a busy machine explain less.
LATE_S = 0.25

M = TypeVar("M", Counter, Gauge, Histogram, Summary)


class Family(Generic[M]):
    """The series of a metric with labels: all that are declared, and no other."""

    __slots__ = ("_series",)

    def __init__(self, series: Mapping[tuple[str, ...], M]) -> None:
        self._series: Mapping[tuple[str, ...], M] = series

    def of(self, *values: str) -> M:
        """The series with these values; raise ``KeyError`` where it is not declared."""
        return self._series[values]


class Metrics:
    """The metrics of a process. Each is declared in a table, and made once."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._rising: list[RisingCollector] = []
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def counter(self, spec: CounterSpec) -> Counter:
        """A counter without labels."""
        return self.counters(spec).of()

    def counters(self, spec: CounterSpec) -> Family[Counter]:
        """A counter with labels."""
        series = {values: Counter() for values in spec.labels.series}
        self._register(CounterSeries(spec, series))
        return Family(series)

    def counter_from(self, spec: CounterSpec, read: Callable[[], float]) -> None:
        """A counter that is kept elsewhere as a plain number: it costs nothing until read."""
        self._register(_Sampled(PREFIX + spec.name, spec.help, read))

    def gauge(self, spec: GaugeSpec) -> Gauge:
        """A gauge without labels that is set."""
        return Gauge(PREFIX + spec.name, spec.help, registry=self.registry)

    def gauge_from(self, spec: GaugeSpec, read: Callable[[], float]) -> None:
        """A gauge without labels that is read whenever somebody asks."""
        self.gauge(spec).set_function(read)

    def gauges(self, spec: GaugeSpec) -> Family[Gauge]:
        """A gauge with labels."""
        name, labels = PREFIX + spec.name, spec.labels.names
        gauge = Gauge(name, spec.help, labels, registry=self.registry)
        return Family({values: gauge.labels(*values) for values in spec.labels.series})

    def histogram(self, spec: HistogramSpec) -> Histogram:
        """A histogram without labels."""
        return self.histograms(spec).of()

    def histograms(self, spec: HistogramSpec) -> Family[Histogram]:
        """A histogram with labels."""
        series = {values: Histogram(spec.buckets) for values in spec.labels.series}
        self._register(Histograms(spec, series))
        return Family(series)

    def summaries(self, spec: SummarySpec) -> Family[Summary]:
        """A summary with labels."""
        series = {values: Summary() for values in spec.labels.series}
        self._register(Summaries(spec, series))
        return Family(series)

    def info(self, spec: GaugeSpec, **values: str) -> None:
        """A gauge that is always 1, and tells by its labels what does not change."""
        names = spec.labels.names
        gauge = Gauge(PREFIX + spec.name, spec.help, names, registry=self.registry)
        gauge.labels(**values).set(1)

    def _register(self, collector: RisingCollector) -> None:
        self.registry.register(collector)
        self._rising.append(collector)

    def rises(self) -> dict[str, float]:
        """The numbers that only rise, by the names of their series, without those that are 0."""
        return {name: value for each in self._rising for name, value in each.rises()}

    def render(self) -> tuple[bytes, str]:
        """All metrics as text, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class _Sampled(RisingCollector):
    def __init__(self, name: str, description: str, read: Callable[[], float]) -> None:
        self._name = name
        self._description = description
        self._read = read

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily(self._name, self._description, value=self._read())

    def rises(self) -> Iterator[tuple[str, float]]:
        value = self._read()
        if value:
            yield f"{self._name}_total", value


@contextmanager
def loop_lag(metrics: Metrics) -> Iterator[None]:
    """Measure how late the event loop calls back, while the block runs.

    A loop that is late delays every client of the process: this is what saturation looks like.
    """
    loop = asyncio.get_running_loop()
    expected_at = loop.time() + LAG_INTERVAL_S
    window_ends_at = loop.time() + LAG_WINDOW_S
    worst_s = before_s = 0.0
    late = metrics.counter(table.EVENT_LOOP_LATE)

    def measure() -> None:
        nonlocal expected_at, window_ends_at, worst_s, before_s
        now = loop.time()
        if now > window_ends_at:
            window_ends_at, before_s, worst_s = now + LAG_WINDOW_S, worst_s, 0.0
        late_s = now - expected_at
        worst_s = max(worst_s, late_s)
        if late_s >= LATE_S:
            late.inc(late_s)
        expected_at = now + LAG_INTERVAL_S

    metrics.gauge_from(table.EVENT_LOOP_LAG, lambda: max(worst_s, before_s))
    metrics.gauge_from(table.TASKS, lambda: len(asyncio.all_tasks(loop)))
    with every(LAG_INTERVAL_S, measure):
        yield
