"""People who use the product: rooms in which parameters change, music is asked for, and clients
lose their connections and come back."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from socketio.exceptions import SocketIOError

from harness.client import Client, Silence
from harness.world import World

ROOMS, MEMBERS = 6, 4
#: From one update of a member to its next.
PACE_S = 2.0
#: Of a member's turns, these shares ask for music, and end in a lost connection.
MUSIC, CUT = 0.1, 0.05
#: Before a client that could not connect tries again.
AGAIN_S = 0.5
_FAILURES = (SocketIOError, aiohttp.ClientError, Silence, TimeoutError, OSError)


@dataclass
class Traffic:
    """The rooms, and what came of it so far."""

    universes: list[str]
    acknowledged: int = 0
    refused: int = 0
    returns: int = 0
    failures: int = 0
    is_over: bool = False
    chance: random.Random = field(default_factory=lambda: random.Random(1))


@asynccontextmanager
async def traffic(world: World) -> AsyncIterator[Traffic]:
    """Members who go on whatever happens, until the block ends."""
    seen = Traffic([await world.universe(owner=f"owner-{n}") for n in range(ROOMS)])
    members = [
        asyncio.create_task(_member(world, f"{universe}-{n}", universe, n, seen))
        for universe in seen.universes
        for n in range(MEMBERS)
    ]
    try:
        yield seen
    finally:
        # A call that fails in the turn in which it is cancelled passes that over.
        seen.is_over = True
        for member in members:
            member.cancel()
        await asyncio.gather(*members, return_exceptions=True)


async def _member(world: World, user: str, universe: str, number: int, seen: Traffic) -> None:
    """One person, who comes back until it is over."""
    gateway = number
    while not seen.is_over:
        client = Client(user, http=world.http)
        url = world.stack.urls[gateway % len(world.stack.urls)]
        try:
            await client.connect(url, world.token(user), comes_back=True)
            await _works(client, universe, seen)
            await client.vanishes()
            seen.returns += 1
        except _FAILURES:
            seen.failures += 1
            gateway += 1
            await client.close()
            await asyncio.sleep(AGAIN_S)


async def _works(client: Client, universe: str, seen: Traffic) -> None:
    """Change parameters and ask for music, until the connection is to be lost."""
    told = await client.hears("connect_success")
    if not told["recovered"]:
        await client.asks("join_room", universeId=universe, mode="edit")
    while True:
        await asyncio.sleep(PACE_S * seen.chance.uniform(0.5, 1.5))
        if client.gone.is_set():
            raise Silence("the connection was lost")
        wants = seen.chance.random()
        if wants < CUT:
            return
        if wants < CUT + MUSIC:
            answer = await client.asks("generate_music", universeId=universe, duration=8)
        else:
            gravity = seen.chance.uniform(0, 20)
            answer = await client.asks(
                "update_physics", universeId=universe, parameters={"gravity": gravity}
            )
        if answer["ok"]:
            seen.acknowledged += 1
        else:
            seen.refused += 1
