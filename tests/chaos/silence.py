"""A stream's leader dies in the midst of a burst, and after that nobody says anything."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from chaos.campaign import staying
from chaos.checker import check
from chaos.cluster import LOG_STREAMS, Cluster, cluster_of
from chaos.history import History, LogRecord, Operation
from chaos.members import FIELDS, STEP, Member
from harmonic_local.stack import Stack
from harness.world import World

WRITERS = 8
UNIVERSES = 100
#: Rooms of one connection, as the gateways are set up for it.
ROOMS = 100
SETTINGS = {"HARMONIC_ROOMS_PER_CONNECTION": str(ROOMS)}
#: How long the burst goes on before the leader is killed.
BURST_S = (0.1, 0.5)
PAUSE_S = 0.002
#: What is stored counts as unseen after so long: it may just be on its way.
ON_ITS_WAY_S = 0.2
#: For at least so long it is looked for what is unseen, ...
LOOKING_S = 2.0
#: ... and for at most so long, if there is something.
GIVE_UP_S = 15.0


@dataclass(frozen=True)
class Silence:
    """How long after the new leader something stored was unseen; infinite if it remained so."""

    outage_s: float
    lag_s: float
    unseen: int


async def silences(stack: Stack, times: int, seed: int) -> tuple[list[Silence], list[str]]:
    """Kill leaders so often; what came of each, and the violations of what was recorded."""
    async with aiohttp.ClientSession() as http, cluster_of(stack) as cluster:
        world, history, chance = World(stack, http), History(), random.Random(seed)
        await cluster.healthy()
        names = await asyncio.gather(*(world.universe() for _ in range(UNIVERSES)))

        def member(user: str, number: int) -> Member:
            gateway = number % len(stack.gateways)
            return Member(
                user, gateway, names, mode="edit", stack=stack, http=http, history=history
            )

        writers = [member(f"writer-{number}", number) for number in range(WRITERS)]
        numbers, found = itertools.count(1), list[Silence]()
        async with staying(writers):
            for _ in range(times):
                found.append(
                    await _silence(stack, cluster, history, writers, names, chance, numbers)
                )
            logs = await cluster.logs()
            history.logs = {name: logs[name] for name in names}
            history.finals = [life.snapshot for life in history.lives]
            violations = [
                violation for violation in check(history) if not violation.startswith("finals")
            ]
        return found, violations


async def _silence(
    stack: Stack,
    cluster: Cluster,
    history: History,
    writers: Sequence[Member],
    names: Sequence[str],
    chance: random.Random,
    numbers: "itertools.count[int]",
) -> Silence:
    now = asyncio.get_running_loop().time
    victim = await cluster.leader(chance.choice(LOG_STREAMS))
    over = asyncio.Event()

    async def write(member: Member) -> None:
        underway = set()
        while not over.is_set():
            number = next(numbers)
            changes = {"physics": {"gravity": FIELDS["physics"]["gravity"] + number * STEP}}
            operation = Operation(member.user, chance.choice(names), f"op-{number}", changes)
            history.operations.append(operation)
            underway.add(asyncio.create_task(member.try_out(operation)))
            await asyncio.sleep(PAUSE_S)
        await asyncio.gather(*underway)

    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(write(writer))
        await asyncio.sleep(chance.uniform(*BURST_S))
        await victim.crash()
        over.set()
        killed_at = now()
        for stream in LOG_STREAMS:
            await cluster.leader(stream, but=victim)
        led_at = now()
        lag_s, unseen = await _lag(cluster, writers, names)
    await victim.start()
    await cluster.healthy()
    for writer in writers:
        await writer.ready.wait()
    return Silence(led_at - killed_at, lag_s, unseen)


async def _lag(
    cluster: Cluster, members: Sequence[Member], names: Sequence[str]
) -> tuple[float, int]:
    """How long something that was stored had not been seen, and how much at the most."""
    now = asyncio.get_running_loop().time
    began_at, lag_s, most = now(), 0.0, 0
    while True:
        logs = await cluster.logs()
        await asyncio.sleep(ON_ITS_WAY_S)
        ends = {name: _end(logs[name]) for name in names}
        unseen = sum(
            life.seq < ends[name] for member in members for name, life in member.lives.items()
        )
        if unseen:
            lag_s, most = now() - began_at, max(most, unseen)
            if lag_s > GIVE_UP_S:
                return float("inf"), most
        elif now() - began_at > LOOKING_S:
            return lag_s, most


def _end(records: Sequence[LogRecord]) -> int:
    numbers = [
        data["seq"]
        for record in records
        for name, data in record.events
        if "seq" in data and name != "operation_applied"
    ]
    return int(numbers[-1]) if numbers else 0
