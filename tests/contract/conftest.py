"""What reads the contract's documents as their users do: the official programs, run by Node."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from harmonic_local.node import install
from harness import node

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
    await install(ROOT / "tests" / "harness")

    async def run(*arguments: str | Path) -> tuple[int, str]:
        status, output = await node.run(HERE, *arguments, timeout_s=RUN_TIMEOUT_S)
        return status or 0, output

    return run
