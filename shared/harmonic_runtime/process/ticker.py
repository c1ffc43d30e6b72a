"""Calling something at regular intervals, without a task of its own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def every(interval_s: float, callback: Callable[[], None]) -> Iterator[None]:
    """Call ``callback`` each ``interval_s`` seconds while the block runs, first after one.

    It must not block; what it raises goes to the event loop's exception handler, and the next
    call comes all the same. A late call is not made up for.
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
