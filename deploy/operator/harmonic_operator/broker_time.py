"""The time of day by the broker's clock, which operators' commands use."""

from datetime import datetime

from harmonic_protocol import subjects
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.timebase import SharedClock, measure
from harmonic_runtime.process.clock import SystemClock


async def broker_time(bus: Bus) -> datetime:
    """The time of day by the broker's clock; raise ``BusUnavailable`` if it does not tell."""
    own = SystemClock()
    clock = SharedClock(own)
    clock.take(await measure(bus, own, subjects.REVOCATIONS_STREAM))
    return clock.now()
