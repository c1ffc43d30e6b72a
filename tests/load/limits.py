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
from harmonic_protocol.messages.declaration import RateClass
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import SystemClock
from harness.broker import connected_as
from harness.client import Client
from harness.world import World, started

GATEWAYS = 4
SECONDS = 70
#: More refusals a second than this would have the connection closed.
REFUSED_PAUSE_S = 0.1
WINDOW_S = 60
#: A minute's count may be short of the allowance by what is let go a little late.
SHORT_BY = 1
ASKED = 4_000
LIMITED = (RateClass.PARAMETERS, RateClass.GENERATIONS, RateClass.ROOMS)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Granted:
    """When what was asked and granted, by the clock of those who asked."""

    def __init__(self) -> None:
        self._times: dict[RateClass, list[tuple[float, float]]] = {rate: [] for rate in LIMITED}

    async def asks(self, rate: RateClass, client: Client, name: str, **payload: object) -> bool:
        """Whether the limiter granted it: whatever else refused it, it counts."""
        asked_s = time.monotonic()
        answer = await client.asks(name, **payload)
        is_granted = answer["ok"] or "windowMs" not in answer["error"]["details"]
        if is_granted:
            self._times[rate].append((asked_s, time.monotonic()))
        return is_granted

    def most_in_a_window(self) -> Mapping[RateClass, int]:
        """The most that were granted in one window for certain, asked and answered in it."""
        return {rate: most(sorted(times)) for rate, times in self._times.items()}

    def granted(self) -> Mapping[RateClass, int]:
        return {rate: len(times) for rate, times in self._times.items()}


def most(times: list[tuple[float, float]]) -> int:
    """The most of these that lie in one window with both of their ends."""
    return max(
        (
            sum(answered_s < began_s + WINDOW_S for _, answered_s in times[first:])
            for first, (began_s, _) in enumerate(times)
        ),
        default=0,
    )


async def storm(client: Client, universe: str, granted: Granted, ends_at: float) -> None:
    """Do everything that is limited, as fast as answers come, or ten times a second if refused."""
    number = 0
    # A gateway that is killed leaves its client without an answer.
    with suppress(SocketIOError):
        while time.monotonic() < ends_at and not client.gone.is_set():
            number += 1
            change = {"universeId": universe, "parameters": {"gravity": number % 20}}
            if not await granted.asks(RateClass.PARAMETERS, client, "update_physics", **change):
                await asyncio.sleep(REFUSED_PAUSE_S)
            if number % 10 == 0:
                join = {"universeId": universe, "mode": "edit"}
                await granted.asks(RateClass.ROOMS, client, "join_room", **join)
                piece = {"universeId": universe, "duration": 0.2}
                await granted.asks(RateClass.GENERATIONS, client, "generate_music", **piece)


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
    ):
        world = World(stack, http)
        universe = await world.universe()
        tabs = [await world.client("ann", gateway=n) for n in range(GATEWAYS)]
        for tab in tabs:
            await tab.asks("join_room", universeId=universe, mode="edit")
        granted = Granted()
        ends_at = time.monotonic() + SECONDS
        storms = [asyncio.create_task(storm(tab, universe, granted, ends_at)) for tab in tabs]
        if killing:
            await asyncio.sleep(SECONDS / 3)
            stack.gateways[-1].kill()
        await asyncio.gather(*storms)
        good = True
        for rate, count in granted.most_in_a_window().items():
            limit = rate.allowance
            fits = limit - SHORT_BY <= count <= limit
            good = good and fits
            total = granted.granted()[rate]
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
