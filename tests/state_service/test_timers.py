"""Alarms: looked at shortly before their time, and rung at it where they are set again."""

import asyncio

from harmonic_runtime.process.deadlines import Deadlines
from harmonic_state.timers import EARLY_S, Alarm
from harness.client import PATIENCE_S


class Rung:
    """An alarm that is set again at each ring but the last one; when it rang."""

    def __init__(self, at_s: float, *, still_waits: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.looks: Deadlines[Alarm] = Deadlines(Alarm.look, EARLY_S)
        self.alarm = Alarm(self.looks, self.ring)
        self.until_s = self.loop.time() + at_s
        self.times_s: list[float] = []
        self._still_waits = still_waits
        self._over = asyncio.Event()
        self.set()

    def set(self) -> None:
        self.alarm.set(self.until_s - self.loop.time())

    def ring(self) -> None:
        self.times_s.append(self.loop.time())
        if self._still_waits and self.loop.time() < self.until_s:
            self.set()
        else:
            self._over.set()

    async def over(self) -> list[float]:
        async with asyncio.timeout(PATIENCE_S):
            await self._over.wait()
        return self.times_s


async def test_what_is_over_long_before_its_time_is_looked_at_once() -> None:
    rung = Rung(3 * EARLY_S, still_waits=False)
    assert len(await rung.over()) == 1
    assert rung.looks.next_s is None


async def test_what_still_waits_is_rung_at_its_time() -> None:
    rung = Rung(3 * EARLY_S, still_waits=True)
    *early_s, at_s = await rung.over()
    assert all(each < rung.until_s for each in early_s)
    assert at_s >= rung.until_s


async def test_a_near_time_is_not_looked_at_before() -> None:
    rung = Rung(EARLY_S / 4, still_waits=True)
    (at_s,) = await rung.over()
    assert at_s >= rung.until_s


async def test_another_time_replaces_the_one_before() -> None:
    rung = Rung(60.0, still_waits=True)
    for until_s in (4 * EARLY_S, EARLY_S / 4):
        rung.until_s = rung.loop.time() + until_s
        rung.set()
    at_s = (await rung.over())[-1]
    assert at_s >= rung.until_s
    assert rung.looks.next_s is None
