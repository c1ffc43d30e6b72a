"""Run the product of one checkout for :mod:`load.against`, by that checkout's own interpreter.

It imports what stands in that checkout, which may be an earlier commit. It says in one line of JSON
where the product listens and which processes it is; then each number on standard input is answered
with so many new universes. It ends with its input.
"""

import asyncio
import json
import resource
import sys

from load import servers

#: As often as is allowed, so that many heartbeats are measured in little time.
PING_INTERVAL_S = 2


async def serve() -> None:
    """Serve until standard input ends."""
    # Named in that checkout: its function has no argument for it.
    servers.PING_INTERVAL_S = PING_INTERVAL_S
    async with servers.ours() as product:
        processes = {name: process.pid for name, process in product.processes.items()}
        say({"port": product.port, "processes": processes})
        while line := await asyncio.to_thread(sys.stdin.readline):
            say(await product.universes(int(line)))


def say(what: object) -> None:
    """One line, at once."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(serve())
