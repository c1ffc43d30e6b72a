"""What is measured: fixed work for both servers in turn, round by round."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field

from load.crowd import Crowd, gathered
from load.servers import Server, cpu_s, memory_bytes, ours, plain, quiet

#: An unmeasured part of the work beforehand, so that nothing is done for the first time.
WARM_UP_PART = 0.2


@dataclass(frozen=True)
class Updates:
    """Work: ``updates`` in each of so many rooms, each heard by all of the room."""

    rooms: int
    room_size: int
    updates: int


@dataclass(frozen=True)
class Idle:
    """Work: connections that come, join and then say nothing for ``settle_s``."""

    connections: int
    room_size: int
    settle_s: float


@dataclass
class Samples:
    """A quantity as it was seen, by server, a value a round."""

    seen: dict[str, list[float]] = field(default_factory=dict)

    def add(self, server: Server, value: float) -> None:
        """One more round's value."""
        self.seen.setdefault(server.name, []).append(value)


@dataclass
class UpdatesSeen:
    """What updates cost: deliveries per CPU-second of the gateway, microseconds by process."""

    deliveries_per_cpu_s: Samples = field(default_factory=Samples)
    update_us: dict[str, Samples] = field(default_factory=dict)


@dataclass
class IdleSeen:
    """What connections cost: memory of the gateway, microseconds to come in by process.

    And milliseconds of CPU a second of all processes, with nobody connected and with all of them.
    """

    connection_kib: Samples = field(default_factory=Samples)
    join_us: dict[str, Samples] = field(default_factory=dict)
    empty_ms_per_s: Samples = field(default_factory=Samples)
    idle_ms_per_s: Samples = field(default_factory=Samples)


async def measure_updates(servers: list[Server], work: Updates, rounds: int) -> UpdatesSeen:
    """Have rooms of one size updated, at a moderate rate: one update at a time in each."""
    seen = UpdatesSeen()
    count = work.rooms * work.updates
    async with AsyncExitStack() as leaving:
        crowds: list[tuple[Server, Crowd]] = []
        for server in servers:
            universes = await server.universes(work.rooms)
            gathering = gathered(server.port, universes, work.room_size)
            crowds.append((server, await leaving.enter_async_context(gathering)))
        for _, crowd in crowds:
            await crowd.update(max(1, int(work.updates * WARM_UP_PART)))
        await quiet(servers)
        for _ in range(rounds):
            for server, crowd in crowds:
                before = cpu_s(server)
                await crowd.update(work.updates)
                used = used_s(before, cpu_s(server))
                deliveries = count * work.room_size
                seen.deliveries_per_cpu_s.add(server, deliveries / used["gateway"])
                add_each(seen.update_us, server, used, count)
    await quiet(servers)
    return seen


Starting = Callable[[], AbstractAsyncContextManager[Server]]


async def measure_idle(
    work: Idle, rounds: int, starting: Sequence[Starting] = (ours, plain)
) -> IdleSeen:
    """Let many come in, to fresh processes each round, since freed memory is used again."""
    seen = IdleSeen()
    for number in range(rounds):
        async with AsyncExitStack() as leaving:
            servers = [await leaving.enter_async_context(start()) for start in starting]
            before: dict[str, int] = {}
            universes = {
                server.name: await server.universes(work.connections // work.room_size)
                for server in servers
            }
            await quiet(servers)
            await _add_rest(seen.empty_ms_per_s, servers, work.settle_s)
            for server in servers if number % 2 == 0 else servers[::-1]:
                before[server.name] = memory_bytes(server)
                cpu_before = cpu_s(server)
                gathering = gathered(server.port, universes[server.name], work.room_size)
                await leaving.enter_async_context(gathering)
                add_each(seen.join_us, server, used_s(cpu_before, cpu_s(server)), work.connections)
            await _add_rest(seen.idle_ms_per_s, servers, work.settle_s)
            for server in servers:
                grown = memory_bytes(server) - before[server.name]
                seen.connection_kib.add(server, grown / work.connections / 1024)
    return seen


async def _add_rest(samples: Samples, servers: Sequence[Server], seconds: float) -> None:
    before = {server.name: sum(cpu_s(server).values()) for server in servers}
    await asyncio.sleep(seconds)
    for server in servers:
        used = sum(cpu_s(server).values()) - before[server.name]
        samples.add(server, 1000 * used / seconds)


def used_s(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """The CPU time that each process used between two readings."""
    return {name: after[name] - before[name] for name in before}


def add_each(
    samples: dict[str, Samples], server: Server, used: Mapping[str, float], count: int
) -> None:
    """Add a round's microseconds for each of ``count``, by process and of all."""
    for name, cpu in (*used.items(), ("all", sum(used.values()))):
        samples.setdefault(name, Samples()).add(server, cpu / count * 1e6)
