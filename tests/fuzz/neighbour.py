"""Two well-behaved members of the room: how long they wait for one another, and what they see."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from fuzz.payloads import ROOM
from harmonic_protocol.catalogue import EVENTS
from harness.client import Client
from harness.world import World

#: Below the guard of a connection.
UPDATES_PER_S = 25
#: What does not come by then never will.
PATIENCE_S = 10.0
#: Values that differ from one update to the next.
_STEPS = 10_000


class _Timed(Client):
    """Notes when each of the neighbours' own updates is heard."""

    def __init__(self, user: str) -> None:
        super().__init__(user)
        self.at_s: dict[float, float] = {}

    async def _hear(self, event: str, *args: Any) -> None:
        match args:
            case [{"userId": "neighbour-1", "parameters": {"gravity": gravity}}, *_]:
                self.at_s.setdefault(gravity, time.perf_counter())
            case _:
                pass
        await super()._hear(event, *args)


class Neighbours:
    """One updates, and the other listens."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._speaker, self._listener = _Timed("neighbour-1"), _Timed("neighbour-2")
        self._number = 0
        self.seen: Counter[str] = Counter()
        self.unheard = 0
        self.malformed: list[str] = []

    async def come(self) -> None:
        """Enter the room."""
        await self._world.universe("neighbour-1", id=ROOM, maxParticipants=1000)
        for client in (self._speaker, self._listener):
            await client.connect(self._world.stack.urls[0], self._world.token(client.user))
            await client.joins(ROOM)

    async def go(self) -> None:
        """Leave."""
        for client in (self._speaker, self._listener):
            await client.close()

    async def talk(self, until: asyncio.Event, least: int) -> list[float]:
        """Update at a steady pace; seconds from each update until the other heard of it.

        What was not heard in the end counts as heard then, and as ``unheard``.
        """
        said: dict[float, float] = {}
        while not until.is_set() or len(said) < least:
            self._number += 1
            gravity = self._number % _STEPS / 1000
            said[gravity] = time.perf_counter()
            self._listener.at_s.pop(gravity, None)
            await self._speaker.says(
                "update_physics", universeId=ROOM, parameters={"gravity": gravity}
            )
            await asyncio.sleep(1 / UPDATES_PER_S)
        heard = self._listener.at_s
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not said.keys() <= heard.keys():  # noqa: ASYNC110 -- by value
                    await asyncio.sleep(0.01)
        self.unheard += len(said.keys() - heard.keys())
        now_s = time.perf_counter()
        return [heard.get(gravity, now_s) - at_s for gravity, at_s in said.items()]

    def check(self) -> None:
        """Hold all that was heard so far against the declarations."""
        for client in (self._speaker, self._listener):
            heard, client.heard, client._read = client.heard, [], 0
            for event, data in heard:
                self.seen[event] += 1
                fault = _fault(event, data)
                if fault is not None:
                    self.malformed.append(f"{event}: {fault}: {data!r:.500}")


def _fault(event: str, data: Any) -> str | None:
    """What is wrong with an event, if anything is."""
    declared = EVENTS.get(event)
    if declared is None:
        return "not declared"
    try:
        read = declared.model_validate(data)
    except ValidationError as error:
        return str(error)
    return None if read.to_wire() == data else "fields that are not declared"
