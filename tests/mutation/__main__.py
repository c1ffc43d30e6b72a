"""Mutation tests: change the cores in every small way, and see unit tests notice.

``make mutate`` runs all groups of ``targets.toml``, ``make mutate PARTS="domain limits"`` some.
It fails where less than the bound is noticed, or where a mutant survives that ``survivors.md``
does not justify. Nothing is left out of the count: what no test reaches survives.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from mutation.report import Mutant, mutants, score, table, unjustified
from mutation.staging import Group, groups, stage

#: The share of mutants that has to be noticed.
BOUND = 0.92


def mutate(group: Group, folder: Path, workers: int) -> list[Mutant]:
    """Run the group's mutants in ``folder``."""
    print(f"{group.name} …", flush=True)
    stage(group, folder)
    began = time.monotonic()
    with (folder / "log.txt").open("w") as log:
        subprocess.run(
            [Path(sys.executable).with_name("mutmut"), "run", "--max-children", str(workers)],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Not where this program's modules are: those of the copy are to be found.
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            check=True,
        )
    found = mutants(folder)
    print(table(found))
    print(f"{group.name}: {time.monotonic() - began:.0f} s\n", flush=True)
    return found


def main() -> int:
    """Run the groups that are asked for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help="all by default")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, default=Path(".cache/mutation"))
    chosen = parser.parse_args()
    found = [
        mutant
        for group in groups()
        if not chosen.groups or group.name in chosen.groups
        for mutant in mutate(group, (chosen.folder / group.name).resolve(), chosen.workers)
    ]
    print(table(found))
    unknown = unjustified(found)
    for mutant in unknown:
        print(f"{mutant.module}: {mutant.function}: {mutant.change} ({mutant.status})")
    print(f"{len(unknown)} survivors are not justified in survivors.md.")
    return 0 if score(found) >= BOUND and not unknown else 1


if __name__ == "__main__":
    sys.exit(main())
