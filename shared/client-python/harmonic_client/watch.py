"""Waiting until a condition holds for a state that changes in turns of the event loop."""

import asyncio
from collections.abc import Callable


class Watch:
    """Wakes waiters as soon as their condition holds, even if it holds for one turn only."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}

    def changed(self) -> None:
        """The state changed: look again."""
        for waiter, holds in tuple(self._waiting.items()):
            if waiter.done():
                continue
            try:
                if holds():
                    waiter.set_result(None)
            except Exception as error:  # noqa: BLE001 -- the caller's own code, which waits for it
                waiter.set_exception(error)

    async def until(self, holds: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Return once ``holds`` is true; raise ``TimeoutError`` if it is not in time."""
        if holds():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = holds
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        finally:
            del self._waiting[waiter]
