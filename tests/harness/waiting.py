"""Waiting for what can only be looked at."""

import asyncio
from collections.abc import Awaitable, Callable

POLL_S = 0.05


async def until(holds: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
    """Return as soon as it holds; raise ``TimeoutError`` if that takes too long."""
    async with asyncio.timeout(timeout_s):
        # There is no event to wait for: it is another process's state.
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
