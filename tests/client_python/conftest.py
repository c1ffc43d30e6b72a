"""People with the Python client, in a product with two gateways."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import pytest

from harmonic_client import Client, SharedUniverse, connect
from harness.client import PATIENCE_S
from harness.world import World

#: Opens a client of a user at a gateway, for as long as the test runs.
Opens = Callable[..., AbstractAsyncContextManager[Client]]


class People:
    """People with clients of their own, in one universe that anyone may edit."""

    def __init__(self, world: World, universe: str) -> None:
        self.world = world
        self.universe = universe
        self._open = AsyncExitStack()

    async def client(
        self, user: str, gateway: int = 0, *, url: str = "", patience_s: float = PATIENCE_S
    ) -> Client:
        """A connected client."""
        opened = connect(
            url or self.world.stack.urls[gateway],
            lambda: self.world.token(user),
            patience_s=patience_s,
        )
        return await self._open.enter_async_context(opened)

    async def joins(
        self, user: str, gateway: int = 0, *, url: str = ""
    ) -> tuple[Client, SharedUniverse]:
        """A client in the universe."""
        client = await self.client(user, gateway, url=url)
        return client, await client.join(self.universe)

    async def go(self) -> None:
        """Close all clients."""
        await self._open.aclose()


@pytest.fixture
async def people(world: World) -> AsyncIterator[People]:
    group = People(world, await world.universe())
    yield group
    await group.go()
