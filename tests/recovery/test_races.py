"""The races of ``recovery.races``, a few tries of each: the campaign makes hundreds."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from harness.javascript import Bridge, javascript
from harness.world import World
from recovery.races import RACES, Race, run
from recovery.tries import product

TRIES = 3


@pytest.fixture(scope="module")
async def bridge() -> AsyncIterator[Bridge]:
    async with javascript() as running:
        yield running


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
async def test_no_race_goes_wrong(tmp_path: Path, bridge: Bridge, race: Race) -> None:
    async with (
        product(tmp_path / "stack", race.gateways) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        at_once = asyncio.Semaphore(1 if race.disruptive else len(race.kinds))

        async def runs(kind: str) -> list[str]:
            async with at_once:
                return await run(world, bridge, race, kind, TRIES)

        faults = await asyncio.gather(*map(runs, race.kinds))
        await world.close()
    assert dict(zip(race.kinds, faults, strict=True)) == {kind: [] for kind in race.kinds}
