"""``python -m load.peers``: what the product costs beside Node's socket.io with Redis.

Both are up at the same time and do the same pieces of work in turn. What counts is the CPU time of
all processes of a side, its broker included, as the kernel counts it, and of ratios the median over
the rounds. An update that is lost, heard twice or out of order ends the benchmark without a table.
"""

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median

import uvloop

from load.checked import CheckedRoom, at_once, at_rate, in_turn
from load.crowd import Crowd, present
from load.measures import Idle, Samples, add_each, measure_idle, used_s
from load.node_server import NAME, Missing, node_with_redis, prepare
from load.servers import Server, cpu_s, ours, quiet
from load.table import OURS, Row, Target, as_table, verdicts

PARTS = ("rooms", "burst", "rates", "connections", "universes")
ROUNDS = 3
#: In each room before the first round: Node compiles what it has run often.
WARM_UP_UPDATES = 20
#: As many over all, where there are so many rooms that each has been written to once.
MAX_WARM_UP_ROOMS = 200


@dataclass(frozen=True)
class Rooms:
    """Rooms of one size; the goals are the ratio of deliveries per CPU-second to Node's."""

    size: int
    count: int
    #: In each room, at a round.
    updates: int
    #: Over all rooms, where they are lightly loaded.
    light_per_s: float
    busy_goal: float
    light_goal: float


@dataclass(frozen=True)
class Plan:
    """How much work there is."""

    rooms: Sequence[Rooms]
    burst_rooms: int
    light_s: float
    #: Of updates at a rate that one process of Node carries easily.
    rate_s: float
    idle: Sequence[Idle]
    universes: Sequence[int]


RATE_PER_S = 1500
BURST_ROOM = 50
BURST_GOAL = 2.5
#: Updates over all universes at a round, where many are open.
SPREAD_UPDATES = 2000
FULL = Plan(
    rooms=(
        Rooms(2, 150, 20, 60, 0.6, 0.6),
        Rooms(10, 50, 40, 60, 0.85, 0.75),
        Rooms(50, 10, 60, 60, 1.2, 1.0),
        Rooms(500, 2, 40, 6, 1.7, 1.4),
    ),
    burst_rooms=20,
    light_s=6.0,
    rate_s=5.0,
    # Longer than a heartbeat: all that a connection does while idle has been done once.
    idle=(Idle(2000, 10, 6.0), Idle(500, 500, 6.0)),
    universes=(100, 2000, 10_000),
)
QUICK = Plan(
    rooms=tuple(
        replace(rooms, count=max(1, rooms.count // 3), updates=rooms.updates // 3)
        for rooms in FULL.rooms
    ),
    burst_rooms=4,
    light_s=1.5,
    rate_s=1.0,
    idle=(Idle(300, 10, 1.0),),
    universes=(100,),
)


@dataclass
class Seen:
    """What one piece of work cost on either side, a value a round."""

    deliveries_per_cpu_s: Samples = field(default_factory=Samples)
    update_us: dict[str, Samples] = field(default_factory=dict)
    latency_ms: Samples = field(default_factory=Samples)


@dataclass
class Side:
    """A server, and the rooms that its crowd is in."""

    server: Server
    rooms: Sequence[CheckedRoom]


Work = Callable[[Sequence[CheckedRoom]], Awaitable[None]]


@asynccontextmanager
async def gathered(servers: Sequence[Server], rooms: int, size: int) -> AsyncIterator[list[Side]]:
    """Each server with a crowd, which has done all for the first time."""
    async with AsyncExitStack() as leaving:
        sides = []
        for server in servers:
            side = Side(server, [CheckedRoom(name) for name in await server.universes(rooms)])
            await leaving.enter_async_context(present(Crowd(server.ports, side.rooms, size)))
            many = len(side.rooms) > MAX_WARM_UP_ROOMS
            await in_turn(side.rooms, 1 if many else WARM_UP_UPDATES)
            sides.append(side)
        await quiet(servers)
        yield sides


async def measured(sides: Sequence[Side], work: Work, rounds: int) -> Seen:
    """Have both sides do a piece of work in turn, every other round in the opposite order."""
    seen = Seen()
    for number in range(rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            for room in side.rooms:
                room.latencies_s.clear()
            before = cpu_s(side.server)
            await work(side.rooms)
            used = used_s(before, cpu_s(side.server))
            latencies_s = [each for room in side.rooms for each in room.latencies_s]
            deliveries = sum(len(room.latencies_s) * len(room.members) for room in side.rooms)
            seen.deliveries_per_cpu_s.add(side.server, deliveries / sum(used.values()))
            add_each(seen.update_us, side.server, used, len(latencies_s))
            seen.latency_ms.add(side.server, 1000 * median(latencies_s))
    return seen


class Bench:
    """All that is measured, part by part; ``rows`` are the table, ``details`` are by process."""

    def __init__(self, plan: Plan, rounds: int, gateways: int) -> None:
        self._plan = plan
        self._rounds = rounds
        self._starting = (partial(ours, gateways), partial(node_with_redis, gateways))
        self.rows: list[Row] = []
        self.details: list[str] = []

    async def run(self, parts: Sequence[str]) -> None:
        """Measure these parts."""
        async with self._running() as servers:
            if "rooms" in parts:
                for rooms in self._plan.rooms:
                    await self._measure_rooms(servers, rooms)
            if "burst" in parts:
                say("a burst")
                async with gathered(servers, self._plan.burst_rooms, BURST_ROOM) as sides:
                    seen = await measured(sides, at_once, self._rounds)
                deliveries = self._plan.burst_rooms * BURST_ROOM**2
                self._add(f"burst of {deliveries:,}, rooms of {BURST_ROOM}", seen, BURST_GOAL)
            if "rates" in parts:
                for size in (2, 10):
                    await self._measure_rate(servers, size)
        if "connections" in parts:
            for idle in self._plan.idle:
                await self._measure_connections(idle)
        if "universes" in parts:
            for count in self._plan.universes:
                await self._measure_universes(count)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[list[Server]]:
        async with AsyncExitStack() as stopping:
            yield [await stopping.enter_async_context(start()) for start in self._starting]

    async def _measure_rooms(self, servers: Sequence[Server], rooms: Rooms) -> None:
        name = f"rooms of {rooms.size}"
        say(name)
        async with gathered(servers, rooms.count, rooms.size) as sides:
            busy = await measured(sides, partial(in_turn, times=rooms.updates), self._rounds)
            await quiet(servers)
            at_light = partial(at_rate, per_s=rooms.light_per_s, seconds=self._plan.light_s)
            light = await measured(sides, at_light, self._rounds)
        self._add(f"{name}, busy", busy, rooms.busy_goal)
        self._add(f"{name}, {rooms.light_per_s:g} updates/s", light, rooms.light_goal)
        goal = Target(1.0, "times", ratio=True) if rooms.size == 50 else None
        self._add_row(f"ms until all have it (p50), {name}, lightly loaded", light.latency_ms, goal)

    async def _measure_rate(self, servers: Sequence[Server], size: int) -> None:
        name = f"{RATE_PER_S:,} updates/s, rooms of {size}"
        say(name)
        async with gathered(servers, 300 // size, size) as sides:
            work = partial(at_rate, per_s=RATE_PER_S, seconds=self._plan.rate_s)
            seen = await measured(sides, work, self._rounds)
        self._add(name, seen)
        goal = Target(2.0, "times", ratio=True)
        self._add_row(f"ms until all have it (p50), {name}", seen.latency_ms, goal)

    async def _measure_connections(self, idle: Idle) -> None:
        name = f"rooms of {idle.room_size}"
        say(f"{idle.connections:,} connections, {name}")
        seen = await measure_idle(idle, self._rounds, self._starting)
        goal_us = Target(3000 if idle.room_size > 10 else 1000, "µs")
        for process, samples in seen.join_us.items():
            if OURS not in samples.seen:
                continue
            goal = goal_us if process == "all" else None
            self._add_row(f"µs per connect and join, {name}: {process}", samples, goal)
        if idle.room_size > 10:
            return
        kib = "KiB per idle connection, the gateway"
        self._add_row(kib, seen.connection_kib, Target(9, "KiB"))
        self._add_row("ms of CPU a second, empty", seen.empty_ms_per_s, Target(5, "ms"))
        self._add_row(f"ms of CPU a second, {idle.connections:,} idle", seen.idle_ms_per_s)

    async def _measure_universes(self, count: int) -> None:
        say(f"{count:,} universes")
        async with self._running() as servers, gathered(servers, count, 1) as sides:
            work = partial(at_rate, per_s=SPREAD_UPDATES / 4, seconds=4.0)
            seen = await measured(sides, work, self._rounds)
        self._add(f"{count:,} universes of one member, {SPREAD_UPDATES // 4} updates/s", seen)

    def _add(self, name: str, seen: Seen, goal: float | None = None) -> None:
        target = None if goal is None else Target(goal, "times", ratio=True, at_least=True)
        self._add_row(f"deliveries per CPU-s, {name}", seen.deliveries_per_cpu_s, target)
        self.details.append(f"| {name} | {_by_process(seen, OURS)} | {_by_process(seen, NAME)} |")

    def _add_row(self, name: str, samples: Samples, target: Target | None = None) -> None:
        self.rows.append(Row(name, samples, target, other=NAME))


def _by_process(seen: Seen, side: str) -> str:
    """What an update takes of each process of a side."""
    return ", ".join(
        f"{process} {median(samples.seen[side]):,.0f}"
        for process, samples in seen.update_us.items()
        if side in samples.seen
    )


def main() -> int:
    """Measure. Targets are shown; an update that goes astray raises."""
    parser = argparse.ArgumentParser(prog="load.peers", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; else all")
    parser.add_argument("--quick", action="store_true", help="less work, coarser numbers")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--gateways", type=int, default=1, help="processes that clients connect to")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Inherited by the servers; the usual 1,024 would not do.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began_at = time.monotonic()
    bench = Bench(QUICK if options.quick else FULL, options.rounds, options.gateways)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(prepare())
        except Missing as missing:
            print(f"skipped the comparison with Node: {missing}")  # noqa: T201
            return 0
        runner.run(bench.run(options.parts or PARTS))
    print(as_table(bench.rows))  # noqa: T201
    if bench.details:
        head = f"| µs of CPU an update, medians | ours | {NAME} |\n|---|---|---|\n"
        print(f"\n{head}{chr(10).join(bench.details)}")  # noqa: T201
    print(f"\n{verdicts(bench.rows)}\n{time.monotonic() - began_at:.0f} s in all")  # noqa: T201
    return 0


def say(what: str) -> None:
    """Tell whoever waits what is being measured."""
    print(f"measuring {what} …", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
