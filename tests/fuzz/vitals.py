"""How the product's processes are: what they hold open, what they hold in memory, what they log."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from harmonic_local.processes import parse
from harmonic_local.stack import Stack

#: Departures, graces and heartbeats are over by then.
SETTLE_TIMEOUT_S = 40.0
#: Descriptors that come and go by themselves, as connections kept alive do.
SPARE_DESCRIPTORS = 4
SPARE_TASKS = 8
#: What a process may grow by, once it is warm.
MAX_GROWTH_BYTES = 48 * 1024 * 1024
MIB = 1024 * 1024
SHOWN_CHARACTERS = 1500

_HELD = tuple(
    f"harmonic_{name} " for name in ("sockets", "connections", "rooms", "event_streams", "tasks")
)


@dataclass(frozen=True)
class Vitals:
    """Of one moment: gauges of the gateway; descriptors and memory of each process by its name."""

    held: dict[str, float]
    descriptors: dict[str, int]
    memory_bytes: dict[str, int]


async def vitals(stack: Stack, http: aiohttp.ClientSession) -> Vitals:
    """Look at all processes."""
    async with http.get(f"{stack.ops_urls['gateway-1']}/metrics") as response:
        lines = (await response.text()).splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line.startswith(_HELD))
    processes = {process.name: psutil.Process(process.pid) for process in stack.processes}
    return Vitals(
        {name: float(value) for name, value in values.items()},
        {name: process.num_fds() for name, process in processes.items()},
        {name: process.memory_info().rss for name, process in processes.items()},
    )


async def settled(stack: Stack, http: aiohttp.ClientSession, before: Vitals) -> Vitals:
    """Wait until as much is held as before, but not for ever."""
    deadline_s = time.monotonic() + SETTLE_TIMEOUT_S
    while True:
        now = await vitals(stack, http)
        if not leaks(before, now) or time.monotonic() > deadline_s:
            return now
        await asyncio.sleep(0.5)


def leaks(before: Vitals, after: Vitals) -> list[str]:
    """What is still held that was not before."""
    found = []
    for name, held in after.held.items():
        spare = SPARE_TASKS if name == "harmonic_tasks" else 0
        if held > before.held[name] + spare:
            found.append(f"{name}: {before.held[name]:g} before, {held:g} after")
    for name, count in after.descriptors.items():
        if count > before.descriptors[name] + SPARE_DESCRIPTORS:
            found.append(f"descriptors of {name}: {before.descriptors[name]} before, {count} after")
    return found


def growth(warm: Vitals, after: Vitals) -> list[str]:
    """Services that have grown by more than may be; the broker keeps what was stored."""
    return [
        f"memory of {name}: {warm.memory_bytes[name] / MIB:.0f} MiB warm, {size / MIB:.0f} after"
        for name, size in after.memory_bytes.items()
        if name != "nats" and size > warm.memory_bytes[name] + MAX_GROWTH_BYTES
    ]


def complaints(folder: Path) -> list[str]:
    """What the processes' logs tell of failures of the product's own."""
    return [
        f"{file.stem}: {line[-SHOWN_CHARACTERS:]}"
        for file in sorted(folder.glob("*.log"))
        for line in file.read_text().splitlines()
        if _is_failure(file.stem, line)
    ]


def _is_failure(name: str, line: str) -> bool:
    if name == "nats":
        return "[ERR]" in line or "[FTL]" in line
    # What is no entry was written past the log.
    return parse(line).get("level", "error") in {"error", "critical"} or "Traceback" in line
