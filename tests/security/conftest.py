"""A view of whatever product a module attacks."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.world import World


@pytest.fixture
async def target(attacked: Stack) -> AsyncIterator[World]:
    """What a test makes in the module's ``attacked`` product."""
    async with aiohttp.ClientSession() as http:
        view = World(attacked, http)
        yield view
        await view.close()
