"""Two gateways, and whoever is to use them in turn."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.world import World, started


@pytest.fixture(scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("peers")
    async with started(folder, gateways=2, musics=0, HARMONIC_DEPARTURE_GRACE_S="1") as running:
        yield running


@pytest.fixture
async def world(product: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        made = World(product, http)
        yield made
        await made.close()
