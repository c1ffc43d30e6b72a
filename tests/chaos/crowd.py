"""Many users at once, each over a connection of its own, and what each of them hears."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

import aiohttp

from chaos.light import LightClient
from harness.world import World

#: So many connect, or ask for something, at the same time: a machine has only so many cores.
AT_ONCE = 50

T = TypeVar("T")


def http_session() -> aiohttp.ClientSession:
    """Without a bound on connections."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


class Person:
    """A user over one connection, with all that it heard and when."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.heard: list[tuple[float, str, Any]] = []
        self.client: LightClient
        self._now = asyncio.get_running_loop().time

    async def enter(self, world: World, gateway: int) -> "Person":
        """Connect."""
        url, token = world.stack.urls[gateway], world.token(self.user)
        self.client = await LightClient.connect(world.http, url, token, self._hear)
        return self

    async def join(self, universe: str, mode: str = "edit") -> None:
        """Join a room, which must be possible."""
        answer = await self.client.ask("join_room", universeId=universe, mode=mode)
        assert answer is not None, (self.user, universe)
        assert answer["ok"], answer

    def events(self, *names: str) -> list[Any]:
        """What was heard under these names."""
        return [data for _, name, data in self.heard if name in names]

    def participants(self, universe: str) -> set[str]:
        """Who is in a room, by what this member was told."""
        present: set[str] = set()
        for _, name, data in self.heard:
            if not isinstance(data, dict) or data.get("universeId") != universe:
                continue
            match name:
                case "room_joined":
                    present = {participant["userId"] for participant in data["participants"]}
                case "participant_joined":
                    present.add(data["participant"]["userId"])
                case "participant_left":
                    present.discard(data["userId"])
                case _:
                    pass
        return present

    def _hear(self, name: str, data: Any) -> None:
        self.heard.append((self._now(), name, data))


async def together(work: Iterable[Awaitable[T]]) -> list[T]:
    """Do all of it, so much at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(item: Awaitable[T]) -> T:
        async with turn:
            return await item

    return await asyncio.gather(*(one(item) for item in work))


async def leave(people: Iterable[Person]) -> None:
    """All disconnect."""
    await together(person.client.close() for person in people)
