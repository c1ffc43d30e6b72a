"""``python -m fuzz``: attack a product of its own, and tell how it went."""

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
from pathlib import Path
from statistics import median

import aiohttp

from fuzz.campaign import MAX_RATIO, SETTINGS, Report, campaign
from fuzz.costs import Costs, costs
from fuzz.flooding import FloodShare, flooded
from fuzz.meter import Meter
from fuzz.vitals import MIB
from harness.world import World, started

SHOWN_FAULTS = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--rounds", type=int, default=10, help="of attack, and of peace")
    parser.add_argument("--rate", type=float, default=400.0, help="inputs a second, at most")
    parser.add_argument("--updates", type=int, default=400, help="in each round of peace")
    parser.add_argument("--folder", type=Path, help="for logs and data, which are kept there")
    parser.add_argument("--floods", type=int, help="only measure floods, so many times")
    parser.add_argument("--only", default="", help="only floods whose names hold this")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    print(f"seed {chosen.seed}, logs in {folder}", flush=True)
    if chosen.floods:
        return 1 if asyncio.run(_floods(folder, chosen.floods, chosen.only)) else 0
    report = asyncio.run(
        campaign(
            folder,
            chosen.inputs,
            seed=chosen.seed,
            rounds=chosen.rounds,
            inputs_per_s=chosen.rate,
            least_updates=chosen.updates,
        )
    )
    if report.ratio > MAX_RATIO:
        report.faults.append(f"neighbours waited {report.ratio:.2f} times as long as in peace")
    show(report)
    apart = folder / "costs"
    apart.mkdir()
    measured = asyncio.run(_costs(apart))
    show_costs(measured)
    return 1 if report.faults or measured.faults else 0


async def _costs(folder: Path) -> Costs:
    """Measure single inputs on a product of their own, where nothing else goes on."""
    async with (
        started(folder, gateways=1, musics=0, **SETTINGS) as stack,
        aiohttp.ClientSession() as http,
    ):
        return await costs(World(stack, http))


async def _floods(folder: Path, times: int, only: str) -> list[str]:
    """Measure floods several times, each time on a product of its own; return what is wrong."""
    faults = []
    for number in range(times):
        apart = folder / f"floods-{number}"
        apart.mkdir()
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        async with (
            started(apart, gateways=1, musics=0, **SETTINGS) as stack,
            aiohttp.ClientSession() as http,
        ):
            world = World(stack, http)
            meter = Meter(world)
            await meter.rest()
            _, found = await flooded(world, meter, only, on_share=show_share)
        faults += found
    for fault in faults:
        print(f"- {fault}")
    return faults


def show_share(share: FloodShare) -> None:
    """A line for a flood: its share of a core over one connection, and over several of a user."""
    print(f"{share.of_one:8.3f} {share.of_user:8.3f} {share.name}", flush=True)


def show_costs(measured: Costs) -> None:
    for name, each_s in measured.inputs_s.items():
        print(f"{each_s * 1000:8.3f} ms of CPU for {name}")
    for name, share in measured.shares.items():
        print(f"{share:8.3f} {name}")
    for flood in measured.floods:
        show_share(flood)
    for fault in measured.faults:
        print(f"- {fault}")


def show(report: Report) -> None:
    tally = report.tally
    total = sum(tally.inputs.values())
    print(f"{total} inputs in {tally.seconds:.0f} s: {dict(tally.inputs)}")
    print(f"answers: {dict(sorted(tally.statuses.items()))}")
    print(f"neighbours saw: {dict(report.seen)}")
    for name, values in (
        ("without the fuzzer", report.peace_p99_s),
        ("with the fuzzer", report.attack_p99_s),
        ("with clients that come back", report.returns_p99_s),
    ):
        rounds = " ".join(f"{value * 1000:.1f}" for value in values)
        print(f"p99 {name}: {median(values) * 1000:.1f} ms ({rounds})")
    print(f"ratio: {report.ratio:.2f}")
    each = " ".join(f"{cpu_s * 1000:.2f}" for cpu_s in report.cpu_s)
    print(f"the gateway's CPU for an input: {median(report.cpu_s) * 1000:.2f} ms ({each})")
    for name in report.rounds[0].memory_bytes:
        rounds = " ".join(f"{seen.memory_bytes[name] / MIB:.0f}" for seen in report.rounds)
        print(f"memory of {name}: {rounds} MiB after each round")
    print(f"held in the end: {report.held}")
    print(f"{len(report.faults)} faults")
    for fault in report.faults[:SHOWN_FAULTS]:
        print(f"- {fault}")


if __name__ == "__main__":
    sys.exit(main())
