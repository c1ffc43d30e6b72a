"""``python -m load.cost CHECKOUT``: an update's CPU beside another checkout, in ABBA pairs.

Both products run at the same time, and the same crowd of clients writes to one and then the other:
other, this, this, other. One such turn is a pair; what it costs is the CPU time of all processes of
a product. The ratio's upper bound is of its mean over all pairs, by Student's t.
"""

import argparse
import asyncio
import resource
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import mean, stdev

import uvloop

from load.against import HERE, Checkout, running
from load.crowd import Crowd, gathered

PAIRS = 20
ROOMS, ROOM_SIZE = 20, 5
#: Updates in each room at a turn; the first turn is not counted.
UPDATES = 50
#: The 97.5 % quantile of Student's t with 19 degrees of freedom: the upper end of a 95 % interval.
T_19 = 2.093


async def measure(other: Path, pairs: int) -> dict[str, list[float]]:
    """The ratios of this checkout's CPU time to the other's, by process, pair by pair."""
    ratios: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        theirs = await stack.enter_async_context(running("other", other))
        mine = await stack.enter_async_context(running("this", HERE))
        one = gathered(theirs.port, await theirs.universes(ROOMS), ROOM_SIZE)
        another = gathered(mine.port, await mine.universes(ROOMS), ROOM_SIZE)
        sides = {
            "other": (theirs, await stack.enter_async_context(one)),
            "this": (mine, await stack.enter_async_context(another)),
        }
        for number in range(pairs + 1):
            used: dict[str, dict[str, float]] = {"other": {}, "this": {}}
            for name in ("other", "this", "this", "other"):
                for process, seconds in (await _turn(*sides[name])).items():
                    used[name][process] = used[name].get(process, 0.0) + seconds
            if number == 0:
                continue
            for process, theirs_s in used["other"].items():
                ratios.setdefault(process, []).append(used["this"][process] / theirs_s)
            sys.stderr.write(f"pair {number} of {pairs}: {ratios['all'][-1]:.3f}\n")
    return ratios


async def _turn(product: Checkout, crowd: Crowd) -> dict[str, float]:
    before = product.cpu_s()
    await crowd.update(UPDATES)
    after = product.cpu_s()
    used = {name: after[name] - before[name] for name in before}
    return {**used, "all": sum(used.values())}


def main() -> int:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(prog="load.cost", description=__doc__)
    parser.add_argument("checkout", type=Path, help="the other checkout, with its .venv")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ratios = runner.run(measure(options.checkout.resolve(), options.pairs))
    lines = ["| process | this : other | upper 95 % bound |", "|---|---|---|"]
    for process, found in ratios.items():
        bound = mean(found) + T_19 * stdev(found) / len(found) ** 0.5
        lines.append(f"| {process} | {mean(found):.3f} | {bound:.3f} |")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
