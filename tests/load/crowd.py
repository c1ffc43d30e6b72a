"""Many clients in rooms, all in this process: the servers are others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex

from harmonic_local.tokens import make_token
from harness.world import SECRET
from load.client import Failed, LoadClient

#: Connections that are being made at a time.
CONNECTING = 32
#: Updates take milliseconds; whatever takes so long has been lost.
UPDATES_TIMEOUT_S = 60.0
LEAVE_TIMEOUT_S = 30.0


class Room:
    """A room whose members write in turn; the next one when all have heard the one before.

    So exactly one update is under way in it, and none can be stored together with another.
    """

    def __init__(self, universe: str) -> None:
        self.universe = universe
        self.members: list[LoadClient] = []
        self._turn = 0
        self._unheard = 0
        self._left = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def member(self, token: str) -> LoadClient:
        """A new member, which is still to join."""
        client = LoadClient(token, self.universe, self.heard)
        self.members.append(client)
        return client

    async def update(self, times: int) -> None:
        """Have so many updates made, and heard by every member."""
        self._done = asyncio.get_running_loop().create_future()
        self._left = times
        self._next()
        losses = [member.failed for member in self.members]
        async with asyncio.timeout(UPDATES_TIMEOUT_S):
            await asyncio.wait({self._done, *losses}, return_when=asyncio.FIRST_COMPLETED)
        for future in losses:
            if future.done():
                future.result()
        self._done.result()

    def heard(self) -> None:
        """A member heard an update."""
        self._unheard -= 1
        if self._unheard < 0:
            raise Failed(f"{self.universe} heard more than was said")
        if self._unheard == 0:
            self._next()

    def _next(self) -> None:
        if self._left == 0:
            self._done.set_result(None)
            return
        self._left -= 1
        self._unheard = len(self.members)
        writer = self.members[self._turn % len(self.members)]
        self._turn += 1
        parameters = {
            "gravity": self._turn % 200 / 10,
            "friction": 0.5,
            "elasticity": 0.7,
            "airResistance": 0.1,
            "timeScale": 1.0,
        }
        writer.emit("update_physics", {"universeId": self.universe, "parameters": parameters})


class Crowd:
    """Clients that are connected to one server, spread over rooms of one size.

    A room's members come to the server's ports in turn.
    """

    def __init__(self, ports: Sequence[int], rooms: Sequence[Room], room_size: int) -> None:
        self.rooms = rooms
        self._ports = ports
        self._room_size = room_size
        run = token_hex(4)
        # Users of their own each time: limits count by user.
        self._tokens = [
            make_token(SECRET, f"user-{run}-{number}") for number in range(room_size * len(rooms))
        ]

    async def join(self) -> None:
        """Let all come in, one into each room and then the next into each."""
        free = asyncio.Semaphore(CONNECTING)

        async def come(room: Room, port: int) -> None:
            async with free:
                await room.member(self._tokens.pop()).join(port)

        async with asyncio.TaskGroup() as coming:
            for number in range(self._room_size):
                for room in self.rooms:
                    coming.create_task(come(room, self._ports[number % len(self._ports)]))

    async def update(self, times: int) -> None:
        """Have so many updates made in each room, all rooms at once."""
        async with asyncio.TaskGroup() as updating:
            for room in self.rooms:
                updating.create_task(room.update(times))

    async def leave(self) -> None:
        """Let all go."""
        members = [member for room in self.rooms for member in room.members]
        for member in members:
            member.leave()
        async with asyncio.timeout(LEAVE_TIMEOUT_S):
            for member in members:
                await member.gone.wait()


@asynccontextmanager
async def gathered(port: int, universes: list[str], room_size: int) -> AsyncIterator[Crowd]:
    """A crowd that has come in, and leaves at the end."""
    crowd = Crowd((port,), [Room(universe) for universe in universes], room_size)
    async with present(crowd):
        yield crowd


@asynccontextmanager
async def present(crowd: Crowd) -> AsyncIterator[None]:
    """Let a crowd come in, and leave at the end."""
    try:
        await crowd.join()
        yield
    finally:
        await crowd.leave()
