"""``python -m playground [look DIR | weigh | bars]``: build the page; take pictures; measure.

``weigh`` shows what the page costs, with a piece and with an endless one. ``bars`` has two windows
on two gateways play 100 bars of an endless piece together. Their networks take 80 ms each way, and
up to 40 ms more for each message; one of them is away for two seconds five times. ``bars TEMPO``
has bars of another length. Each is for a quiet machine.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from harmonic_local.node import InstallError, install
from harness import node
from playground.browsing import RUN_TIMEOUT_S, SOURCES, browse, product

PARTICLES = 5000
BARS, OUTAGES = 100, 5
MAX_APART_MS = 15
TEMPO = "120"
BARS_TIMEOUT_S = 1200.0


async def build() -> int:
    """Build it into the gateway's package; the exit status."""
    await install(SOURCES)
    vite = "node_modules/vite/bin/vite.js"
    status, output = await node.run(SOURCES, vite, "build", timeout_s=RUN_TIMEOUT_S)
    print(output)
    return status or 0


async def look(folder: Path) -> int:
    """Take pictures of it, on a desktop and on a telephone, on dark and on light."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 -- before anything runs
    with tempfile.TemporaryDirectory() as directory:
        async with product(Path(directory)) as stack:
            print(await browse(stack, "look.mts", folder))
    return 0


async def weigh() -> int:
    """Show what the page costs with 5,000 particles, all of which have to be drawn."""
    with tempfile.TemporaryDirectory() as directory:
        async with product(Path(directory)) as stack:
            for played in ("piece", "endless"):
                print(played, await browse(stack, "weight.mts", str(PARTICLES), played))
    return 0


async def bars(tempo: str) -> int:
    """Play an endless piece in two windows; the exit status is 1 where it is not together."""
    arguments = (str(BARS), tempo, str(OUTAGES), str(MAX_APART_MS))
    with tempfile.TemporaryDirectory() as directory:
        async with product(Path(directory)) as stack:
            try:
                print(await browse(stack, "bars.mts", *arguments, timeout_s=BARS_TIMEOUT_S))
            except AssertionError as error:
                print(error)
                return 1
    return 0


def main() -> int:
    """Do what was asked for; the exit status."""
    try:
        match sys.argv[1:]:
            case []:
                return asyncio.run(build())
            case ["weigh"]:
                return asyncio.run(weigh())
            case ["bars", *tempo]:
                return asyncio.run(bars(*tempo or [TEMPO]))
            case ["look", folder]:
                return asyncio.run(look(Path(folder).resolve()))
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
