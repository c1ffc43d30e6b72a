"""The servers under measurement, each from processes of its own, and what these cost."""

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
import psutil

from harmonic_local.bus import CONFIG
from harmonic_local.processes import Managed, free_port, says_ready
from harmonic_local.stack import Stack, program
from harness.world import SECRET, World, started

#: As the product's gateway has them, for both.
PING_INTERVAL_S = 5
PING_TIMEOUT_S = 4
#: Everyone may be in the largest room.
MAX_PARTICIPANTS = 1000
#: What was begun is over when the processes took less than this part of a core for a while.
QUIET_LOAD = 0.2
QUIET_WINDOW_S = 0.5
QUIET_TIMEOUT_S = 15.0


class Server(Protocol):
    """A server under measurement. ``processes`` names each by what it does."""

    name: str
    processes: Mapping[str, Managed]

    @property
    def ports(self) -> Sequence[int]:
        """Where clients may connect."""

    @property
    def port(self) -> int:
        """The first of them."""

    async def universes(self, count: int) -> list[str]:
        """So many new universes that anyone may edit."""


@dataclass
class OtherServer:
    """A server that is not the product, which it is compared with; it knows any universe."""

    ports: Sequence[int]
    processes: Mapping[str, Managed]
    name: str

    _numbers = itertools.count(1)

    @property
    def port(self) -> int:
        """The first of its ports."""
        return self.ports[0]

    async def universes(self, count: int) -> list[str]:
        """Any name will do."""
        return [f"universe-{next(self._numbers)}" for _ in range(count)]


@dataclass
class Ours:
    """The product with one replica of each service that updates need, or some gateways."""

    ports: Sequence[int]
    processes: Mapping[str, Managed]
    world: World
    name: str = "ours"

    @property
    def port(self) -> int:
        """The first of its gateways' ports."""
        return self.ports[0]

    async def universes(self, count: int) -> list[str]:
        """Made over the HTTP API."""
        return [await self.world.universe(maxParticipants=MAX_PARTICIPANTS) for _ in range(count)]


@asynccontextmanager
async def plain() -> AsyncIterator[Server]:
    """A plain server that runs."""
    port = free_port()
    lines: list[str] = []
    process = Managed(
        name="plain",
        command=[
            *(sys.executable, "-m", "load.plain"),
            *("--port", str(port), "--secret", SECRET),
            *("--ping-interval-s", str(PING_INTERVAL_S), "--ping-timeout-s", str(PING_TIMEOUT_S)),
        ],
        environment={},
        output=lambda _, line: lines.append(line),
        sign=says_ready,
    )
    try:
        await process.start()
        yield OtherServer((port,), {"gateway": process}, "plain")
    finally:
        # Nobody is interested in how it would say goodbye to thousands.
        process.kill()
        await process.stop()
        # One line says that it is ready; any other tells of a failure.
        sys.stderr.writelines(f"plain: {line}\n" for line in lines[1:])


@asynccontextmanager
async def ours(gateways: int = 1, /, **settings: str) -> AsyncIterator[Ours]:
    """The product, running."""
    with tempfile.TemporaryDirectory() as directory:
        async with (
            started(
                Path(directory),
                gateways=gateways,
                musics=0,
                brokers=1,
                states=1,
                command=program,
                broker_config=CONFIG,
                HARMONIC_PING_INTERVAL_S=str(PING_INTERVAL_S),
                HARMONIC_PING_TIMEOUT_S=str(PING_TIMEOUT_S),
                **settings,
            ) as stack,
            aiohttp.ClientSession() as http,
        ):
            try:
                yield Ours(stack.gateway_ports, _processes(stack), World(stack, http))
            finally:
                for process in stack.processes:
                    process.kill()


def _processes(stack: Stack) -> Mapping[str, Managed]:
    gateways = {name_of("gateway", number): each for number, each in enumerate(stack.gateways)}
    return {**gateways, "state": stack.states[0], "nats": stack.brokers[0]}


def name_of(kind: str, number: int) -> str:
    """The name of one of several processes of a kind: the first has its kind's."""
    return kind if number == 0 else f"{kind}-{number + 1}"


def cpu_s(server: Server) -> dict[str, float]:
    """The CPU time that each process of a server has used so far, to the nanosecond."""
    return {name: process_cpu_s(process) for name, process in server.processes.items()}


def process_cpu_s(process: Managed) -> float:
    """The CPU time that a process has used so far, to the nanosecond."""
    return cpu_clock_s(process.pid)


def cpu_clock_s(pid: int) -> float:
    """The same, of the process with this id."""
    # What clock_getcpuclockid(3) makes of a process's id on Linux.
    return time.clock_gettime(~pid << 3 | 2)


def memory_bytes(server: Server) -> int:
    """What the gateway's process has in memory for itself alone."""
    used: int = psutil.Process(server.processes["gateway"].pid).memory_full_info().uss
    return used


async def quiet(servers: Sequence[Server]) -> None:
    """Wait until all that was begun is over."""
    ends_at = time.monotonic() + QUIET_TIMEOUT_S
    before = _total_s(servers)
    while time.monotonic() < ends_at:
        await asyncio.sleep(QUIET_WINDOW_S)
        now = _total_s(servers)
        if now - before < QUIET_LOAD * QUIET_WINDOW_S:
            return
        before = now


def _total_s(servers: Sequence[Server]) -> float:
    return sum(sum(cpu_s(server).values()) for server in servers)
