"""Visitors with the official JavaScript clients, who say what the protocol guide says."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from harness.javascript import VERSIONS, Bridge, JavascriptClient, javascript
from harness.world import World

GUIDE = Path(__file__).with_name("guide")
#: The data of each event as the guide shows it.
EXAMPLES: dict[str, dict[str, Any]] = json.loads((GUIDE / "events.json").read_text())

#: Code for behind a snippet: prints what opened the connection, and promises its upgrade.
WATCH_TRANSPORTS = """
socket.upgraded = new Promise(resolve => {
  socket.io.on('open', () => {
    console.log('opened by', socket.io.engine.transport.name);
    socket.io.engine.on('upgrade', resolve);
  });
});
"""


class Visitors:
    """JavaScript clients of one version in one universe, ``universe``."""

    def __init__(self, world: World, bridge: Bridge, version: str, universe: str) -> None:
        self.world = world
        self.version = version
        self.universe = universe
        self._bridge = bridge
        self._clients: list[JavascriptClient] = []

    def snippet(self, name: str, *, token: str = "", gateway: int = 0) -> str:
        """The guide's snippet, with what it holds places for."""
        return (
            (GUIDE / f"{name}.js")
            .read_text()
            .replace("wss://yourdomain.com", self.world.stack.urls[gateway])
            .replace("your-jwt-token", token)
            .replace("universe-123", self.universe)
        )

    def snippet_with_token(self, name: str, user: str) -> str:
        """A snippet that shows options only, with a token among them."""
        query = f"query: {{ token: '{self.world.token(user)}' }},"
        return self.snippet(name).replace("{\n", f"{{\n  {query}\n", 1)

    async def opens(self, user: str, code: str) -> JavascriptClient:
        """A client whose socket is what ``code`` declares."""
        client = self._bridge.client(user, self.version)
        self._clients.append(client)
        await client.opens(code)
        return client

    async def connects(
        self, user: str, *, gateway: int = 0, token: str | None = None
    ) -> JavascriptClient:
        """A client that connects as the guide's snippet does."""
        token = self.world.token(user, name=f"{user}'s name") if token is None else token
        code = self.snippet("authentication", token=token, gateway=gateway)
        return await self.opens(user, code)

    async def says(self, client: JavascriptClient, name: str) -> None:
        """Run one of the guide's snippets for a client."""
        await client.runs(self.snippet(name))

    async def joins(self, user: str, *, gateway: int = 0) -> JavascriptClient:
        """A client that connected and joined the room as the guide's snippets do."""
        client = await self.connects(user, gateway=gateway)
        await self.says(client, "join_room")
        await client.hears("room_joined")
        return client

    async def together(self) -> tuple[JavascriptClient, JavascriptClient]:
        """Ann and Ben in the room, each on a gateway of their own."""
        ann = await self.joins("ann", gateway=0)
        ben = await self.joins("ben", gateway=1)
        await ann.hears("participant_joined", universeId=self.universe)
        return ann, ben

    async def close(self) -> None:
        """Close all clients."""
        for client in self._clients:
            await client.runs("socket?.close();")


def shows(heard: Any, example: Any) -> bool:
    """Whether what was heard has every field of the guide's example, with values of their kind."""
    match example:
        case dict():
            return isinstance(heard, dict) and all(
                name in heard and shows(heard[name], value) for name, value in example.items()
            )
        case list():
            return isinstance(heard, list) and all(
                shows(item, kind) for kind in example[:1] for item in heard
            )
        case float() | int():
            return isinstance(heard, int | float) and not isinstance(heard, bool)
        case _:
            return isinstance(heard, type(example))


@pytest.fixture(scope="session")
async def bridge() -> AsyncIterator[Bridge]:
    async with javascript() as running:
        yield running


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """A version of the official client."""
    return str(request.param)


@pytest.fixture
async def visitors(world: World, bridge: Bridge, version: str) -> AsyncIterator[Visitors]:
    """Visitors of a universe that anyone may edit."""
    group = Visitors(world, bridge, version, await world.universe())
    yield group
    await group.close()
