"""``python -m client_ts RUNS``: how far apart two clients start 50 pieces, in so many runs.

Their networks take 80 ms each way, and up to 40 ms more for each message. By hand, on a quiet
machine: the exit status is 1 where they are ever more than 15 ms apart.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import aiohttp

from client_ts.conftest import CLIENT, PROGRAMS
from harmonic_local.node import install
from harness import node
from harness.world import World, started

PIECES = 50
MAX_APART_MS = 15
RUN_TIMEOUT_S = 300.0


async def measure(runs: int) -> int:
    """Run the program again and again; the exit status."""
    await install(CLIENT)
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        async with started(Path(directory)) as stack, aiohttp.ClientSession() as http:
            world = World(stack, http)
            for _ in range(runs):
                tokens = {user: world.token(user) for user in ("ann", "ben")}
                universe = await world.universe()
                plan = {"gateways": stack.urls, "universe": universe, "tokens": tokens}
                program = PROGRAMS / "together.mts"
                arguments = (json.dumps(plan), str(PIECES), str(MAX_APART_MS))
                status, output = await node.run(
                    CLIENT, program, *arguments, timeout_s=RUN_TIMEOUT_S
                )
                print(output.strip())
                failed += status != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(measure(int(sys.argv[1]))))
