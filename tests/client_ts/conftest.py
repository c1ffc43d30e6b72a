"""Programs of Node that use the TypeScript client against a running product."""

import asyncio
import fcntl
import hashlib
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from harmonic_local.node import install
from harness import node
from harness.world import World

PROGRAMS = Path(__file__).with_name("programs")
CLIENT = Path(__file__).parents[2] / "shared" / "client-ts"
RUN_TIMEOUT_S = 100.0
PROTOCOL = CLIENT.parent / "contract" / "protocol.ts"
TSC = "node_modules/typescript/bin/tsc"
#: Lifetimes of tokens in seconds, by the names that programs know them by; the users are Ann.
LIFETIMES = {"expired": -60, "ending": 40}

Run = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
async def run_node() -> Run:
    """Run a program of Node in the client's folder: what it wrote; it has to succeed."""
    await install(CLIENT)

    async def run(*arguments: str | Path) -> str:
        status, output = await node.run(CLIENT, *arguments, timeout_s=RUN_TIMEOUT_S)
        assert status == 0, output
        return output

    return run


async def use(world: World, run_node: Run, program: Path) -> str:
    """Run a program in a universe of its own that anyone may edit, and one that anyone may view."""
    tokens = {user: world.token(user) for user in ("ann", "ben", "cat", "owner")}
    tokens |= {name: world.token("ann", lifetime_s=LIFETIMES[name]) for name in LIFETIMES}
    plan = {
        "gateways": world.stack.urls,
        "universe": await world.universe(),
        "viewed": await world.universe(publicMode="view"),
        "tokens": tokens,
    }
    return await run_node(program, json.dumps(plan))


async def build_client(project: Path, run_node: Run) -> Path:
    """Install the client in a project, as its package has it, with what it asks for."""
    modules = project / "node_modules"
    package = modules / "@harmonic-universe" / "client"
    package.mkdir(parents=True)
    (package / "package.json").write_text((CLIENT / "package.json").read_text())
    (package / "dist").symlink_to(await _built(run_node))
    for name in ("react", "socket.io-client", "@types"):
        (modules / name).symlink_to(CLIENT / "node_modules" / name)
    return modules


async def _built(run_node: Run) -> Path:
    """The client's package, built once for all tests that have these sources."""
    settings = (
        CLIENT / "tsconfig.json",
        CLIENT / "tsconfig.build.json",
        CLIENT / "package-lock.json",
    )
    sources = (*sorted((CLIENT / "src").glob("*.ts")), PROTOCOL, *settings)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    cache = CLIENT / ".cache"
    target = cache / f"dist-{digest[:16]}"
    with (cache / "dist.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not target.exists():
            for old in cache.glob("dist-*"):
                shutil.rmtree(old)
            partial = cache / "dist-partial"
            await run_node(TSC, "--project", "tsconfig.build.json", "--outDir", partial)
            partial.rename(target)
    return target
