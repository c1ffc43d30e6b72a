"""``python -m load.bench``: measure the product beside a plain Socket.IO server."""

import argparse
import asyncio
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from load.measures import Idle, Updates, measure_idle, measure_updates
from load.servers import ours, plain
from load.table import Row, Target, as_table, verdicts

RESULTS = Path(__file__).parent / "results.md"
ROUNDS = 3


@dataclass(frozen=True)
class Plan:
    """How much work there is."""

    small: Updates
    tens: Updates
    fifties: Updates
    large: Updates
    idle: Idle


FULL = Plan(
    small=Updates(rooms=20, room_size=5, updates=75),
    tens=Updates(rooms=10, room_size=10, updates=150),
    fifties=Updates(rooms=4, room_size=50, updates=150),
    large=Updates(rooms=1, room_size=500, updates=100),
    # Longer than a heartbeat: all that a connection does while idle has been done once.
    idle=Idle(connections=2000, room_size=10, settle_s=6.0),
)
QUICK = Plan(
    small=Updates(rooms=20, room_size=5, updates=15),
    tens=Updates(rooms=10, room_size=10, updates=30),
    fifties=Updates(rooms=2, room_size=50, updates=40),
    large=Updates(rooms=1, room_size=500, updates=8),
    idle=Idle(connections=300, room_size=10, settle_s=1.0),
)


def main() -> int:
    """Measure; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="load.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less work, coarser numbers")
    parser.add_argument("--record", action="store_true", help=f"add the table to {RESULTS.name}")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Inherited by the servers; the usual 1,024 would not do.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began_at = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(measure(QUICK if options.quick else FULL))
    table = as_table(rows)
    print(f"{table}\n\n{verdicts(rows)}\n{time.monotonic() - began_at:.0f} s in all")  # noqa: T201
    if options.record:
        record(table)
    return int(any(row.missed for row in rows))


async def measure(plan: Plan) -> list[Row]:
    """All that is measured, as the table's rows."""
    say("idle connections")
    idle = await measure_idle(plan.idle, ROUNDS)
    async with ours() as product, plain() as reference:
        servers = [product, reference]
        say("updates in small rooms")
        small = await measure_updates(servers, plan.small, ROUNDS)
        say("rooms of 10")
        tens = await measure_updates(servers, plan.tens, ROUNDS)
        say("rooms of 50")
        fifties = await measure_updates(servers, plan.fifties, ROUNDS)
        say("a room of 500")
        large = await measure_updates(servers, plan.large, ROUNDS)
    deliveries = "Deliveries per CPU-second of the gateway"
    return [
        Row(f"{deliveries}, rooms of 10", tens.deliveries_per_cpu_s),
        Row(
            f"{deliveries}, rooms of 50",
            fifties.deliveries_per_cpu_s,
            Target(2, "times", ratio=True, at_least=True),
        ),
        Row(
            f"{deliveries}, a room of 500",
            large.deliveries_per_cpu_s,
            Target(3, "times", ratio=True, at_least=True),
        ),
        Row("KiB per idle connection", idle.connection_kib, Target(40, "KiB")),
        *(Row(f"µs per connect and join: {name}", idle.join_us[name]) for name in idle.join_us),
        *(
            Row(f"µs per update in rooms of 5: {name}", small.update_us[name])
            for name in small.update_us
        ),
    ]


def record(table: str) -> None:
    """Add a table to the ones of earlier commits."""
    day = datetime.now(UTC).date()
    with RESULTS.open("a") as file:
        file.write(f"\n## {day}, {_commit()}\n\n{table}\n")


def _commit() -> str:
    return subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
    ).stdout.strip()


def say(what: str) -> None:
    """Tell whoever waits what is being done."""
    print(f"measuring {what} …", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
