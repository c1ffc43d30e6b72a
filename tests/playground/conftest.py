"""A product with a playground, and what its page is built by."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from harmonic_local.node import install
from harmonic_local.stack import Stack
from harness import node
from playground.browsing import FOLDER, RUN_TIMEOUT_S, SOURCES, browse, product

Run = Callable[..., Awaitable[str]]


@pytest.fixture(scope="module")
async def playground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with product(tmp_path_factory.mktemp("playground")) as stack:
        yield stack


@pytest.fixture
def use(playground: Stack) -> Run:
    """Run a program in a universe of its own: what it wrote; it has to succeed."""
    return partial(browse, playground)


@pytest.fixture(scope="module")
async def run_node() -> Run:
    """Run a program of Node in a folder, which has the page's packages: it has to succeed."""
    await install(SOURCES)
    await install(FOLDER)

    async def run(folder: Path, *arguments: str | Path) -> str:
        status, output = await node.run(folder, *arguments, timeout_s=RUN_TIMEOUT_S)
        assert status == 0, output
        return output

    return run
