"""One run: members write and watch, processes are killed, and in the end all is compared."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp

from chaos.checker import check
from chaos.cluster import LOG_STREAMS, Cluster, cluster_of
from chaos.crowd import http_session
from chaos.history import History, Outcome, Read
from chaos.members import Member, Writer
from harmonic_local.processes import Managed
from harmonic_local.stack import Stack
from harness.waiting import until
from harness.world import World

#: Rooms of one connection: what a gateway allows.
ROOMS = 8
#: How long it may take until all members are back in their rooms, ...
CALM_TIMEOUT_S = 30.0
#: ... and until they have then seen everything.
VIEWS_TIMEOUT_S = 10.0
READ_PAUSE_S = 0.1
#: How long the broker is away, where that is what is done.
OUTAGE_S = 10.0


@dataclass(frozen=True)
class Campaign:
    """What is done; ``victims`` are killed in turn, by their kind, as often as time allows.

    It goes on until each was killed once. An ``outage`` is the broker's, in order, and comes once.
    """

    seed: int
    duration_s: float
    writers: int = 8
    watchers: int = 2
    universes: int = 20
    victims: Sequence[str] = ()
    pause_s: float = 0.05


@dataclass
class Verdict:
    """What became of it; ``killed`` names processes, with when they were there again."""

    violations: list[str]
    counts: Counter[str]
    killed: list[tuple[str, float]]
    history: History


async def run(campaign: Campaign, stack: Stack) -> Verdict:
    """Run a campaign against a product that was just started."""
    async with http_session() as http, cluster_of(stack) as cluster:
        return await _Run(campaign, World(stack, http), cluster).carry_out()


class _Run:
    def __init__(self, campaign: Campaign, world: World, cluster: Cluster) -> None:
        self._campaign = campaign
        self._world = world
        self._stack = world.stack
        self._cluster = cluster
        self._chance = random.Random(campaign.seed)
        self._history = History()
        self._killed: list[tuple[str, float]] = []
        self._over = asyncio.Event()
        self._each_was_killed = asyncio.Event()
        if not campaign.victims:
            self._each_was_killed.set()
        self._names: list[str] = []

    async def carry_out(self) -> Verdict:
        history = self._history
        await self._cluster.healthy()
        new = (self._world.universe() for _ in range(self._campaign.universes))
        self._names = await asyncio.gather(*new)
        writing = [self._members_of(number) for number in range(self._campaign.writers)]
        members = [*itertools.chain(*(members for members, _ in writing)), *self._watchers()]
        async with staying(members):
            async with asyncio.TaskGroup() as group:
                for _, writer in writing:
                    group.create_task(writer.write(self._over))
                group.create_task(self._read())
                group.create_task(self._torment())
                await asyncio.sleep(self._campaign.duration_s)
                await self._each_was_killed.wait()
                self._over.set()
            await self._cluster.healthy()
            absent = await all_in(members)
            async with staying(self._judges()) as judges:
                history.finals += [
                    life.snapshot for judge in judges for life in judge.lives.values()
                ]
                history.finals += await self._answers_in_the_end()
                with suppress(TimeoutError):
                    await until(lambda: _have_seen_all(members, history.finals), VIEWS_TIMEOUT_S)
                logs = await self._cluster.logs()
                history.logs = {name: logs.get(name, []) for name in self._names}
                # Before anybody leaves: that, too, is seen.
                violations = [*(f"rooms: {user} is not in" for user in absent), *check(history)]
                return Verdict(violations, _count(history), self._killed, history)

    def _member(self, user: str, gateway: int, names: Sequence[str], mode: str) -> Member:
        return Member(
            user,
            gateway,
            names,
            mode=mode,
            stack=self._stack,
            http=self._world.http,
            history=self._history,
        )

    def _members_of(self, number: int) -> tuple[list[Member], Writer]:
        """A writer at all gateways, in some of the universes: more than one writes in each."""
        names, campaign = self._names, self._campaign
        share = min(ROOMS, len(names), -(-3 * len(names) // campaign.writers))
        mine = [names[(number * share + offset) % len(names)] for offset in range(share)]
        members = [
            self._member(f"writer-{number}", gateway, mine, "edit")
            for gateway in range(len(self._stack.gateways))
        ]
        writer = Writer(
            members, mine, history=self._history, chance=self._chance, pause_s=campaign.pause_s
        )
        return members, writer

    def _watchers(self) -> list[Member]:
        names = self._names
        return [
            self._member(
                f"watcher-{number}",
                number % len(self._stack.gateways),
                names[start : start + ROOMS],
                "view",
            )
            for number in range(self._campaign.watchers)
            for start in range(0, len(names), ROOMS)
        ]

    def _judges(self) -> list[Member]:
        names = self._names
        return [
            self._member("judge", 0, names[start : start + ROOMS], "view")
            for start in range(0, len(names), ROOMS)
        ]

    async def _read(self) -> None:
        """Ask for states over HTTP, through any gateway."""
        while not self._over.is_set():
            gateway = self._chance.randrange(len(self._stack.gateways))
            read = await self._get(self._chance.choice(self._names), gateway)
            if read is not None:
                self._history.reads.append(read)
            await asyncio.sleep(READ_PAUSE_S)

    async def _answers_in_the_end(self) -> list[Read]:
        answers = [
            await self._get(name, gateway)
            for name in self._names
            for gateway in range(len(self._stack.gateways))
        ]
        return [answer for answer in answers if answer is not None]

    async def _get(self, name: str, gateway: int) -> Read | None:
        now = asyncio.get_running_loop().time
        asked_at, path = now(), f"/universes/{name}"
        try:
            status, body = await self._world.call("GET", path, "reader", gateway=gateway)
        except (aiohttp.ClientError, OSError):
            return None
        if status != 200:
            return None
        who = f"HTTP at {gateway + 1}"
        return Read(who, name, asked_at, now(), body["seq"], body["parameters"])

    async def _torment(self) -> None:
        """Kill and start again, one after the other."""
        chance, now = self._chance, asyncio.get_running_loop().time
        for kind in itertools.cycle(self._campaign.victims):
            await self._sleep(chance.uniform(0.3, 2.0))
            if self._over.is_set():
                return
            victim = await self._victim(kind)
            if kind == "outage":
                await victim.stop()
                await asyncio.sleep(OUTAGE_S)
            else:
                await victim.crash()
                await self._sleep(chance.uniform(0.0, 2.0))
            await victim.start()
            self._killed.append((victim.name, now()))
            if len(self._killed) == len(self._campaign.victims):
                self._each_was_killed.set()
            if kind == "broker":
                await self._cluster.healthy()
            elif kind == "outage":
                await self._over.wait()

    async def _victim(self, kind: str) -> Managed:
        match kind:
            case "state":
                return self._chance.choice(self._stack.states)
            case "gateway":
                return self._chance.choice(self._stack.gateways)
            case _:
                return await self._cluster.leader(self._chance.choice(LOG_STREAMS))

    async def _sleep(self, duration_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                await self._over.wait()


@asynccontextmanager
async def staying(members: list[Member]) -> AsyncIterator[list[Member]]:
    """Members are in their rooms, and come back to them, while the block runs."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(member.stay()) for member in members]
        await all_in(members)
        yield members
        for task in tasks:
            task.cancel()


async def all_in(members: Sequence[Member]) -> list[str]:
    """Wait until all are in their rooms; who is not after a long time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CALM_TIMEOUT_S):
            for member in members:
                await member.ready.wait()
    return [member.user for member in members if not member.ready.is_set()]


async def _have_seen_all(members: Sequence[Member], finals: Sequence[Read]) -> bool:
    ends = {read.universe: read.seq for read in finals}
    return all(
        life.seq >= ends[universe] for member in members for universe, life in member.lives.items()
    )


def _count(history: History) -> Counter[str]:
    operations, attempts = (
        history.operations,
        [attempt for operation in history.operations for attempt in operation.attempts],
    )
    acknowledged = sum(bool(operation.acknowledged) for operation in operations)
    refused = sum(
        all(attempt.outcome is Outcome.REFUSED for attempt in operation.attempts)
        for operation in operations
    )
    return Counter(
        {
            "operations": len(operations),
            "acknowledged": acknowledged,
            "refused": refused,
            "given up": len(operations) - acknowledged - refused,
            "attempts": len(attempts),
            "attempts of unknown outcome": sum(
                item.outcome is Outcome.UNKNOWN for item in attempts
            ),
            "records": sum(len(records) for records in history.logs.values()),
            "reads": len(history.reads),
            "members' stays": len(history.lives),
            "frames seen": sum(len(life.frames) for life in history.lives),
        }
    )
