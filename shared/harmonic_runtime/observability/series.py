"""The numbers behind metrics: plain attributes, read when metrics are collected.

``prometheus_client`` takes a lock and several calls for each change, and each message changes
several numbers. Here only the event loop's thread changes them, so a change is one addition.
"""

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

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
    MetricSpec,
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

    @property
    def count(self) -> int:
        """How many observations there were."""
        return sum(self._counts)

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


def series_name(name: str, labels: Mapping[str, str]) -> str:
    """A series with its labels, as Prometheus writes it."""
    if not labels:
        return name
    inner = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inner}}}"


class RisingCollector(Collector):
    """Collects series of which numbers only rise."""

    @abstractmethod
    def rises(self) -> Iterator[tuple[str, float]]:
        """These numbers by the names of their series, without those that are 0.

        Many times cheaper than to collect the metric.
        """


S = TypeVar("S", bound=Counter | Histogram | Summary)
Observed = TypeVar("Observed", bound=Histogram | Summary)


def _named(
    spec: MetricSpec, suffix: str, series: Mapping[tuple[str, ...], S]
) -> list[tuple[str, S]]:
    names = spec.labels.names
    return [
        (series_name(PREFIX + spec.name + suffix, dict(zip(names, values, strict=True))), each)
        for values, each in series.items()
    ]


class CounterSeries(RisingCollector):
    """The series of a declared counter."""

    def __init__(self, spec: CounterSpec, series: Mapping[tuple[str, ...], Counter]) -> None:
        self._spec = spec
        self._series = series
        self._totals = _named(spec, "_total", series)

    def rises(self) -> Iterator[tuple[str, float]]:
        """The totals by the names of their series, without those that are 0."""
        return ((name, each.value) for name, each in self._totals if each.value)

    def collect(self) -> Iterable[Metric]:
        """The metric with all of its series."""
        spec = self._spec
        family = CounterMetricFamily(PREFIX + spec.name, spec.help, labels=spec.labels.names)
        for values, counter in self._series.items():
            family.add_metric(values, counter.value)
        yield family

    describe = collect


class _Observed(RisingCollector, Generic[Observed]):
    """Series of observations: their numbers and sums rise. Buckets are left out of that."""

    def __init__(self, spec: MetricSpec, series: Mapping[tuple[str, ...], Observed]) -> None:
        self._spec = spec
        self._series = series
        self._counts = _named(spec, "_count", series)
        self._sums = _named(spec, "_sum", series)

    def rises(self) -> Iterator[tuple[str, float]]:
        """Numbers and sums of observations."""
        yield from ((name, each.count) for name, each in self._counts if each.count)
        yield from ((name, each.sum) for name, each in self._sums if each.sum)


class Histograms(_Observed[Histogram]):
    """The series of a declared histogram."""

    def collect(self) -> Iterable[Metric]:
        """The metric with all of its series."""
        spec = self._spec
        family = HistogramMetricFamily(PREFIX + spec.name, spec.help, labels=spec.labels.names)
        for values, histogram in self._series.items():
            family.add_metric(values, histogram.buckets(), histogram.sum)
        yield family

    describe = collect


class Summaries(_Observed[Summary]):
    """The series of a declared summary."""

    def collect(self) -> Iterable[Metric]:
        """The metric with all of its series."""
        spec = self._spec
        family = SummaryMetricFamily(PREFIX + spec.name, spec.help, labels=spec.labels.names)
        for values, summary in self._series.items():
            family.add_metric(values, summary.count, summary.sum)
        yield family

    describe = collect
