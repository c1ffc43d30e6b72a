"""Delayed callbacks, all cancelled when the service stops."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self


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
