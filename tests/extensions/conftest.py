"""A product with an extension: declared beside it, loaded by a setting."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.world import World, started

TESTS = Path(__file__).parents[1]
OCEAN = "extensions.ocean"
#: What a user may change here in a minute, so that one can run into it.
LIMIT = 12


@pytest.fixture(scope="session")
async def extended(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Two gateways and two state services that all load the extension."""
    async with started(
        tmp_path_factory.mktemp("extended"),
        states=2,
        HARMONIC_EXTENSIONS=OCEAN,
        HARMONIC_ALLOWED_PARAMETER_UPDATES=str(LIMIT),
        PYTHONPATH=str(TESTS),
    ) as running:
        yield running


@pytest.fixture
async def ocean(extended: Stack) -> AsyncIterator[World]:
    """A test's own universes and clients in the product with the extension."""
    async with aiohttp.ClientSession() as http:
        view = World(extended, http)
        yield view
        await view.close()
