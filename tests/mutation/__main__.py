"""Mutation tests: change the cores in every small way, and see unit tests notice.

``make mutate`` runs all groups of ``targets.toml``, ``make mutate PARTS="domain limits"`` some,
``make mutate PARTS="domain --modules */erasing.py"`` a part of one, and ``PARTS=--resume`` goes on
with a run that was interrupted: while neither product nor tests change, results are kept.
It fails where less than the bound is noticed, or where a mutant survives that ``survivors.md``
does not justify. Nothing is left out of the count: what no test reaches survives.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from mutation.report import Mutant, mutants, score, table, unjustified
from mutation.staging import Group, groups, stage

#: The share of mutants that has to be noticed.
BOUND = 0.92


def mutate(group: Group, folder: Path, workers: int, *, resumes: bool) -> list[Mutant]:
    """Run the group's mutants in ``folder``; to resume, those that were not run there."""
    print(f"{group.name} …", flush=True)
    stage(group, folder, resumes=resumes)
    began_s, began_cpu_s = time.monotonic(), _cpu_s()
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
    took_s, cpu_s = time.monotonic() - began_s, _cpu_s() - began_cpu_s
    print(f"{group.name}: {took_s:.0f} s, {cpu_s:.0f} s of the processor\n", flush=True)
    return found


def _cpu_s() -> float:
    """What the processes that were started, and have ended, computed for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _part(group: Group, modules: list[str]) -> Group:
    """The group with those of its modules that match a pattern; with all if there are none."""
    return replace(group, modules=tuple(modules)) if modules else group


def main() -> int:
    """Run the groups that are asked for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help="all by default")
    parser.add_argument("--modules", nargs="*", default=[], help="patterns of paths, for a part")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, default=Path(".cache/mutation"))
    parser.add_argument("--resume", action="store_true", help="keep the results of the same code")
    chosen = parser.parse_args()
    found = [
        mutant
        for group in groups()
        if not chosen.groups or group.name in chosen.groups
        for mutant in mutate(
            _part(group, chosen.modules),
            (chosen.folder / group.name).resolve(),
            chosen.workers,
            resumes=chosen.resume,
        )
    ]
    print(table(found))
    unknown = unjustified(found)
    for mutant in unknown:
        print(f"{mutant.module}: {mutant.function}: {mutant.change} ({mutant.status})")
    print(f"{len(unknown)} survivors are not justified in survivors.md.")
    return 0 if score(found) >= BOUND and not unknown else 1


if __name__ == "__main__":
    sys.exit(main())
