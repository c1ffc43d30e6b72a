"""The races of ``recovery.races``, a few tries of each: the campaign makes hundreds."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.javascript import Bridge, javascript
from harness.world import World
from recovery.races import RACES, product, run

TRIES = 3


@pytest.fixture(scope="module")
async def raced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product whose heartbeats are as the races need them."""
    async with product(tmp_path_factory.mktemp("races")) as running:
        yield running


@pytest.fixture(scope="module")
async def bridge() -> AsyncIterator[Bridge]:
    async with javascript() as running:
        yield running


@pytest.mark.parametrize("name", [race.__name__ for race in RACES])
async def test_no_return_goes_wrong(raced: Stack, bridge: Bridge, name: str) -> None:
    (race,) = (race for race in RACES if race.__name__ == name)
    async with aiohttp.ClientSession() as http:
        world = World(raced, http)
        faults = await asyncio.gather(
            *(run(world, bridge, race, kind, TRIES) for kind in RACES[race])
        )
        await world.close()
    assert dict(zip(RACES[race], faults, strict=True)) == {kind: [] for kind in RACES[race]}
