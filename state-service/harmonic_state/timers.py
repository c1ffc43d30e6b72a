"""Delayed callbacks, all cancelled when the service stops, and deadlines that share a timer."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from harmonic_runtime.process.deadlines import Deadlines

#: Seconds before its time at which an alarm looks whether it is still needed: the grain of all
#: alarms together, so that the process is woken for them this seldom.
EARLY_S = 0.25


class Timers:
    """Callbacks of the event loop that are cancelled together."""

    def __init__(self) -> None:
        self._handles: set[asyncio.TimerHandle] = set()

    def after(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call ``callback`` once in ``delay_s`` seconds, unless the service stops before."""

        def fire() -> None:
            self._handles.discard(handle)
            callback()

        handle = asyncio.get_running_loop().call_later(delay_s, fire)
        self._handles.add(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()


class Alarm:
    """Calls ``ring`` shortly before a time, and once more at that time if it is then set again.

    Nearly every deadline is cancelled long before its time. So an alarm gets a timer of its own
    only if it is still set shortly before; ``looks`` are the first calls of all alarms.
    """

    __slots__ = ("_look", "_looks", "_ring", "_timer")

    def __init__(self, looks: "Deadlines[Alarm]", ring: Callable[[], None]) -> None:
        self._looks = looks
        self._ring = ring
        self._look: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, after_s: float) -> None:
        """Ring in ``after_s`` seconds; this replaces the time that was set before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._look is not None:
            self._looks.remove(self, self._look)
            self._look = None
        if after_s > 2 * EARLY_S:
            self._look = self._looks.add(self, after_s - EARLY_S)
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, after_s), self._ring)

    def look(self) -> None:
        """Ring: the time is near."""
        self._look = None
        self._ring()
