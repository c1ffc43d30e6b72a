"""Doing something at regular intervals, without a task of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def every(interval_s: float, callback: Callable[[], None]) -> Iterator[None]:
    """Call ``callback`` each ``interval_s`` seconds while the block runs, first after one.

    It must not block; what it raises goes to the event loop's exception handler, and the next
    call comes all the same. A late call is not repeated.
    """
    loop = asyncio.get_running_loop()

    handle: asyncio.TimerHandle

    def fire() -> None:
        nonlocal handle
        handle = loop.call_later(interval_s, fire)
        callback()

    handle = loop.call_later(interval_s, fire)
    try:
        yield
    finally:
        handle.cancel()


async def spread(items: Sequence[Item], over_s: float) -> AsyncIterator[Item]:
    """Yield each item in its turn, evenly over ``over_s`` seconds, the first at once.

    A late item does not delay the following ones.
    """
    loop = asyncio.get_running_loop()
    began_at_s = loop.time()
    for number, item in enumerate(items):
        await asyncio.sleep(began_at_s + over_s * number / len(items) - loop.time())
        yield item
