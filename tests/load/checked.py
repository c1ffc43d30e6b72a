"""Rooms in which any number of updates may be under way: each is acknowledged, and heard once."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence

from load.client import NAMESPACE, Failed, LoadClient
from load.crowd import UPDATES_TIMEOUT_S, Room

#: An update is known by the gravity that it sets, in thousandths. So many may be under way.
_NUMBERS = 20_000
_UPDATED = f'42{NAMESPACE},["physics_updated"'.encode()
_ACKNOWLEDGED = f"43{NAMESPACE},".encode()
_SEQ, _GRAVITY = b'"seq":', b'"gravity":'
_ENDS = b",}"


class CheckedClient(LoadClient):
    """A member that says which updates it hears and which of its own are acknowledged."""

    def __init__(
        self,
        token: str,
        universe: str,
        heard: Callable[[int], None],
        acknowledged: Callable[[], None],
    ) -> None:
        super().__init__(token, universe, lambda: None)
        self._heard = heard
        self._acknowledged = acknowledged
        self._seq: int | None = None

    def _packet(self, data: bytes, start: int, end: int) -> None:
        if data.startswith(_UPDATED, start):
            seq = int(_number(data, _SEQ, start, end))
            if self._seq is not None and seq != self._seq + 1:
                raise Failed(f"heard {seq} after {self._seq}")
            self._seq = seq
            self._heard(round(float(_number(data, _GRAVITY, start, end)) * 1000))
        elif data.startswith(_ACKNOWLEDGED, start):
            answer = json.loads(data[data.index(b"[", start) : end])[0]
            if answer["ok"] is not True:
                raise Failed(f"refused: {answer}")
            self._acknowledged()
        else:
            super()._packet(data, start, end)


def _number(data: bytes, name: bytes, start: int, end: int) -> bytes:
    """The number that follows a name."""
    begins = data.index(name, start, end) + len(name)
    ends = begins
    while data[ends] not in _ENDS:
        ends += 1
    return data[begins:ends]


class CheckedRoom(Room):
    """A room of members that write in turn, and how long it takes until all have heard it."""

    def __init__(self, universe: str) -> None:
        super().__init__(universe)
        self.latencies_s: list[float] = []
        self._loop = asyncio.get_running_loop()
        #: By the update's number: how many have still to hear it, and when it was sent.
        self._under_way: dict[int, tuple[int, float]] = {}
        self._unacknowledged = 0

    def member(self, token: str) -> LoadClient:
        client = CheckedClient(token, self.universe, self._heard, self._acknowledged)
        self.members.append(client)
        return client

    async def update(self, times: int) -> None:
        """Have so many updates made one after another, heard by every member and acknowledged."""
        self._left = times
        self.say()
        await self.settled()

    def say(self) -> None:
        """Have the next member write."""
        self._left -= 1
        number = self._turn = (self._turn + 1) % _NUMBERS
        if number in self._under_way:
            raise Failed(f"{_NUMBERS} updates are under way in {self.universe}")
        if self._done.done():
            self._done = self._loop.create_future()
        self._under_way[number] = (len(self.members), time.perf_counter())
        self._unacknowledged += 1
        parameters = {
            "gravity": number / 1000,
            "friction": 0.5,
            "elasticity": 0.7,
            "airResistance": 0.1,
            "timeScale": 1.0,
        }
        writer = self.members[number % len(self.members)]
        data = {"universeId": self.universe, "parameters": parameters}
        writer.emit("update_physics", data, ack_id=number)

    async def settled(self) -> None:
        """Wait until all that was said is heard and acknowledged; raise if something is lost."""
        if not self._under_way and not self._unacknowledged:
            return
        losses = [member.failed for member in self.members]
        async with asyncio.timeout(UPDATES_TIMEOUT_S):
            await asyncio.wait({self._done, *losses}, return_when=asyncio.FIRST_COMPLETED)
        for future in (*losses, self._done):
            if future.done():
                future.result()

    def _heard(self, number: int) -> None:
        unheard, said_at = self._under_way.get(number, (0, 0.0))
        if unheard == 0:
            raise Failed(f"{self.universe} heard more than was said")
        if unheard > 1:
            self._under_way[number] = (unheard - 1, said_at)
            return
        del self._under_way[number]
        self.latencies_s.append(time.perf_counter() - said_at)
        self._go_on()

    def _acknowledged(self) -> None:
        self._unacknowledged -= 1
        self._go_on()

    def _go_on(self) -> None:
        if self._under_way or self._unacknowledged:
            return
        if self._left > 0:
            self.say()
        elif not self._done.done():
            self._done.set_result(None)


async def in_turn(rooms: Sequence[CheckedRoom], times: int) -> None:
    """So many updates in each room, all rooms at once, in each the next when one is done."""
    async with asyncio.TaskGroup() as updating:
        for room in rooms:
            updating.create_task(room.update(times))


async def at_once(rooms: Sequence[CheckedRoom]) -> None:
    """An update of every member, all of them at once."""
    for room in rooms:
        for _member in room.members:
            room.say()
    await _settled(rooms)


async def at_rate(rooms: Sequence[CheckedRoom], per_s: float, seconds: float) -> None:
    """So many updates a second over all rooms in turn, whether earlier ones were heard or not."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    for number in range(round(per_s * seconds)):
        await asyncio.sleep(began_at + number / per_s - loop.time())
        rooms[number % len(rooms)].say()
    await _settled(rooms)


async def _settled(rooms: Sequence[CheckedRoom]) -> None:
    for room in rooms:
        await room.settled()
