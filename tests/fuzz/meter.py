"""The CPU time of a product's gateway, as the kernel counts it."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from harness.world import World
from load.servers import cpu_clock_s

#: For how long it is measured what the gateway takes while nobody asks for anything.
REST_S = 8.0


class Meter:
    """The CPU time of a gateway, without what it takes anyway."""

    def __init__(self, world: World) -> None:
        gateway = next(each for each in world.stack.processes if each.name == "gateway-1")
        self._pid = gateway.pid
        self.idle_share = 0.0

    def cpu_s(self) -> float:
        """CPU seconds so far, to the nanosecond."""
        return cpu_clock_s(self._pid)

    def begin(self) -> tuple[float, float]:
        """CPU seconds so far, and when that was."""
        return self.cpu_s(), time.monotonic()

    def rests(self, began: tuple[float, float]) -> None:
        """What the gateway took since then is what it takes anyway."""
        cpu_s, at_s = began
        self.idle_share = (self.cpu_s() - cpu_s) / (time.monotonic() - at_s)

    async def rest(self) -> None:
        """Measure what the gateway takes anyway, while nobody asks for anything."""
        began = self.begin()
        await asyncio.sleep(REST_S)
        self.rests(began)

    def since(self, began: tuple[float, float]) -> float:
        """CPU seconds since then, besides."""
        cpu_s, at_s = began
        return self.cpu_s() - cpu_s - self.idle_share * (time.monotonic() - at_s)

    def share_since(self, began: tuple[float, float]) -> float:
        """The share of a core since then, besides."""
        return self.since(began) / (time.monotonic() - began[1])

    async def of(self, work: Coroutine[Any, Any, None]) -> float:
        """CPU seconds that work takes besides."""
        began = self.begin()
        await work
        return self.since(began)
