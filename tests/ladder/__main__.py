"""``python -m ladder [RUNG…]``: climb the ladder, or some of its rungs; 0 only if all are held."""

import sys
import time

from ladder import (
    alerts,
    backup,
    dashboards,
    images,
    one_vm,
    policy,
    programs,
    prometheus,
    rolling,
    templates,
    tools,
)
from ladder.rungs import Rung

RUNGS = (
    Rung(1, "templates", templates.check),
    Rung(2, "policy", policy.check),
    Rung(3, "alerts", alerts.check, alerts.PROGRAMS),
    Rung(4, "dashboards", dashboards.check, prometheus.PROGRAMS),
    Rung(5, "compose, VM", one_vm.check, one_vm.PROGRAMS),
    Rung(6, "images", images.check, images.PROGRAMS),
    Rung(7, "rolling", rolling.check, rolling.PROGRAMS),
    Rung(8, "backup", backup.check),
)
HEIGHT = 8
#: Exit statuses where not all rungs are held.
FAILED, SKIPPED = 1, 3


def main(chosen: list[int]) -> int:
    """Run the rungs, and print what each comes to; the exit status."""
    with tools.alone("ladder"):
        return _climb(chosen)


def _climb(chosen: list[int]) -> int:
    tools.install()
    wanted = [rung for rung in RUNGS if not chosen or rung.number in chosen]
    needed = [each for rung in wanted for each in rung.programs]
    packages = sorted({each.package for each in programs.absent(needed)})
    if packages:
        print(f"installing by apt, where it can be: {', '.join(packages)}", flush=True)
        programs.install(needed)
    held, failed = 0, False
    for rung in wanted:
        began_s = time.monotonic()
        found = rung.climb()
        held += found.state == "held"
        failed = failed or found.state == "failed"
        took_s = time.monotonic() - began_s
        said = [f"{rung.number} {rung.name}: {found.verdict} ({took_s:.0f} s)"]
        said += [f"    {line}" for line in found.lines()]
        print(*said, sep="\n", flush=True)
        (tools.CACHE / f"rung-{rung.number}.log").write_text("\n".join(said) + "\n")
    height = len(chosen) if chosen else HEIGHT
    print(f"ladder {held}/{height}")
    if held == height:
        return 0
    return FAILED if failed else SKIPPED


if __name__ == "__main__":
    sys.exit(main([int(number) for number in sys.argv[1:]]))
