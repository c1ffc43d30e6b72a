"""The ends of many waits, nearly none of which is lived to see: one timer for all of them.

A timer of its own for each costs more than the rest of waiting. Here a wait is an entry in the list
of those that end in the same part of a second, and stays there until then, whatever came of it: so
there are as many entries as waits began within the longest patience.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

#: How much later than it should a wait may end.
GRAIN_S = 0.025


class Deadlines(Generic[K]):
    """Calls ``over`` with each key that was added, once its time is over."""

    __slots__ = ("_ends", "_loop", "_next", "_over", "_timer")

    def __init__(self, over: Callable[[K], None]) -> None:
        self._over = over
        self._loop = asyncio.get_running_loop()
        #: Keys by the number of the grain of time at whose beginning they are told.
        self._ends: dict[int, list[K]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    def add(self, key: K, after_s: float) -> None:
        """Tell of this key after so many seconds, or up to ``GRAIN_S`` later."""
        number = int((self._loop.time() + after_s) / GRAIN_S) + 1
        keys = self._ends.get(number)
        if keys is not None:
            keys.append(key)
            return
        self._ends[number] = [key]
        if self._timer is None or number < self._next:
            self._set(number)

    def clear(self) -> None:
        """Forget all keys."""
        self._ends.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, number: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = number
        self._timer = self._loop.call_at(number * GRAIN_S, self._tell)

    def _tell(self) -> None:
        keys = self._ends.pop(self._next)
        self._timer = None
        if self._ends:
            self._set(min(self._ends))
        for key in keys:
            self._over(key)
