"""``python -m load.against CHECKOUT``: what this checkout costs beside another one, side by side.

Both run at the same time, each by its own interpreter, and do the same pieces of work one after the
other, every other round in the opposite order. A figure is CPU time of one process; what counts is
its ratio within one round, as the median of all rounds.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from load.crowd import Crowd, gathered
from load.serve import PING_INTERVAL_S
from load.servers import cpu_clock_s

ROUNDS = 10
HERE = Path(__file__).resolve().parents[2]
#: Before what its virtual environment has installed, so that checkouts may share one.
_SOURCES = ("deploy/local", "tests", "shared", "gateway", "state-service", "music-service")
START_TIMEOUT_S = 60.0
#: An unmeasured update in each room, so that nothing is done for the first time.
WARM_UP = 1


@dataclass(frozen=True)
class Work:
    """One round: people come into rooms, stay for a while, and write."""

    connections: int
    room_size: int
    idle_s: float
    updates: int


#: Many rooms, where coming in, heartbeats and updates cost most, and one in which frames do.
MANY = Work(connections=1000, room_size=10, idle_s=6.0, updates=10)
LARGE = Work(connections=500, room_size=500, idle_s=0.0, updates=20)


@dataclass
class Checkout:
    """The product of a checkout, running."""

    name: str
    port: int
    processes: Mapping[str, int]
    process: asyncio.subprocess.Process

    async def universes(self, count: int) -> list[str]:
        """So many new universes that anyone may edit."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n".encode())
        universes: list[str] = await _line(self.process)
        return universes

    def cpu_s(self) -> dict[str, float]:
        """The CPU time of each process so far."""
        return {name: cpu_clock_s(pid) for name, pid in self.processes.items()}


@asynccontextmanager
async def running(name: str, folder: Path) -> AsyncIterator[Checkout]:
    """A checkout's product, by the interpreter in its virtual environment."""
    process = await asyncio.create_subprocess_exec(
        *(str(folder / ".venv/bin/python"), "-P", str(Path(__file__).with_name("serve.py"))),
        cwd=folder,
        env={"PYTHONPATH": ":".join(str(folder / part) for part in _SOURCES)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Universes by the hundred come in one line.
        limit=2**20,
    )
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            said = await _line(process)
        yield Checkout(name, said["port"], said["processes"], process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    return json.loads(await process.stdout.readline())


@dataclass
class Seen:
    """Microseconds by what was done and by process: of the other checkout and this, by rounds."""

    pairs: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, what: str, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """What one round cost, in seconds for each of whatever is counted."""
        for process in before:
            pair = (before[process] * 1e6, after[process] * 1e6)
            self.pairs.setdefault((what, process), []).append(pair)

    def table(self) -> str:
        """Medians, and the ratios' median with quartiles, in Markdown."""
        lines = [
            "| µs of CPU | process | other | this | this : other (quartiles) | of sums |",
            "|---|---|---|---|---|---|",
        ]
        for (what, process), pairs in self.pairs.items():
            other, this = (median(column) for column in zip(*pairs, strict=True))
            ratios = sorted(mine / theirs for theirs, mine in pairs if theirs)
            low, high = ratios[len(ratios) // 4], ratios[(3 * len(ratios)) // 4]
            sums = sum(mine for _, mine in pairs) / sum(theirs for theirs, _ in pairs)
            lines.append(
                f"| {what} | {process} | {other:.1f} | {this:.1f} "
                f"| {median(ratios):.3f} ({low:.3f} to {high:.3f}) | {sums:.3f} |"
            )
        return "\n".join(lines)


async def measure(other: Path, rounds: int) -> Seen:
    """So many rounds, in fresh processes each."""
    seen = Seen()
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} …", file=sys.stderr, flush=True)  # noqa: T201
        for name, work in (("many rooms", MANY), ("a room of 500", LARGE)):
            async with running("other", other) as theirs, running("this", HERE) as mine:
                order = [theirs, mine] if number % 2 == 0 else [mine, theirs]
                await _round(seen, name, work, order)
    return seen


async def _round(seen: Seen, name: str, work: Work, order: list[Checkout]) -> None:
    rooms = work.connections // work.room_size
    crowds: dict[str, list[Crowd]] = {each.name: [] for each in order}
    costs: dict[str, dict[str, float]] = {}
    async with AsyncExitStack() as leaving:
        # Whoever is first has it easier, or harder: each is first once.
        for turn in (order, order[::-1]):
            for each in turn:
                universes = await each.universes(max(1, rooms // 2))
                gathering = gathered(
                    each.port, universes, min(work.room_size, work.connections // 2)
                )
                before = each.cpu_s()
                crowds[each.name].append(await leaving.enter_async_context(gathering))
                costs[each.name] = _used(before, each.cpu_s(), work.connections // 2)
            seen.add(f"{name}: connect and join", costs["other"], costs["this"])
        if work.idle_s:
            befores = {each.name: each.cpu_s() for each in order}
            await asyncio.sleep(work.idle_s)
            heartbeats = work.connections * work.idle_s / PING_INTERVAL_S
            for each in order:
                costs[each.name] = _used(befores[each.name], each.cpu_s(), heartbeats)
            seen.add(f"{name}: heartbeat", costs["other"], costs["this"])
        for turn in (order, order, order[::-1], order[::-1], order)[:]:
            for each in turn:
                before = each.cpu_s()
                for crowd in crowds[each.name]:
                    await crowd.update(work.updates)
                costs[each.name] = _used(
                    before, each.cpu_s(), len(crowds[each.name][0].rooms) * 2 * work.updates
                )
            seen.add(f"{name}: update", costs["other"], costs["this"])


def _used(
    before: Mapping[str, float], after: Mapping[str, float], count: float
) -> dict[str, float]:
    used = {name: (after[name] - before[name]) / count for name in before}
    return {**used, "all": sum(used.values())}


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="load.against", description=__doc__)
    parser.add_argument("checkout", type=Path, help="the other checkout, with its .venv")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began_at = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen = runner.run(measure(options.checkout.resolve(), options.rounds))
    print(f"{seen.table()}\n\n{time.monotonic() - began_at:.0f} s in all")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
