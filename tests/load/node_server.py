"""Node's socket.io with Redis as a server under measurement, where both can be had."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from harmonic_local.node import InstallError, install, node
from harmonic_local.processes import Managed, free_port, says_ready
from harness.world import SECRET
from load.servers import PING_INTERVAL_S, PING_TIMEOUT_S, OtherServer, name_of

FOLDER = Path(__file__).parent / "node"
NAME = "node"


class Missing(Exception):
    """Something of the peer is not on this machine, and cannot be installed by this program."""


async def prepare() -> None:
    """Install Node's packages; raise :class:`Missing` where that or Redis is not to be had."""
    if shutil.which("redis-server") is None:
        raise Missing("there is no redis-server (on Debian: apt install redis-server)")
    try:
        await install(FOLDER)
    except InstallError as error:
        raise Missing(str(error)) from error


@asynccontextmanager
async def node_with_redis(processes: int = 1) -> AsyncIterator[OtherServer]:
    """So many processes of Node with one Redis, running. Redis stores nothing."""
    redis_port, ports = free_port(), [free_port() for _ in range(processes)]
    lines: list[str] = []
    redis = Managed(
        name="redis",
        command=[
            *("redis-server", "--port", str(redis_port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no"),
        ],
        environment={},
        output=lambda *_: None,
        sign=lambda line: "Ready to accept connections" in line,
    )
    started = {
        name_of("gateway", n): _server(n, port, redis_port, lines) for n, port in enumerate(ports)
    }
    async with AsyncExitStack() as stopping:
        for process in (redis, *started.values()):
            stopping.push_async_callback(_stop, process)
            await process.start()
        yield OtherServer(ports, {**started, "redis": redis}, NAME)
    # One line a process says that it is ready; any other tells of a failure.
    sys.stderr.writelines(f"{line}\n" for line in lines if not says_ready(line))


def _server(number: int, port: int, redis_port: int, lines: list[str]) -> Managed:
    return Managed(
        name=f"node-{number + 1}",
        command=[
            *(str(node()), str(FOLDER / "server.mjs")),
            *("--port", str(port), "--redis", str(redis_port), "--secret", SECRET),
            *("--ping-interval-s", str(PING_INTERVAL_S), "--ping-timeout-s", str(PING_TIMEOUT_S)),
        ],
        environment={"NODE_ENV": "production"},
        output=lambda _, line: lines.append(line),
        sign=says_ready,
    )


async def _stop(process: Managed) -> None:
    # Nobody is interested in how it would say goodbye to thousands.
    process.kill()
    await process.stop()
