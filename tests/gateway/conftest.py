"""What the gateway's tests may ask for."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.door import Door, opened


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """The sockets with a patient heartbeat."""
    async with opened() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """For those who speak to the sockets without a client."""
    async with aiohttp.ClientSession() as session:
        yield session
