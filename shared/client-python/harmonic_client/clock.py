"""The server's clock, and how good the connection is, from the answers to ``time_sync``. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Literal

MAX_SAMPLES = 32
GOOD_RTT_MS = 150.0
FAIR_RTT_MS = 400.0
JUDGED_SAMPLES = 5
FIRST_INTERVAL_MS = 10.0
LAST_INTERVAL_MS = 10_000.0
INTERVAL_GROWTH = 1.1

#: How good the connection is, by its median round trip and by answers that did not come.
Quality = Literal["good", "fair", "poor", "offline"]


@dataclass(frozen=True, slots=True)
class ClockSample:
    """What one answer says, in milliseconds.

    Asked at ``t0`` and answered at ``t3`` by our clock; received at ``t1``, answered at ``t2`` by
    the server's. ``there_ms`` is t1 - t0: the clocks' difference and the way there. ``back_ms`` is
    t2 - t3: the clocks' difference less the way back.
    """

    there_ms: float
    back_ms: float


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The server's clock less ours, and the round trip without the time that the server took."""

    offset_ms: float
    rtt_ms: float


#: The newest answers that count; ``None`` is one that did not come.
Samples = tuple[ClockSample | None, ...]


def next_interval_ms(interval_ms: float) -> float:
    """The milliseconds between this question and the next, from the interval before; 0 at first.

    Fifteen are asked in the first 300 ms, when a piece may be about to start. The newest samples
    that count span nine tenths of the time since the start, until a question is asked every 10 s.
    """
    return min(max(interval_ms * INTERVAL_GROWTH, FIRST_INTERVAL_MS), LAST_INTERVAL_MS)


def reading(sample: ClockSample) -> ClockReading:
    """One sample alone: ((t1 - t0) + (t2 - t3)) / 2, wrong by half of the round trip at most."""
    there, back = sample.there_ms, sample.back_ms
    return ClockReading(offset_ms=(there + back) / 2, rtt_ms=there - back)


def remember(samples: Samples, one: ClockSample | None) -> Samples:
    """The samples with one more, without the oldest ones that contradict the newer ones.

    Samples contradict each other where their fastest way there and their fastest way back would
    take less than no time together. Then one of the clocks was set, stood still or drifted in
    between.
    """
    kept = (*samples, one)[-MAX_SAMPLES:]
    while (known := best(kept)) is not None and known.rtt_ms < 0:
        kept = kept[1:]
    return kept


def best(samples: Samples) -> ClockReading | None:
    """The reading of the fastest way there and the fastest way back, which may be of two samples.

    Where delays vary, it is more exact than the sample with the shortest round trip: one way is
    fast more often than both at once.
    """
    known = _known(samples)
    if not known:
        return None
    there = min(one.there_ms for one in known)
    back = max(one.back_ms for one in known)
    return reading(ClockSample(there, back))


def quality(samples: Samples) -> Quality:
    """The quality of a connection whose newest answers these are."""
    judged = samples[-JUDGED_SAMPLES:]
    known = _known(judged)
    missing = len(judged) - len(known)
    rtt_ms = median_high([reading(one).rtt_ms for one in known]) if known else math.inf
    if rtt_ms <= GOOD_RTT_MS and missing == 0:
        return "good"
    return "fair" if rtt_ms <= FAIR_RTT_MS and missing <= 1 else "poor"


def _known(samples: Samples) -> Sequence[ClockSample]:
    return [one for one in samples if one is not None]
