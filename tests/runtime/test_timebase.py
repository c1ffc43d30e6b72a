"""One time base for all processes: measured, whatever the hosts' clocks say."""

from datetime import UTC, datetime, timedelta

import pytest

from harmonic_protocol.envelope import Caller, Envelope
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.bus.timebase import SAMPLES, Sample, SharedClock, measure, shared_clock
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock

NOON = datetime(2024, 3, 21, 12, tzinfo=UTC)


class Skewed:
    """A host's clock that is off, and stands still."""

    def __init__(self, by_s: float = 0.0) -> None:
        self.by_s = by_s

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.by_s)

    def unix_s(self) -> float:
        return self.now().timestamp()

    def monotonic(self) -> float:
        return 100.0


def at_noon(off_s: float = 0.0, round_trip_s: float = 0.001) -> Sample:
    return Sample(NOON.timestamp() - 100 + off_s, round_trip_s)


@pytest.mark.parametrize("by_s", [-60, -3, 0, 3, 60])
def test_a_clock_that_is_off_shows_the_shared_time(by_s: float) -> None:
    clock = SharedClock(Skewed(by_s))
    assert (clock.is_shared, clock.now()) == (False, NOON + timedelta(seconds=by_s))
    clock.take(at_noon())
    assert (clock.is_shared, clock.now()) == (True, NOON)
    assert clock.skew_s == by_s


def test_the_shortest_round_trip_counts() -> None:
    clock = SharedClock(Skewed())
    clock.take(at_noon(0.02, 0.05))
    clock.take(at_noon(0.001, 0.002))
    clock.take(at_noon(-0.03, 0.07))
    assert abs((clock.now() - NOON).total_seconds() - 0.001) < 1e-6


def test_old_measurements_are_forgotten() -> None:
    clock = SharedClock(Skewed())
    clock.take(at_noon(0.001, 0.001))
    for _ in range(SAMPLES):
        clock.take(at_noon(0.003, 0.01))
    assert abs((clock.now() - NOON).total_seconds() - 0.003) < 1e-6


def test_another_base_is_taken_at_once() -> None:
    clock = SharedClock(Skewed())
    clock.take(at_noon(0, 0.001))
    clock.take(at_noon(7, 0.02))
    assert clock.now() == NOON + timedelta(seconds=7)


async def test_two_processes_agree_on_the_brokers_time(
    bus: Bus, streams: Streams, word: str
) -> None:
    await streams.ensure({"name": word, "subjects": [f"{word}.*"]}, version=1)
    own = SystemClock()
    offsets = [await measure(bus, own, word) for _ in range(20)]
    best = sorted(offsets, key=lambda each: each.round_trip_s)[:2]
    assert abs(best[0].offset_s - best[1].offset_s) < 0.005
    async with shared_clock(bus, own, word, metrics=Metrics(), log=get_log()) as clock:
        assert clock.is_shared
        assert abs(clock.skew_s) < 1


async def test_without_the_stream_the_hosts_clock_is_the_base(bus: Bus, word: str) -> None:
    metrics = Metrics()
    async with shared_clock(bus, SystemClock(), word, metrics=metrics, log=get_log()) as clock:
        assert not clock.is_shared
        assert clock.skew_s == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("sent", "here", "expected"),
    [
        pytest.param({}, True, 2000, id="of a version before: by the clock"),
        pytest.param({"left_ms": 3000}, True, 3000, id="no common base: what was left"),
        pytest.param({"left_ms": 3000, "is_shared": True}, False, 3000, id="not known here"),
        pytest.param({"left_ms": 3000, "is_shared": True}, True, 2000, id="a second on its way"),
        pytest.param({"left_ms": 1000, "is_shared": True}, True, 1000, id="never more than left"),
    ],
)
def test_a_deadline_travels_as_the_time_that_is_left(
    sent: dict[str, object],
    *,
    here: bool,
    expected: int,
) -> None:
    envelope = Envelope(Caller("ann", "Ann"), 5000, **sent)  # type: ignore[arg-type]
    again = Envelope.from_headers(envelope.to_headers())
    assert again == envelope
    assert again.time_left_ms(3000, is_shared=here) == expected
