"""What a metric is, declared once: what a process serves and the reference page follow from it.

A table of metrics is a module whose constants are declarations; :func:`declared_in` lists them.
Every value that a label may have is declared, so that all series are there from the start and none
can be added while the process runs: no user, universe or connection is ever a label.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from types import ModuleType
from typing import ClassVar

PREFIX = "harmonic_"
#: From a local request to the longest command, in seconds.
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class OperatorQuestion(StrEnum):
    """What an operator asks; each metric helps to answer one of these."""

    CONNECT = "Can clients connect?"
    UPDATES = "Are updates slow?"
    RECOVERY = "Do clients recover?"
    HOT = "Is one universe hot?"
    STORAGE = "Does JetStream fill up?"
    MUSIC = "Does music lag?"
    LIMITS = "Are the limits in force?"
    CLIENTS = "Do clients misbehave?"
    ERRORS = "What fails?"
    BUS = "Is the bus well?"
    PROCESS = "Is the process well?"


@dataclass(frozen=True, slots=True)
class Labels:
    """The names of a metric's labels, and the values of each of its series."""

    names: tuple[str, ...] = ()
    series: tuple[tuple[str, ...], ...] = ((),)

    def values_of(self, name: str) -> list[str]:
        """The values of one label, each once, in order."""
        index = self.names.index(name)
        return list(dict.fromkeys(values[index] for values in self.series))


def labelled(**values: Iterable[str]) -> Labels:
    """Labels of which each value occurs with each value of the others."""
    return Labels(tuple(values), tuple(product(*values.values())))


NO_LABELS = Labels()


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric: ``name`` is without prefix and, for counters, ``_total``; its unit stands last."""

    kind: ClassVar[str]

    name: str
    help: str
    question: OperatorQuestion
    labels: Labels = NO_LABELS

    @property
    def full_name(self) -> str:
        """The name that Prometheus knows it by."""
        return PREFIX + self.name


@dataclass(frozen=True, slots=True)
class CounterSpec(MetricSpec):
    """A number that only rises."""

    kind: ClassVar = "counter"

    @property
    def full_name(self) -> str:
        """The name that Prometheus knows it by."""
        return f"{PREFIX}{self.name}_total"


@dataclass(frozen=True, slots=True)
class GaugeSpec(MetricSpec):
    """A number that rises and falls."""

    kind: ClassVar = "gauge"


@dataclass(frozen=True, slots=True)
class SummarySpec(MetricSpec):
    """A number of observations and their sum, for a mean; quantiles need a histogram."""

    kind: ClassVar = "summary"


@dataclass(frozen=True, slots=True)
class HistogramSpec(MetricSpec):
    """A distribution: seconds, unless ``buckets`` say otherwise."""

    kind: ClassVar = "histogram"

    buckets: tuple[float, ...] = LATENCY_BUCKETS_S


def declared_in(*tables: ModuleType) -> Iterator[MetricSpec]:
    """All declarations of these tables, in their order."""
    for table in tables:
        yield from (each for each in vars(table).values() if isinstance(each, MetricSpec))
