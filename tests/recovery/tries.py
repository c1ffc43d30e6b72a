"""One try of a race: a user's clients of one kind, and somebody else in their room."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

from harmonic_local.stack import Stack
from harness.client import Client
from harness.javascript import Bridge
from harness.world import World, started
from recovery.visitors import Visitor, visitor

#: The product's pings, in seconds: quick, but not so quick that a busy machine misses them.
PING_INTERVAL_S, PING_TIMEOUT_S = 3, 3
#: A half-open connection is known to be broken after a ping timeout and a second; and some more.
PATIENCE_S = PING_TIMEOUT_S + 4.0
#: How long a participant stays whose transport broke.
GRACE_S = 2.0
#: How long a command may take from its arrival on.
DEADLINE_S = 1.0


def product(directory: Path, gateways: int) -> AbstractAsyncContextManager[Stack]:
    """The product that clients race in."""
    return started(
        directory,
        gateways=gateways,
        musics=0,
        HARMONIC_PING_INTERVAL_S=str(PING_INTERVAL_S),
        HARMONIC_PING_TIMEOUT_S=str(PING_TIMEOUT_S),
        HARMONIC_DEPARTURE_GRACE_S=str(GRACE_S),
        HARMONIC_REQUEST_TIMEOUT_S=str(DEADLINE_S),
        HARMONIC_ALLOWED_ORIGINS="*",
    )


class Try:
    """A user's clients of one kind, and somebody else who changes the room.

    ``barrier`` is passed by all tries at once that are under way at the same time.
    """

    def __init__(
        self,
        world: World,
        bridge: Bridge,
        kind: str,
        chance: random.Random,
        *,
        barrier: asyncio.Barrier,
        stack: AsyncExitStack,
    ) -> None:
        self.world = world
        self.chance = chance
        self.barrier = barrier
        self.user = world.name("user")
        self.gravity = 0
        self._bridge = bridge
        self._kind = kind
        self._stack = stack

    async def client(self) -> Visitor:
        """A client of the user that has not come yet."""
        made = visitor(self.world, self._bridge, self._kind, self.user)
        return await self._stack.enter_async_context(made)

    async def owner(self, universe: str) -> Client:
        """The universe's owner, in the room, on the last gateway."""
        owner = await self.world.client("owner", gateway=-1)
        self._stack.push_async_callback(owner.close)
        await owner.joins(universe)
        return owner

    async def enters(self, **settings: Any) -> tuple[Visitor, str, Client]:
        """A client in a room, the room, and the other one there."""
        universe = await self.world.universe(**settings)
        if settings:
            await self.lets_in(universe, self.user)
        other = await self.owner(universe)
        client = await self.client()
        await client.comes()
        await client.joins(universe)
        return client, universe, other

    async def lets_in(self, universe: str, user: str) -> None:
        """Make a user a member."""
        path = f"/universes/{universe}/members/{user}"
        await self.world.call("PUT", path, "owner", {"role": "edit"})

    async def changes(self, other: Client, universe: str) -> int:
        """Something happens in the room: the value that it is known by."""
        self.gravity += 1
        changed = {"gravity": self.gravity}
        answer = await other.asks("update_physics", universeId=universe, parameters=changed)
        assert answer["ok"], answer
        return self.gravity

    async def comes_true(self, client: Visitor, holds: Callable[[], bool]) -> bool:
        """Whether something holds of what a client has heard, in time, in whatever order.

        The synchronous client hands each event to a thread of its own.
        """
        news = client.listener._news
        try:
            async with asyncio.timeout(PATIENCE_S), news:
                await news.wait_for(holds)
        except TimeoutError:
            return False
        return True


#: Tries once: what went wrong, if anything did.
Attempt = Callable[[Try], Awaitable[str | None]]


def heard(client: Visitor, since: int, event: str, universe: str) -> bool:
    """Whether a client heard an event of a universe after the first ``since`` things it heard."""
    return any(
        name == event and data["universeId"] == universe
        for name, data in client.listener.heard[since:]
    )
