"""What all tests may ask for: a running product, and a view of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.world import World, started


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Two gateways, a state and a music service around a broker, shared by all tests."""
    async with started(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
async def world(stack: Stack) -> AsyncIterator[World]:
    """A test's own universes and clients in the shared product."""
    async with aiohttp.ClientSession() as http:
        view = World(stack, http)
        yield view
        await view.close()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder for a product of the test's own."""
    return tmp_path / "stack"
