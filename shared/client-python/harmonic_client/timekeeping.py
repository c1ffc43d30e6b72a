"""Keeps the server's clock, and measures how good the connection is."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from harmonic_client.clock import (
    ClockReading,
    ClockSample,
    Quality,
    Samples,
    best,
    next_interval_ms,
    quality,
    remember,
)
from harmonic_protocol.messages.connection import TimeSync, TimeSynced

SECOND_MS = 1000.0

#: Sends a command: its ack, or ``None`` if none came.
Emit = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]


class ServerClock:
    """The server's clock."""

    def __init__(self) -> None:
        # Unlike ``time.time``, it is not set back and forth while the client lives.
        self._origin_s = time.time() - time.monotonic()
        self._samples: Samples = ()
        # Kept while the client reconnects, until the first answer of the new connection.
        self._reading: ClockReading | None = None

    @property
    def offset_ms(self) -> float:
        """The server's clock less this machine's; 0 until the first answer."""
        return self._reading.offset_ms if self._reading else 0.0

    @property
    def rtt_ms(self) -> float | None:
        """The shortest recent round trip, in milliseconds."""
        return self._reading.rtt_ms if self._reading else None

    def own_ms(self) -> float:
        """This machine's time, in milliseconds since 1970."""
        return (self._origin_s + time.monotonic()) * SECOND_MS

    def now(self) -> float:
        """The server's time, in milliseconds since 1970."""
        return self.own_ms() + self.offset_ms

    def until(self, timestamp: str) -> float:
        """The milliseconds until a time of the server's; negative if it is over."""
        return datetime.fromisoformat(timestamp).timestamp() * SECOND_MS - self.now()

    async def keep(self, emit: Emit, judged: Callable[[Quality], None]) -> None:
        """Ask for the server's time again and again, and say how good the connection is.

        It does not wait for answers, so that the clock is right early.
        """
        self._samples = ()
        interval_ms = 0.0
        async with asyncio.TaskGroup() as asking:
            while True:
                asking.create_task(self._ask(emit, judged))
                interval_ms = next_interval_ms(interval_ms)
                await asyncio.sleep(interval_ms / SECOND_MS)

    async def _ask(self, emit: Emit, judged: Callable[[Quality], None]) -> None:
        t0 = self.own_ms()
        answer = await emit(TimeSync.spec.name, {"t0": t0})
        t3 = self.own_ms()
        sample = None
        # A refusal is an answer as well, and says nothing of the time.
        if answer is not None and "t1" in answer:
            told = TimeSynced.model_validate(answer)
            sample = ClockSample(there_ms=told.t1 - t0, back_ms=told.t2 - t3)
        self._samples = remember(self._samples, sample)
        self._reading = best(self._samples) or self._reading
        judged(quality(self._samples))
