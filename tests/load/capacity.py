"""``python -m load.capacity``: what one replica of each service carries here, in some 90 seconds.

Measured are the CPU time and memory that connections, updates and pieces take. What a cluster of a
million connections needs is reckoned from that, and not measured. With ``--write``, both tables
replace those in ``deploy/docs/capacity.md``.
"""

import argparse
import asyncio
import math
import platform
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import uvloop

from harmonic_protocol import subjects
from load.crowd import gathered
from load.servers import Ours, cpu_s, ours, quiet
from music_service.bench import cpu_ms
from music_service.measures import piece

PAGE = Path(__file__).parents[2] / "deploy" / "docs" / "capacity.md"
BEGIN, END = "<!-- measured: make capacity -->", "<!-- end -->"
CONNECTIONS, ROOM_SIZE, IDLE_S = 1000, 10, 15.0
ROOMS, UPDATES, SIZES = 10, 60, (1, 10, 50)
PIECE_BEATS, PIECES = 64, 10
#: What a million people are assumed to do.
MILLION, UPDATES_PER_MINUTE, RECONNECTS_PER_HOUR, PIECES_PER_HOUR = 1_000_000, 3.0, 1.0, 6.0
#: A process is one core at most; half of it is left for what comes at once.
LOADED_TO = 0.5
GATEWAY_CONNECTIONS = 5000
#: What brokers of three copies store in one stream, at least: `load.universes --brokers 3`.
STREAM_APPENDS_PER_S = 1000
MIB = 2**20


@dataclass(frozen=True)
class Costs:
    """What was measured. Times are CPU microseconds, by process."""

    idle_mib: Mapping[str, float]
    connection_kib: Mapping[str, float]
    connect_us: Mapping[str, float]
    #: Of one connection for a second in which it says nothing but pongs.
    idle_us: Mapping[str, float]
    #: Of one update, by the number of members who hear it at one gateway.
    update_us: Mapping[int, Mapping[str, float]]
    piece_ms: float

    @property
    def delivery_us(self) -> float:
        """What one more member of a room costs its gateway, an update."""
        few, many = min(SIZES), max(SIZES)
        more = self.update_us[many]["gateway"] - self.update_us[few]["gateway"]
        return more / (many - few)

    @property
    def record_us(self) -> float:
        """What an update costs a gateway before anybody is sent it: at most, for each gateway."""
        return self.update_us[min(SIZES)]["gateway"] - self.delivery_us


async def measured() -> Costs:
    """Let clients come, do nothing, and write."""
    async with ours() as product:
        await quiet([product])
        empty = _memory(product)
        rooms = await product.universes(CONNECTIONS // ROOM_SIZE)
        await quiet([product])
        before, used = _memory(product), cpu_s(product)
        async with gathered(product.port, rooms, ROOM_SIZE):
            connect_us = _each(used, cpu_s(product), CONNECTIONS)
            await quiet([product])
            used = cpu_s(product)
            await asyncio.sleep(IDLE_S)
            idle_us = _each(used, cpu_s(product), CONNECTIONS * IDLE_S)
            grown = {name: after - before[name] for name, after in _memory(product).items()}
    async with ours() as product:
        update_us = {size: await _updates(product, size) for size in SIZES}
    return Costs(
        {name: used_bytes / MIB for name, used_bytes in empty.items()},
        {name: more / CONNECTIONS / 1024 for name, more in grown.items()},
        connect_us,
        idle_us,
        update_us,
        cpu_ms(lambda: piece(PIECE_BEATS, 1), PIECES),
    )


async def _updates(product: Ours, size: int) -> dict[str, float]:
    rooms = await product.universes(ROOMS)
    async with gathered(product.port, rooms, size) as crowd:
        await crowd.update(UPDATES // 4)
        await quiet([product])
        used = cpu_s(product)
        await crowd.update(UPDATES)
        return _each(used, cpu_s(product), ROOMS * UPDATES)


def _memory(product: Ours) -> dict[str, int]:
    return {
        name: psutil.Process(process.pid).memory_full_info().uss
        for name, process in product.processes.items()
    }


def _each(
    before: Mapping[str, float], after: Mapping[str, float], count: float
) -> dict[str, float]:
    return {name: (after[name] - before[name]) / count * 1e6 for name in before}


def measured_table(costs: Costs) -> list[str]:
    """The rows of what was seen."""
    rows = [
        "| Measured | gateway | state service | broker |",
        "|---|---|---|---|",
        _row("memory of a process without clients, MiB", costs.idle_mib, ".0f"),
        _row("memory of a connection in a room, KiB", costs.connection_kib, ".0f"),
        _row("a connect and join, CPU-ms", _thousandth(costs.connect_us), ".2f"),
        _row("a connection at rest, CPU-ms a second", _thousandth(costs.idle_us), ".3f"),
    ]
    for size, used in costs.update_us.items():
        what = f"an update that {size} at one gateway hear, CPU-ms"
        rows.append(_row(what, _thousandth(used), ".2f"))
    return rows


def _thousandth(used: Mapping[str, float]) -> dict[str, float]:
    return {name: value / 1000 for name, value in used.items()}


def _row(what: str, values: Mapping[str, float], form: str) -> str:
    cells = " | ".join(
        format(max(0.0, values[name]), form) for name in ("gateway", "state", "nats")
    )
    return f"| {what} | {cells} |"


def carried(costs: Costs) -> list[str]:
    """What one replica of each carries at half a core, by the costs."""
    room = costs.update_us[ROOM_SIZE]
    own_us = costs.idle_us["gateway"] + _writes_per_s(1) * (
        costs.record_us + ROOM_SIZE * costs.delivery_us
    )
    busy_us = LOADED_TO * 1e6
    return _pairs(
        ("One replica, at half a core", "carries"),
        (f"gateway: connections in rooms of {ROOM_SIZE} at it", busy_us / own_us),
        ("gateway: connects and joins a second", busy_us / costs.connect_us["gateway"]),
        ("state service: updates a second", busy_us / room["state"]),
        ("broker: updates a second", busy_us / room["nats"]),
        (f"music: pieces of {PIECE_BEATS} beats a second", busy_us / 1000 / costs.piece_ms),
    )


def _writes_per_s(people: float) -> float:
    return people * UPDATES_PER_MINUTE / 60


def reckoned(costs: Costs) -> list[str]:
    """What a million would need, by the costs: nobody has measured that."""
    writes = _writes_per_s(MILLION)
    returns = MILLION * RECONNECTS_PER_HOUR / 3600
    rooms = MILLION / ROOM_SIZE
    # Behind round robin a room's people are at as many gateways: each hears every record.
    gateway = (
        MILLION * costs.idle_us["gateway"]
        + returns * costs.connect_us["gateway"]
        + writes * ROOM_SIZE * (costs.record_us + costs.delivery_us)
    ) / 1e6
    state = (
        writes * costs.update_us[ROOM_SIZE]["state"] + returns * costs.connect_us["state"]
    ) / 1e6
    broker = writes * costs.update_us[ROOM_SIZE]["nats"] * (ROOM_SIZE + 3) / 1e6 / 2
    pieces = rooms * PIECES_PER_HOUR / 3600
    gateways = math.ceil(max(gateway / LOADED_TO, MILLION / GATEWAY_CONNECTIONS))
    streams = (
        f"brokers: streams of three copies, {STREAM_APPENDS_PER_S:,} appends a second each;"
        f" there are {subjects.LOG_STREAMS}"
    )
    own_mib = costs.idle_mib["gateway"]
    memory_mib = gateways * own_mib + MILLION * costs.connection_kib["gateway"] / 1024
    return _pairs(
        ("Reckoned, not measured: 1,000,000 connections", "needs"),
        ("updates a second", writes),
        ("gateways: cores at work", gateway),
        (f"gateways: pods, half a core or {GATEWAY_CONNECTIONS:,} connections each", gateways),
        ("gateways: memory in all, GiB", memory_mib / 1024),
        ("state service: cores at work", state),
        ("state service: pods, half a core each", math.ceil(state / LOADED_TO)),
        ("music service: pieces a second", pieces),
        ("music service: cores at work", pieces * costs.piece_ms / 1000),
        ("brokers: cores at work, at least", broker),
        ("brokers: subscriptions to `hu.live.*`, one a room and gateway", MILLION),
        ("brokers: messages a second to gateways", writes * ROOM_SIZE),
        (streams, writes / STREAM_APPENDS_PER_S),
    )


def _pairs(head: tuple[str, str], *rows: tuple[str, float]) -> list[str]:
    cells = (f"| {what} | {value:,.0f} |" for what, value in rows)
    return [f"| {head[0]} | {head[1]} |", "|---|---|", *cells]


def block(costs: Costs, took_s: float) -> str:
    """All tables, with when and where."""
    day, cores = datetime.now(UTC).date(), psutil.cpu_count()
    where = f"On {day}, {platform.machine()}, {cores} cores, Python {platform.python_version()}"
    tables = (measured_table(costs), carried(costs), reckoned(costs))
    return "\n\n".join((f"{where}, in {took_s:.0f} s:", *("\n".join(rows) for rows in tables)))


def main() -> int:
    """Measure and print; or write it into the page."""
    parser = argparse.ArgumentParser(prog="load.capacity", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the tables of the page")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began_at = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        costs = runner.run(measured())
    said = block(costs, time.monotonic() - began_at)
    sys.stdout.write(said + "\n")
    if options.write:
        text = PAGE.read_text()
        before, after = text.partition(BEGIN)[0], text.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n{said}\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
