"""``python -m load.limits``: whether limits hold in every window, and what asking them takes."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp
import psutil
import uvloop
from socketio.exceptions import SocketIOError

from harmonic_gateway.limits.allowances import Allowances
from harmonic_protocol import subjects
from harmonic_protocol.messages.declaration import RateClass
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.reading import from_leader
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock
from harness.broker import connected_as
from harness.client import Client
from harness.world import World, started

GATEWAYS = 4
SECONDS = 70
WINDOW_MS = 60_000
#: A minute's count may be short of the allowance by what is let go a little late.
SHORT_BY = 1
ASKED = 4_000
LIMITED = (RateClass.PARAMETERS, RateClass.GENERATIONS, RateClass.ROOMS)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Decisions:
    """When the limiter granted what, by its own clock."""

    def __init__(self, bus: Bus, user: str) -> None:
        self._bus = bus
        self._user = user
        self._seen: dict[RateClass, dict[int, int]] = {rate: {} for rate in LIMITED}

    async def watch(self) -> None:
        while True:
            for rate in LIMITED:
                await self._read(rate)
            await asyncio.sleep(5)

    async def _read(self, rate: RateClass) -> None:
        seen, subject = self._seen[rate], subjects.limit(rate, self._user)
        sequence = max(seen, default=0) + 1
        while True:
            question = {"seq": sequence, "next_by_subj": subject}
            stored = await from_leader(self._bus, subjects.limit_stream(rate), question)
            if stored is None:
                return
            seen[stored.sequence] = stored.stored_ms
            sequence = stored.sequence + 1

    def most_in_a_window(self) -> Mapping[RateClass, int]:
        return {rate: most(sorted(seen.values())) for rate, seen in self._seen.items()}

    def granted(self) -> Mapping[RateClass, int]:
        return {rate: len(seen) for rate, seen in self._seen.items()}


def most(times_ms: list[int]) -> int:
    """The most of these that lie in one window."""
    best = first = 0
    for last, at_ms in enumerate(times_ms):
        while at_ms - times_ms[first] >= WINDOW_MS:
            first += 1
        best = max(best, last - first + 1)
    return best


async def storm(client: Client, universe: str, ends_at: float) -> None:
    """Do everything that is limited, as fast as answers come."""
    number = 0
    # A gateway that is killed leaves its client without an answer.
    with suppress(SocketIOError):
        while time.monotonic() < ends_at and not client.gone.is_set():
            number += 1
            change = {"universeId": universe, "parameters": {"gravity": number % 20}}
            await client.asks("update_physics", **change)
            if number % 10 == 0:
                await client.asks("join_room", universeId=universe, mode="edit")
                await client.asks("generate_music", universeId=universe, duration=0.2)


async def windows(directory: Path, *, killing: bool) -> bool:
    """Four tabs of one user, each on a gateway of its own, for more than a minute."""
    async with (
        started(
            directory,
            gateways=GATEWAYS,
            HARMONIC_ALLOWED_PARAMETER_UPDATES=str(RateClass.PARAMETERS.allowance),
            HARMONIC_ALLOWED_GENERATIONS=str(RateClass.GENERATIONS.allowance),
            HARMONIC_ALLOWED_JOINS_AND_LEAVES=str(RateClass.ROOMS.allowance),
        ) as stack,
        aiohttp.ClientSession() as http,
        connected_as("admin", stack) as bus,
    ):
        world = World(stack, http)
        universe = await world.universe()
        tabs = [await world.client("ann", gateway=n) for n in range(GATEWAYS)]
        for tab in tabs:
            await tab.asks("join_room", universeId=universe, mode="edit")
        decisions = Decisions(bus, "ann")
        watching = asyncio.create_task(decisions.watch())
        ends_at = time.monotonic() + SECONDS
        storms = [asyncio.create_task(storm(tab, universe, ends_at)) for tab in tabs]
        if killing:
            await asyncio.sleep(SECONDS / 3)
            stack.gateways[-1].kill()
        await asyncio.gather(*storms)
        await asyncio.sleep(6)
        watching.cancel()
        good = True
        for rate, count in decisions.most_in_a_window().items():
            limit = rate.allowance
            fits = limit - SHORT_BY <= count <= limit
            good = good and fits
            total = decisions.granted()[rate]
            say(f"  {rate}: at most {count} of {limit} in any minute, {total} in all: {fits}")
        for tab in tabs[: GATEWAYS - killing]:
            await tab.close()
        return good


async def cost(directory: Path) -> None:
    """CPU of one granted request: of the asking process, and of the broker."""
    async with (
        started(directory, gateways=1, musics=0) as stack,
        connected_as("admin", stack) as bus,
    ):
        allowances = Allowances(Streams(bus), clock=SystemClock(), metrics=Metrics())
        await allowances.learn()
        broker = psutil.Process(stack.brokers[0].pid)
        before, own = sum(broker.cpu_times()[:2]), time.process_time()
        for start in range(0, ASKED, 20):
            asked = (f"user {start + n}" for n in range(20))
            await asyncio.gather(*(allowances.take(user, RateClass.PARAMETERS) for user in asked))
        ours = (time.process_time() - own) / ASKED * 1e6
        theirs = (sum(broker.cpu_times()[:2]) - before) / ASKED * 1e6
        say(f"one allowance: {ours:.0f} µs of the gateway, {theirs:.0f} µs of the broker")


async def measure() -> int:
    good = True
    with tempfile.TemporaryDirectory() as directory:
        for killing in (False, True):
            say(f"four tabs on {GATEWAYS} gateways{', one of them killed' if killing else ''}:")
            good = await windows(Path(directory) / f"windows-{killing}", killing=killing) and good
        await cost(Path(directory) / "cost")
    return 0 if good else 1


def main() -> int:
    """Measure; 1 if a limit did not hold."""
    argparse.ArgumentParser(prog="load.limits", description=__doc__).parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure())


if __name__ == "__main__":
    sys.exit(main())
