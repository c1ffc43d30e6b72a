"""One time base for all processes, whatever their hosts' clocks say: the broker's.

Each process measures how far its clock is from that of the broker that leads one certain stream:
the answer's time is taken to be from the middle of the round trip, and the shortest of the latest
round trips counts. Until there is an answer, the host's own clock is the base.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.jetstream import call
from harmonic_runtime.observability import table
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock

#: Of how many measurements the best one counts.
SAMPLES = 8
#: Between two measurements: a few at the start, so that the first ones are good already.
FIRST_INTERVAL_S = 0.1
INTERVAL_S = 5.0
TIMEOUT_S = 1.0
#: Beyond what a round trip explains by more than this, the base has changed: another broker leads.
JUMP_S = 0.05
#: A host's clock that is farther off is logged.
TOLERATED_SKEW_S = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A measurement: the base minus this process's monotonic clock, and how long it took."""

    offset_s: float
    round_trip_s: float


class SharedClock:
    """The broker's time of day; durations are this process's own."""

    def __init__(self, own: Clock) -> None:
        self._own = own
        #: Seconds since some moment, never running backwards.
        self.monotonic: Callable[[], float] = own.monotonic
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._best: Sample | None = None

    @property
    def is_shared(self) -> bool:
        """Whether the broker's time is known."""
        return self._best is not None

    @property
    def is_settled(self) -> bool:
        """Whether there are measurements enough."""
        return len(self._samples) == SAMPLES

    @property
    def skew_s(self) -> float:
        """How far the host's clock is ahead of the base."""
        return (self._own.now() - self.now()).total_seconds()

    def now(self) -> datetime:
        """The time of day, in UTC, by the broker's clock."""
        if self._best is None:
            return self._own.now()
        return datetime.fromtimestamp(self.monotonic() + self._best.offset_s, tz=UTC)

    def unix_s(self) -> float:
        """The same as :meth:`now` in seconds of Unix time, for what runs for every message."""
        if self._best is None:
            return self._own.unix_s()
        return self.monotonic() + self._best.offset_s

    def take(self, sample: Sample) -> None:
        """Take a measurement."""
        known = self._best
        if known is not None:
            apart_s = abs(sample.offset_s - known.offset_s)
            if apart_s > JUMP_S + (sample.round_trip_s + known.round_trip_s) / 2:
                self._samples.clear()
        self._samples.append(sample)
        self._best = min(self._samples, key=lambda each: each.round_trip_s)


async def measure(bus: Bus, clock: Clock, stream: str) -> Sample:
    """Ask the leader of a stream for the time. Raise :class:`BusUnavailable` without an answer."""
    asked_s = clock.monotonic()
    info = await call(bus, f"STREAM.INFO.{stream}", {}, timeout_s=TIMEOUT_S)
    answered_s = clock.monotonic()
    at = datetime.fromisoformat(str(info["ts"])).timestamp()
    return Sample(at - (asked_s + answered_s) / 2, answered_s - asked_s)


@asynccontextmanager
async def shared_clock(
    bus: Bus, own: Clock, stream: str, *, metrics: Metrics, log: BoundLogger
) -> AsyncIterator[SharedClock]:
    """The time base by the leader of ``stream``, measured again and again while the block runs."""
    clock = SharedClock(own)
    metrics.gauge_from(table.CLOCK_SKEW, lambda: clock.skew_s)
    failures = metrics.counter(table.CLOCK_FAILURES)
    round_trips = metrics.histogram(table.BUS_ROUND_TRIP)

    async def take_one() -> None:
        try:
            sample = await measure(bus, own, stream)
        except BusUnavailable:
            failures.inc()
        else:
            round_trips.observe(sample.round_trip_s)
            clock.take(sample)

    async def keep_measuring() -> None:
        told_s = 0.0
        while True:
            await asyncio.sleep(INTERVAL_S if clock.is_settled else FIRST_INTERVAL_S)
            await take_one()
            if abs(clock.skew_s - told_s) > TOLERATED_SKEW_S:
                told_s = clock.skew_s
                log.warning("clock_skewed", skew_s=round(told_s, 3))

    await take_one()
    measuring = asyncio.create_task(keep_measuring(), name="shared clock")
    try:
        yield clock
    finally:
        measuring.cancel()
        await asyncio.wait([measuring])
