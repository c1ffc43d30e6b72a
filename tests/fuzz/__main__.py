"""``python -m fuzz``: attack a product of its own, and tell how it went."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path
from statistics import median

from fuzz.campaign import Report, campaign
from fuzz.vitals import MIB

SHOWN_FAULTS = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--rounds", type=int, default=10, help="of attack, each after one of peace")
    parser.add_argument("--rate", type=float, default=400.0, help="inputs a second, at most")
    parser.add_argument("--updates", type=int, default=400, help="in each round of peace")
    parser.add_argument("--folder", type=Path, help="for logs and data, which are kept there")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    print(f"seed {chosen.seed}, logs in {folder}", flush=True)
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
    show(report)
    return 1 if report.faults else 0


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
    for name in report.rounds[0].memory_bytes:
        rounds = " ".join(f"{seen.memory_bytes[name] / MIB:.0f}" for seen in report.rounds)
        print(f"memory of {name}: {rounds} MiB after each round")
    print(f"held in the end: {report.held}")
    print(f"{len(report.faults)} faults")
    for fault in report.faults[:SHOWN_FAULTS]:
        print(f"- {fault}")


if __name__ == "__main__":
    sys.exit(main())
