"""``python -m load.returns``: what it costs, by process, that a client is lost and comes back."""

import asyncio
import resource
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

import uvloop

from harmonic_local.tokens import make_token
from harness.world import SECRET
from load.returning import ReturningClient
from load.servers import Ours, cpu_s, ours, quiet

ROUNDS = 5
ROOMS, ROOM_SIZE = 100, 10
MISSED = 5
#: Returns, and joins before, that are under way at a time.
AT_ONCE = 32
#: What a return of a million clients within the time that they try for is about.
MILLION, WITHIN_S = 1_000_000, 35
#: Longer than a round takes: nobody leaves for good.
SETTINGS = {"HARMONIC_DEPARTURE_GRACE_S": "60"}


@dataclass(frozen=True)
class Round:
    """Microseconds of each process, by what is done, for one client."""

    losses: Mapping[str, float]
    returns: Mapping[str, float]


class Room:
    """A room with one who may stay, and the others."""

    def __init__(self, universe: str, number: int) -> None:
        self._universe = universe
        self._heard = asyncio.Event()
        self._number = 0
        self.clients = [self._client(f"user-{number}-{seat}") for seat in range(ROOM_SIZE)]

    def _client(self, user: str) -> ReturningClient:
        return ReturningClient(
            make_token(SECRET, user), self._universe, hear=lambda _name, _data: self._heard.set()
        )

    async def update(self, times: int) -> None:
        """Have the one who stayed write, each time when it has heard what it wrote."""
        for _ in range(times):
            self._number += 1
            self._heard.clear()
            parameters = {"gravity": self._number % 200 / 10}
            self.clients[0].emit(
                "update_physics", {"universeId": self._universe, "parameters": parameters}
            )
            await self._heard.wait()


async def measure(server: Ours, rooms: list[Room], *, stays: bool) -> Round:
    """Lose clients, all but one of each room if it ``stays`` and writes meanwhile; and back."""
    clients = [client for room in rooms for client in room.clients[int(stays) :]]
    await quiet([server])
    before = cpu_s(server)
    for client in clients:
        client.cut()
    await quiet([server])
    losses = _each(before, cpu_s(server), len(clients))
    if stays:
        await asyncio.gather(*(room.update(MISSED) for room in rooms))
    await quiet([server])
    before = cpu_s(server)
    await _at_once(clients, lambda client: client.come_back(server.port))
    await quiet([server])
    assert all(client.recovered for client in clients)
    return Round(losses, _each(before, cpu_s(server), len(clients)))


async def _at_once(
    clients: Iterable[ReturningClient], work: Callable[[ReturningClient], Awaitable[object]]
) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(client: ReturningClient) -> None:
        async with free:
            await work(client)

    await asyncio.gather(*map(one, clients))


def _each(
    before: Mapping[str, float], after: Mapping[str, float], count: int
) -> Mapping[str, float]:
    return {name: (after[name] - before[name]) / count * 1e6 for name in before}


def rows(what: str, seen: Iterable[Mapping[str, float]]) -> list[str]:
    """A line for each process: the median and the spread, and the cores for a million."""
    found = list(seen)
    lines = []
    for name in found[0]:
        values = [each[name] for each in found]
        cores = median(values) / 1e6 * MILLION / WITHIN_S
        spread = f"{median(values):.0f} ({min(values):.0f} to {max(values):.0f})"
        lines.append(f"| {what} | {name} | {spread} | {cores:.1f} |")
    return lines


async def main() -> None:
    """Measure, and print the table."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with ours(**SETTINGS) as server:
        universes = await server.universes(ROOMS)
        rooms = [Room(universe, number) for number, universe in enumerate(universes)]
        seats = [room.clients[seat] for seat in range(ROOM_SIZE) for room in rooms]
        await _at_once(seats, lambda client: client.join(server.port))
        staying = [await measure(server, rooms, stays=True) for _ in range(ROUNDS)]
        empty = [await measure(server, rooms, stays=False) for _ in range(ROUNDS)]
    lines = [
        f"| µs of CPU for each | process | median (least to most) | {WITHIN_S} s need cores |",
        "|---|---|---|---|",
        *rows("loss", (each.losses for each in (*staying, *empty))),
        *rows(f"return, {MISSED} events missed", (each.returns for each in staying)),
        *rows("return to a room nobody was in", (each.returns for each in empty)),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
