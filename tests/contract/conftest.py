"""What reads the contract's documents as their users do: the official programs, run by Node."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from harmonic_local.node import install, node

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RUN_TIMEOUT_S = 100.0

RunNode = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture(scope="session")
def contract() -> Path:
    """The folder of the committed documents."""
    return ROOT / "shared" / "contract"


@pytest.fixture(scope="session")
async def run_node() -> RunNode:
    """Run a program of this folder: its exit status and what it wrote."""
    await install(HERE)
    await install(ROOT / "deploy" / "local" / "clients")

    async def run(*arguments: str | Path) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            node(),
            *arguments,
            cwd=HERE,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(RUN_TIMEOUT_S):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, output.decode()

    return run
