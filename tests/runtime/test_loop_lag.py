"""How late an event loop is, and whether that lasts."""

import asyncio
from typing import cast

from harmonic_runtime.observability.metrics import LAG_INTERVAL_S, Metrics, loop_lag
from harness.broker import count
from harness.virtual_time import VirtualLoop, run


def late_seconds(delays_s: list[float]) -> tuple[float, float]:
    """The time that counts as late, and the worst lag, where the loop is held up so often."""

    async def live() -> tuple[float, float]:
        loop = cast("VirtualLoop", asyncio.get_running_loop())
        metrics = Metrics()
        with loop_lag(metrics):
            for delay_s in delays_s:
                loop.passes(delay_s)
                # Two turns: the measurement that is late, and the next one that is not yet due.
                await asyncio.sleep(LAG_INTERVAL_S)
            return count(metrics, "event_loop_late_seconds_total"), count(
                metrics, "event_loop_lag_seconds"
            )

    return run(live())


def test_a_loop_that_is_late_again_and_again_is_late_most_of_the_time() -> None:
    late_s, worst_s = late_seconds([0.4] * 40)
    # Each turn takes half a second, of which .1 were due.
    assert 0.5 * 40 * 0.5 < late_s < 40 * 0.5
    assert 0.25 < worst_s < 0.5


def test_one_long_pause_is_late_once() -> None:
    late_s, worst_s = late_seconds([0.0, 1.9, *[0.0] * 40])
    assert 1.7 < late_s < 2.0
    assert late_s == worst_s


def test_what_a_busy_machine_explains_does_not_count() -> None:
    late_s, worst_s = late_seconds([0.2] * 40)
    assert late_s == 0
    assert worst_s > 0.05
