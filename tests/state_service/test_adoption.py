"""The universes that wait to be loaded: bounded, and none of them is forgotten."""

import pytest
from structlog.testing import capture_logs

from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock
from harmonic_state import adoption
from harmonic_state.adoption import AdoptionQueue


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def queue(metrics: Metrics) -> AdoptionQueue:
    return AdoptionQueue(metrics, SampledLog(get_log(), SystemClock()))


def test_universes_are_loaded_in_order_and_each_once(queue: AdoptionQueue) -> None:
    assert queue.add(["b", "a", "b", "c"]) == []
    assert queue.add(["a"]) == []
    assert queue.take(2) == ["b", "a"]
    assert queue.take(2) == ["c"]
    assert queue.take(2) == []


def test_universes_beyond_the_bound_are_counted_logged_and_queued_when_they_are_named_again(
    queue: AdoptionQueue, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "MAX_TO_ADOPT", 2)
    with capture_logs() as lines:
        assert queue.add(["a", "b", "c", "a", "d"]) == ["c", "d"]
        # One that waits is not deferred.
        assert queue.add(["c", "b"]) == ["c"]
    assert [(line["event"], line["universes"], line["most"]) for line in lines] == [
        ("adoption_deferred", 2, 2)
    ]
    assert metrics.registry.get_sample_value("harmonic_adoptions_deferred_total") == 3
    assert queue.take(1) == ["a"]
    assert queue.add(["c", "d"]) == ["d"]
    assert queue.take(9) == ["b", "c"]
    assert queue.add(["d"]) == []
    assert queue.take(9) == ["d"]
