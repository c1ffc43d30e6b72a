"""Metrics say of the same observations what prometheus_client's own would say."""

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest

from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.specs import (
    PREFIX,
    CounterSpec,
    HistogramSpec,
    OperatorQuestion,
    SummarySpec,
    labelled,
)

LABELS = labelled(kind=["one", "other"], outcome=["good", "bad"])
COUNTER = CounterSpec("events", "what happened", OperatorQuestion.BUS, LABELS)
HISTOGRAM = HistogramSpec("sizes", "how large", OperatorQuestion.BUS, LABELS, (0.5, 2.0, 10.0))
SUMMARY = SummarySpec("times", "how long", OperatorQuestion.BUS, LABELS)
SERIES = st.sampled_from(LABELS.series)
#: Exact in any order of adding, and on the bounds as well as between them.
VALUES = st.integers(0, 48).map(lambda quarters: quarters / 4)

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


@given(st.lists(st.tuples(SERIES, VALUES)))
def test_what_is_said_is_what_was_observed(seen: list[tuple[tuple[str, ...], float]]) -> None:
    ours, theirs = Metrics(), prometheus_client.CollectorRegistry()
    names = LABELS.names
    counter = prometheus_client.Counter(PREFIX + COUNTER.name, COUNTER.help, names, registry=theirs)
    histogram = prometheus_client.Histogram(
        PREFIX + HISTOGRAM.name,
        HISTOGRAM.help,
        names,
        buckets=HISTOGRAM.buckets,
        registry=theirs,
    )
    summary = prometheus_client.Summary(PREFIX + SUMMARY.name, SUMMARY.help, names, registry=theirs)
    for values in LABELS.series:
        for metric in (counter, histogram, summary):
            metric.labels(*values)
    counters, histograms = ours.counters(COUNTER), ours.histograms(HISTOGRAM)
    summaries = ours.summaries(SUMMARY)
    for values, value in seen:
        counter.labels(*values).inc(value)
        counters.of(*values).inc(value)
        histogram.labels(*values).observe(value)
        histograms.of(*values).observe(value)
        summary.labels(*values).observe(value)
        summaries.of(*values).observe(value)
    said = ours.render()[0].decode()
    for block in generate_latest(theirs).decode().split("# HELP ")[1:]:
        assert f"# HELP {block}" in said


def test_a_metric_is_made_once() -> None:
    metrics = Metrics()
    metrics.counters(COUNTER)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        metrics.counters(COUNTER)


def test_a_series_that_is_not_declared_is_none() -> None:
    with pytest.raises(KeyError):
        Metrics().counters(COUNTER).of("one", "unheard of")
