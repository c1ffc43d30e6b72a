"""The ends of many waits, with one timer for all of them.

A timer of its own for each costs more than the rest of waiting, and wakes the process for each that
ends. Here waits that end in the same part of a second end together.
"""

import asyncio
import math
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

#: How much later than it should a wait may end, if nothing else is said.
GRAIN_S = 1 / 32


class Deadlines(Generic[K]):
    """Calls ``over`` with each key that was added, once its time is over.

    What it raises goes to the event loop's exception handler, and is no matter for other keys.
    """

    __slots__ = ("_ending", "_ends", "_grain_s", "_loop", "_next", "_over", "_timer")

    def __init__(self, over: Callable[[K], None], grain_s: float = GRAIN_S) -> None:
        self._over = over
        self._grain_s = grain_s
        self._loop = asyncio.get_running_loop()
        #: Keys, in the order of their coming, by the number of the grain of time that they end at.
        self._ends: dict[int, dict[K, None]] = {}
        #: Those that end now, and were not told yet.
        self._ending: dict[K, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    def add(self, key: K, after_s: float) -> int:
        """Report this key after so many seconds, or up to a grain later; see :meth:`remove`.

        A key waits for one end at a time.
        """
        number = math.ceil((self._loop.time() + after_s) / self._grain_s)
        keys = self._ends.get(number)
        if keys is not None:
            keys[key] = None
            return number
        self._ends[number] = {key: None}
        if self._timer is None or number < self._next:
            self._set(number)
        return number

    def remove(self, key: K, number: int) -> None:
        """Remove a key, which is not reported then. No timer is set for removed keys alone."""
        keys = self._ends.get(number)
        if keys is None:
            self._ending.pop(key, None)
            return
        keys.pop(key, None)
        if not keys:
            del self._ends[number]

    @property
    def next_s(self) -> float | None:
        """When the next keys are reported, by the loop's clock; ``None`` if there are none."""
        return min(self._ends) * self._grain_s if self._ends else None

    def clear(self) -> None:
        """Forget all keys."""
        self._ends.clear()
        self._ending.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, number: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = number
        self._timer = self._loop.call_at(number * self._grain_s, self._tell)

    def _tell(self) -> None:
        self._timer = None
        ending = self._ending = self._ends.pop(self._next, {})
        if self._ends:
            self._set(min(self._ends))
        while ending:
            key = next(iter(ending))
            del ending[key]
            try:
                self._over(key)
            except Exception as error:  # noqa: BLE001 -- others wait behind it
                failed = {"message": "the end of a wait was not handled", "exception": error}
                self._loop.call_exception_handler(failed)
