"""How many series a gateway shows does not depend on who uses it."""

import asyncio
from pathlib import Path

import aiohttp

from harness.world import World, started
from load.crowd import gathered
from operate.series import Scrape, scrape

#: What a gateway may show, of all kinds.
MAX_SERIES = 400
FEW, MANY = (3, 3), (300, 4)


async def shown_after(world: World, universes: int, members: int) -> Scrape:
    """What the gateway shows after so many universes were used by so many users each."""
    ids = await asyncio.gather(*(world.universe() for _ in range(universes)))
    port = int(world.stack.urls[0].rpartition(":")[2])
    async with gathered(port, ids, members) as crowd:
        await crowd.update(1)
        return await scrape(world.http, world.stack.ops_urls["gateway-1"])


async def test_a_thousand_users_in_hundreds_of_universes_add_no_series(tmp_path: Path) -> None:
    async with (
        started(tmp_path / "stack", gateways=1, musics=0) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        few = await shown_after(world, *FEW)
        many = await shown_after(world, *MANY)
        await world.close()

    assert many.value("harmonic_connections") >= 1000
    assert many.values.keys() == few.values.keys()
    assert len(many.values) <= MAX_SERIES
