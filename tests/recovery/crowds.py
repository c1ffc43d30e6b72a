"""Crowds of light clients: cut off for seconds at random, and left alone by their only gateway."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from harmonic_local.processes import Managed
from harmonic_local.stack import Stack
from harness.world import World, started
from load.returning import ReturningClient
from recovery.checker import Sent, Stay, Verdict, check
from recovery.scene import REPLAYED, read_logs
from recovery.writers import Writer

#: Connections that are being made at a time in the beginning.
CONNECTING = 32
SAMPLE_S = 0.25
POLL_S = 0.1
#: What is left to come when everybody stays has come by then.
CALM_TIMEOUT_S = 60.0


class Crowd:
    """Clients in rooms of one size, each with what it was sent."""

    def __init__(self, world: World, rooms: int, room_size: int) -> None:
        self.world = world
        self.universes: list[str] = []
        self.clients: list[ReturningClient] = []
        self.stays: list[Stay] = []
        self.lost: dict[ReturningClient, float] = {}
        self._rooms, self._room_size = rooms, room_size

    async def come(self, ports: Sequence[int]) -> None:
        """Let all come in, one into each room and then the next into each."""
        size = self._room_size
        new = (self.world.universe(maxParticipants=2 * size) for _ in range(self._rooms))
        self.universes = list(await asyncio.gather(*new))
        free = asyncio.Semaphore(CONNECTING)

        async def enter(number: int, universe: str) -> None:
            async with free:
                client = self._client(universe)
                await client.join(ports[number % len(ports)])

        async with asyncio.TaskGroup() as group:
            for number in range(size * len(self.universes)):
                universe = self.universes[number % len(self.universes)]
                group.create_task(enter(number, universe))

    def _client(self, universe: str) -> ReturningClient:
        user = self.world.name("user")
        stay = Stay(user, universe, after_seq=0)

        def hear(name: str, fields: dict[str, object]) -> None:
            if name in REPLAYED:
                stay.frames.append(Sent(fields["seq"], name, fields["timestamp"]))  # type: ignore[arg-type]

        client = ReturningClient(
            self.world.token(user), universe, hear=hear, on_lost=self._note_loss
        )
        self.clients.append(client)
        self.stays.append(stay)
        return client

    def _note_loss(self, client: ReturningClient) -> None:
        self.lost[client] = time.monotonic()

    async def judge(self) -> Verdict:
        """Hold what all were sent against the logs, once all have the last frame."""
        logs = await read_logs(self.world.stack, self.universes)
        ends = {name: log[-1].seq if log else 0 for name, log in logs.items()}
        async with asyncio.timeout(CALM_TIMEOUT_S):
            while True:
                if all(_last_seq(stay) >= ends[stay.universe] for stay in self.stays):
                    break
                await asyncio.sleep(POLL_S)
        for client, stay in zip(self.clients, self.stays, strict=True):
            stay.after_seq = client.joined_seq
        return check(logs, self.stays)

    def leave(self) -> None:
        """Let all go."""
        for client in self.clients:
            client.leave()


def _last_seq(stay: Stay) -> int:
    return stay.frames[-1].seq if stay.frames else 0


@asynccontextmanager
async def crowd(
    directory: Path, *, gateways: int, rooms: int, room_size: int
) -> AsyncIterator[Crowd]:
    """A crowd that has come in, in a product of its own."""
    async with (
        started(directory, gateways=gateways, musics=0) as stack,
        aiohttp.ClientSession() as http,
    ):
        everybody = Crowd(World(stack, http), rooms, room_size)
        try:
            await everybody.come(stack.gateway_ports)
            yield everybody
        finally:
            everybody.leave()
            # Nobody is interested in how it would say goodbye to thousands.
            for process in stack.processes:
                process.kill()


@dataclass
class Jitter:
    """What became of clients that were cut off for seconds at random."""

    clients: int
    catch_ups_s: list[float] = field(default_factory=list)
    not_recovered: int = 0
    failures: int = 0
    verdict: Verdict = field(default_factory=Verdict)


async def jitter(
    everybody: Crowd, *, duration_s: float, stay_s: float, away_s: float, updates_per_s: float
) -> Jitter:
    """Cut every client off again and again, each for a random time of its own."""
    found = Jitter(len(everybody.clients))
    ports = everybody.world.stack.gateway_ports
    chance = random.Random(1)
    ends_at = time.monotonic() + duration_s
    over = asyncio.Event()

    async def live(client: ReturningClient) -> None:
        while True:
            await asyncio.sleep(chance.uniform(0, 2 * stay_s))
            if time.monotonic() > ends_at:
                return
            client.cut()
            await asyncio.sleep(chance.uniform(0, 2 * away_s))
            began_at = time.monotonic()
            while True:
                try:
                    await client.come_back(chance.choice(ports))
                    break
                except OSError:
                    found.failures += 1
            found.catch_ups_s.append(time.monotonic() - began_at)
            found.not_recovered += not client.recovered

    rate = updates_per_s / len(everybody.universes)
    writers = [
        Writer(everybody.world, universe, (number % len(ports),), updates_per_s=rate, music=False)
        for number, universe in enumerate(everybody.universes)
    ]
    async with asyncio.TaskGroup() as group:
        writing = [group.create_task(writer.write(over)) for writer in writers]
        async with asyncio.TaskGroup() as living:
            for client in everybody.clients:
                living.create_task(live(client))
        over.set()
        await asyncio.gather(*writing)
    found.verdict = await everybody.judge()
    return found


@dataclass
class Restart:
    """What became of a crowd whose only gateway was restarted, and of the processes.

    ``ways_back_s`` are from each client's loss on; ``peak_cores`` and ``peak_mib`` by process.
    """

    clients: int
    gave_up: int
    not_recovered: int
    ways_back_s: list[float]
    attempts: Counter[int]
    peak_cores: dict[str, float]
    peak_mib: dict[str, float]
    stopped_in_s: float


async def restart(everybody: Crowd) -> Restart:
    """Stop the only gateway, and start it again."""
    stack = everybody.world.stack
    (port,) = stack.gateway_ports
    (gateway,) = stack.gateways
    before = Counter({client: client.attempts for client in everybody.clients})
    ways_back_s: list[float] = []

    async def come_back(client: ReturningClient) -> bool:
        await client.gone.wait()
        is_back = await client.keep_trying(port)
        ways_back_s.append(time.monotonic() - everybody.lost[client])
        return is_back

    watch = _Watch(stack)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch.look())
        coming = [group.create_task(come_back(client)) for client in everybody.clients]
        began_at = time.monotonic()
        await gateway.stop()
        stopped_in_s = time.monotonic() - began_at
        await gateway.start()
        came = await asyncio.gather(*coming)
        watching.cancel()
    return Restart(
        clients=len(everybody.clients),
        gave_up=came.count(False),
        not_recovered=sum(not client.recovered for client in everybody.clients),
        ways_back_s=ways_back_s,
        attempts=Counter(client.attempts - before[client] for client in everybody.clients),
        peak_cores=watch.peak_cores,
        peak_mib=watch.peak_mib,
        stopped_in_s=stopped_in_s,
    )


class _Watch:
    """The most that each process takes, of a core's time and of memory."""

    def __init__(self, stack: Stack) -> None:
        self._processes: dict[str, Managed] = {
            "gateway": stack.gateways[0],
            "state": stack.states[0],
            "nats": stack.brokers[0],
        }
        self.peak_cores: dict[str, float] = dict.fromkeys(self._processes, 0.0)
        self.peak_mib: dict[str, float] = dict.fromkeys(self._processes, 0.0)

    async def look(self) -> None:
        """Look again and again, for ever."""
        used: dict[tuple[str, int], float] = {}
        while True:
            for name, process in self._processes.items():
                try:
                    seen = psutil.Process(process.pid)
                    times, memory = seen.cpu_times(), seen.memory_info()
                except psutil.Error:
                    continue
                now = times.user + times.system
                key = (name, process.pid)
                cores = (now - used.get(key, now)) / SAMPLE_S
                used[key] = now
                self.peak_cores[name] = max(self.peak_cores[name], cores)
                self.peak_mib[name] = max(self.peak_mib[name], memory.rss / 2**20)
            await asyncio.sleep(SAMPLE_S)
