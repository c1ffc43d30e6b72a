"""``python -m load.bars``: what endless pieces cost, bar by bar and listener by listener.

So many universes play at the same time, on one replica of each service and one broker. The CPU
time of each process is counted while nothing plays, while one member of each room listens, and
while some do. Exits 1 if bars are late or composers need more than a core.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import aiohttp
import psutil
import uvloop

from harmonic_local.bus import CONFIG
from harmonic_local.processes import Managed
from harmonic_local.stack import Stack, program
from harmonic_local.tokens import make_token
from harness.world import SECRET, World, started
from load.client import LoadClient
from load.crowd import CONNECTING
from load.servers import process_cpu_s
from operate.series import Scrape, scrape

KINDS = ("music", "state", "gateway", "nats")
#: Seconds until what was begun is over, and in which pieces are started one after the other.
SETTLING_S, STARTING_S = 8.0, 2.0
IDLE_S = 20.0
KEYS = ("C", "D", "E", "F", "G", "A")
MIB = 2**20


@dataclass(frozen=True)
class Load:
    """How many pieces are played to how many, for how long; sliders are moved at that interval."""

    streams: int
    listeners: int
    seconds: float
    slider_every_s: float


@dataclass(frozen=True)
class Spent:
    """What a time took: CPU seconds by process, and how often a bar was heard."""

    seconds: float
    cpu_s: Mapping[str, float]
    heard: int


@dataclass(frozen=True)
class Result:
    """The three measurements, memory by process, and what the services' metrics showed."""

    load: Load
    idle: Spent
    alone: Spent
    together: Spent
    memory_mib: Mapping[str, float]
    shown: Mapping[str, Scrape]


class Pieces:
    """The rooms, their members, and their processes."""

    def __init__(self, stack: Stack, world: World, load: Load) -> None:
        self._world = world
        self._port = stack.gateway_ports[0]
        self._load = load
        self.processes: Mapping[str, Managed] = {
            "music": stack.musics[0],
            "state": stack.states[0],
            "gateway": stack.gateways[0],
            "nats": stack.brokers[0],
        }
        self.universes: list[str] = []
        self._members: list[LoadClient] = []
        self._first: list[LoadClient] = []
        self._heard = 0

    async def create(self) -> None:
        """Make the universes, each with its first member."""
        self.universes = [await self._world.universe() for _ in range(self._load.streams)]
        await self.come(1)
        self._first = list(self._members)

    async def come(self, count: int) -> None:
        """Let ``count`` more people enter each room."""
        free = asyncio.Semaphore(CONNECTING)

        async def one(universe: str) -> None:
            token = make_token(SECRET, f"user-{len(self._members)}")
            client = LoadClient(token, universe, self._hear, counted="music_bar")
            self._members.append(client)
            async with free:
                await client.join(self._port)

        async with asyncio.TaskGroup() as coming:
            for _ in range(count):
                for universe in self.universes:
                    coming.create_task(one(universe))

    def _hear(self) -> None:
        self._heard += 1

    async def start(self) -> None:
        """Have all rooms play, begun one after the other."""
        for number, (member, universe) in enumerate(zip(self._first, self.universes, strict=True)):
            member.emit("start_music", {"universeId": universe, "seed": number})
            await asyncio.sleep(STARTING_S / len(self.universes))

    async def measure(self, seconds: float) -> Spent:
        """What ``seconds`` take, in which sliders are moved."""
        before = {name: process_cpu_s(each) for name, each in self.processes.items()}
        heard, began_s = self._heard, time.monotonic()
        await self._slide(seconds)
        took_s = time.monotonic() - began_s
        cpu_s = {name: process_cpu_s(each) - before[name] for name, each in self.processes.items()}
        return Spent(took_s, cpu_s, self._heard - heard)

    async def _slide(self, seconds: float) -> None:
        ends_s, every_s = time.monotonic() + seconds, self._load.slider_every_s
        if not every_s:
            await asyncio.sleep(seconds)
        number = 0
        while every_s and time.monotonic() < ends_s:
            place = number % len(self.universes)
            key = KEYS[number // len(self.universes) % len(KEYS)]
            request = {"universeId": self.universes[place], "parameters": {"key": key}}
            self._first[place].emit("update_music", request)
            number += 1
            await asyncio.sleep(every_s / len(self.universes))

    async def leave(self) -> None:
        """Let all go."""
        for member in self._members:
            member.leave()
        for member in self._members:
            await member.gone.wait()


async def measured(load: Load, report: Callable[[str], None]) -> Result:
    """Play, and count."""
    with tempfile.TemporaryDirectory() as directory:
        async with (
            started(
                Path(directory),
                gateways=1,
                states=1,
                musics=1,
                command=program,
                broker_config=CONFIG,
            ) as stack,
            aiohttp.ClientSession() as http,
        ):
            pieces = Pieces(stack, World(stack, http), load)
            await pieces.create()
            await asyncio.sleep(SETTLING_S)
            report(f"{load.streams} rooms, nothing plays: {IDLE_S:.0f} s")
            idle = await pieces.measure(IDLE_S)
            await pieces.start()
            await asyncio.sleep(SETTLING_S)
            report(f"one listens in each: {load.seconds:.0f} s")
            alone = await pieces.measure(load.seconds)
            await pieces.come(load.listeners - 1)
            await asyncio.sleep(SETTLING_S)
            report(f"{load.listeners} listen in each: {load.seconds:.0f} s")
            together = await pieces.measure(load.seconds)
            shown = {
                name.partition("-")[0]: await scrape(http, url)
                for name, url in stack.ops_urls.items()
            }
            memory = {
                name: psutil.Process(each.pid).memory_full_info().uss / MIB
                for name, each in pieces.processes.items()
            }
            await pieces.leave()
    return Result(load, idle, alone, together, memory, shown)


def table(result: Result) -> list[str]:
    """What was seen, as a table for a page."""
    load, alone, together = result.load, result.alone, result.together
    bars = alone.heard
    bars_together = together.heard / load.listeners
    used = {name: alone.cpu_s[name] - _idle_s(result, name, alone) for name in KINDS}
    more = {name: together.cpu_s[name] - _idle_s(result, name, together) for name in KINDS}
    others = max(load.listeners - 1, 1)
    head = f"{load.streams} pieces, {bars / alone.seconds:.0f} bars a second"
    rows = [
        f"| {head} | music | state service | gateway | broker |",
        "|---|---|---|---|---|",
        _row("share of a core, one listens in each", alone.cpu_s, 1 / alone.seconds, ".2f"),
        _row(
            f"share of a core, {load.listeners} listen in each",
            together.cpu_s,
            1 / together.seconds,
            ".2f",
        ),
        _row("a bar that one hears, CPU-ms", used, 1000 / bars, ".2f"),
        _row(
            "each further listener of a bar, CPU-ms",
            {name: more[name] / bars_together - used[name] / bars for name in KINDS},
            1000 / others,
            ".3f",
        ),
        _row("memory, MiB", result.memory_mib, 1, ".0f"),
    ]
    return [*rows, "", f"Bars of a CPU-second of the music service: {bars / used['music']:.0f}."]


def _idle_s(result: Result, name: str, spent: Spent) -> float:
    """What the rooms cost in that time though nothing plays."""
    return result.idle.cpu_s[name] / result.idle.seconds * spent.seconds


def _row(what: str, values: Mapping[str, float], times: float, form: str) -> str:
    cells = " | ".join(format(max(0.0, values[name] * times), form) for name in KINDS)
    return f"| {what} | {cells} |"


def faults(result: Result) -> list[str]:
    """What was not as it should be."""
    music, state, gateway = (result.shown[name] for name in ("music", "state", "gateway"))
    lead = "harmonic_bar_lead_seconds"
    sent = gateway.value(f"{lead}_count")
    soon = gateway.value(f"{lead}_bucket", le="0.5")
    found = {
        "bars that began late": state.value("harmonic_bars_recorded_total", outcome="late"),
        "questions that no composer answered": state.value("harmonic_composers_unanswered_total"),
        **{
            f"bars {outcome}": music.value("harmonic_bars_total", outcome=outcome)
            for outcome in ("turned_away", "too_late", "not_stored", "failed", "unreadable")
        },
        f"of {sent:.0f} bars sent less than 0.5 s ahead": soon,
    }
    told = [f"{count:.0f} {what}" for what, count in found.items() if count]
    cores = max(each.cpu_s["music"] / each.seconds for each in (result.alone, result.together))
    if cores > 1:
        told.append(f"composers took {cores:.2f} cores")
    return told


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="load.bars", description=__doc__)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--listeners", type=int, default=5, help="of each piece in the last part")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the two parts")
    parser.add_argument("--slider-every", type=float, default=0.0, help="seconds in each room")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = Load(given.streams, given.listeners, given.seconds, given.slider_every)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(measured(load, lambda line: _say(f"{line} …", sys.stderr)))
    for line in table(result):
        _say(line)
    told = faults(result)
    _say("Faults: " + ("; ".join(told) if told else "none"))
    return 1 if told else 0


def _say(line: str, to: TextIO = sys.stdout) -> None:
    print(line, file=to, flush=True)


if __name__ == "__main__":
    sys.exit(main())
