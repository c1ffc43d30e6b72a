"""Turns that are spread over a time."""

import asyncio

from harmonic_runtime.process.ticker import spread
from harness.virtual_time import run


def test_items_come_in_their_order_evenly_over_the_time_the_first_at_once() -> None:
    async def seen() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        return [(item, loop.time()) async for item in spread("abcd", 2.0)]

    assert run(seen()) == [("a", 0.0), ("b", 0.5), ("c", 1.0), ("d", 1.5)]


def test_a_late_turn_delays_none_behind_it() -> None:
    async def seen() -> list[float]:
        loop = asyncio.get_running_loop()
        times = []
        async for item in spread("abc", 3.0):
            times.append(loop.time())
            if item == "a":
                await asyncio.sleep(1.5)
        return times

    assert run(seen()) == [0.0, 1.5, 2.0]


def test_nothing_takes_no_time() -> None:
    async def seen() -> list[str]:
        return [item async for item in spread("", 2.0)]

    assert run(seen()) == []
