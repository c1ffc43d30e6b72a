"""People who use a product as applications do, with the Python client of `shared/client-python`."""

from contextlib import AsyncExitStack

from harmonic_client import Client, SharedUniverse, connect
from harness.client import PATIENCE_S
from harness.world import World


class People:
    """People with clients of their own, in one universe that anyone may edit.

    For tests of what people see. What is sent, when and how often, is the client's business:
    a test of that talks through :class:`harness.client.Client`.
    """

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
