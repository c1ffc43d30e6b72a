"""People with the Python client, in a product with two gateways."""

from collections.abc import AsyncIterator

import pytest

from harness.people import People
from harness.world import World


@pytest.fixture
async def people(world: World) -> AsyncIterator[People]:
    group = People(world, await world.universe())
    yield group
    await group.go()
