"""``python -m playground [look DIR | weigh]``: build the page; take pictures; see what it costs."""

import asyncio
import sys
import tempfile
from pathlib import Path

from harmonic_local.node import InstallError, install
from harness import node
from playground.browsing import RUN_TIMEOUT_S, SOURCES, browse, product

PARTICLES = 5000


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
            print(await browse(stack, "weight.mts", str(PARTICLES)))
    return 0


def main() -> int:
    """Do what was asked for; the exit status."""
    try:
        match sys.argv[1:]:
            case []:
                return asyncio.run(build())
            case ["weigh"]:
                return asyncio.run(weigh())
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
