"""The numbers behind metrics: plain attributes, read when somebody asks.

Those of ``prometheus_client`` take a lock and some calls for each change, and each message changes
several. Here only the event loop's thread changes them, so that a change is an addition.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from harmonic_runtime.observability.specs import (
    PREFIX,
    CounterSpec,
    HistogramSpec,
    SummarySpec,
)


class Counter:
    """A number that only rises."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Raise it."""
        self.value += amount


class Summary:
    """A number of observations, and their sum."""

    __slots__ = ("count", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count an observation."""
        self.count += 1
        self.sum += value


class Histogram:
    """How many observations were at most each of some bounds, and their sum."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count an observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """For each bound the observations at most so large, and all of them under ``+Inf``."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            found.append((_spelt(bound), total))
        return found


def _spelt(bound: float) -> str:
    spelt: str = floatToGoString(bound)  # type: ignore[no-untyped-call]  # it has no types
    return spelt


class CounterSeries(Collector):
    """The series of a declared counter."""

    def __init__(self, spec: CounterSpec, series: Mapping[tuple[str, ...], Counter]) -> None:
        self._spec = spec
        self._series = series

    def collect(self) -> Iterable[Metric]:
        """The metric with all of its series."""
        spec = self._spec
        family = CounterMetricFamily(PREFIX + spec.name, spec.help, labels=spec.labels.names)
        for values, counter in self._series.items():
            family.add_metric(values, counter.value)
        yield family

    describe = collect


class Histograms(Collector):
    """The series of a declared histogram."""

    def __init__(self, spec: HistogramSpec, series: Mapping[tuple[str, ...], Histogram]) -> None:
        self._spec = spec
        self._series = series

    def collect(self) -> Iterable[Metric]:
        """The metric with all of its series."""
        spec = self._spec
        family = HistogramMetricFamily(PREFIX + spec.name, spec.help, labels=spec.labels.names)
        for values, histogram in self._series.items():
            family.add_metric(values, histogram.buckets(), histogram.sum)
        yield family

    describe = collect


class Summaries(Collector):
    """The series of a declared summary."""

    def __init__(self, spec: SummarySpec, series: Mapping[tuple[str, ...], Summary]) -> None:
        self._spec = spec
        self._series = series

    def collect(self) -> Iterable[Metric]:
        """The metric with all of its series."""
        spec = self._spec
        family = SummaryMetricFamily(PREFIX + spec.name, spec.help, labels=spec.labels.names)
        for values, summary in self._series.items():
            family.add_metric(values, summary.count, summary.sum)
        yield family

    describe = collect
