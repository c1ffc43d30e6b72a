"""Two hundred official clients behind both proxies, and users who write to their rooms."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaos.campaign import staying
from chaos.checker import check as check_history
from chaos.cluster import cluster_of
from chaos.crowd import http_session
from chaos.history import History, Read
from chaos.members import Member as WritingMember
from chaos.members import Writer
from harmonic_local.stack import Stack
from harness.javascript import javascript
from harness.operator import harmonic
from harness.waiting import until
from harness.world import World
from ladder.rungs import Findings
from proxies.proxies import HAPROXY, NGINX, in_front_of
from recovery.checker import check as check_frames
from recovery.checker import read_notes
from recovery.members import Member, Members
from recovery.scene import DEFAULT, WEBSOCKET, read_logs

CLIENTS, ROOMS, WRITERS = 200, 10, 4
#: Rooms of one writer; a burst of up to four updates, then a pause of this on average.
ROOMS_OF_A_WRITER, WRITE_PAUSE_S = 5, 0.5
COME_TIMEOUT_S = 60.0


class Audience:
    """Everybody who is there while the product is replaced, and what they noted."""

    def __init__(self, stack: Stack, world: World, crowds: list[Members]) -> None:
        self.stack = stack
        self.world = world
        self.universes: list[str] = []
        self._crowds = crowds
        self._history = History()
        self._over = asyncio.Event()

    async def come(self) -> int:
        """Let all clients come, every other one by polling first; how many did at once."""
        for number in range(CLIENTS):
            user = self.world.name("client")
            crowd = self._crowds[number % len(self._crowds)]
            options = (DEFAULT, WEBSOCKET)[number // len(self._crowds) % 2]
            rooms = [self.universes[number % ROOMS]]
            await crowd.open(Member(user, self.world.token(user), rooms, options))
        await self.all_there()
        notes = await self.notes()
        return sum(_came_at_once(each) for each in notes.values())

    async def all_there(self) -> None:
        """Return when every client is connected."""
        await self._crowds[0].all_there(COME_TIMEOUT_S, beyond={})

    async def notes(self) -> dict[str, list[list[Any]]]:
        """What each client noted."""
        return {
            member.name: await crowd.notes(member)
            for crowd in self._crowds
            for member in crowd.members
        }

    async def connects(self) -> dict[str, int]:
        """How often each client was connected."""
        known = await self._crowds[0].connects()
        return {name: times or 0 for name, times in known.items()}

    async def at(self, gateway: str) -> Counter[str]:
        """The clients that a gateway holds, as the owners of their rooms know it."""
        held: Counter[str] = Counter()
        for universe in self.universes:
            ran = await harmonic(self.stack, "who", universe, "--json")
            assert ran.status == 0, ran.errors
            names = ran.json["gateways"]
            held.update(
                seat["userId"]
                for seat in ran.json["seats"]
                if names.get(seat["gatewayId"]) == gateway
            )
        return held

    @asynccontextmanager
    async def written_to(self, found: Findings) -> AsyncIterator[None]:
        """Users write through the proxies while the block runs; then all is judged."""
        chance = random.Random(1)
        names = [self.universes[offset:] + self.universes[:offset] for offset in range(ROOMS)]
        writers, members = [], []
        for number in range(WRITERS):
            rooms = names[number * ROOMS // WRITERS][:ROOMS_OF_A_WRITER]
            mine = [
                WritingMember(
                    f"writer-{number}",
                    proxy,
                    rooms,
                    mode="edit",
                    stack=self.world.stack,
                    http=self.world.http,
                    history=self._history,
                )
                for proxy in range(len(self._crowds))
            ]
            members += mine
            writers.append(
                Writer(mine, rooms, history=self._history, chance=chance, pause_s=WRITE_PAUSE_S)
            )
        async with staying(members):
            async with asyncio.TaskGroup() as group:
                for writer in writers:
                    group.create_task(writer.write(self._over))
                yield
                self._over.set()
            # Before the writers leave: that, too, would be seen.
            await self._judge(found, members)

    async def _judge(self, found: Findings, writers: Sequence[WritingMember]) -> None:
        """Hold what was acknowledged, and what each client was sent, against the logs."""
        logs = await read_logs(self.stack, self.universes)
        ends = {name: log[-1].seq for name, log in logs.items()}
        for crowd in self._crowds:
            late = await crowd.wait_for(ends, COME_TIMEOUT_S)
            found.faults += [f"{name} did not hear all" for name in late]
        stays = []
        for name, notes in (await self.notes()).items():
            seen = read_notes(name, notes)
            stays += seen.stays
            found.faults += seen.errors
        verdict = check_frames(logs, stays)
        found.count("frames sent", verdict.counts["sent"])
        found.faults += verdict.examples
        await self._read_states()
        await until(lambda: self._are_up_to_date(writers), COME_TIMEOUT_S)
        async with cluster_of(self.stack) as cluster:
            stored = await cluster.logs()
        history = self._history
        history.logs = {name: stored.get(name, []) for name in self.universes}
        acknowledged = [each for each in history.operations if each.acknowledged]
        found.count("writes acknowledged", len(acknowledged))
        found.faults += check_history(history)

    async def _are_up_to_date(self, writers: Sequence[WritingMember]) -> bool:
        ends = {read.universe: read.seq for read in self._history.finals}
        return all(
            universe in writer.lives and writer.lives[universe].seq >= ends[universe]
            for writer in writers
            for universe in writer.universes
        )

    async def _read_states(self) -> None:
        now = asyncio.get_running_loop().time
        for universe in self.universes:
            asked_at = now()
            status, body = await self.world.call("GET", f"/universes/{universe}", "reader")
            assert status == 200, body
            read = Read("HTTP", universe, asked_at, now(), body["seq"], body["parameters"])
            self._history.finals.append(read)


def _came_at_once(notes: Iterable[list[Any]]) -> bool:
    """Whether a client connected with its first try."""
    return next(
        (what == "connect" for _, what, *_ in notes if what in {"connect", "connect_error"}), False
    )


@asynccontextmanager
async def audience(stack: Stack, folder: Path) -> AsyncIterator[Audience]:
    """Both proxies in plain round robin in front of a product, and nobody behind them yet."""
    async with AsyncExitStack() as ending:
        ports = []
        for proxy in (HAPROXY, NGINX):
            own = folder / proxy.name
            own.mkdir()
            ports.append(
                await ending.enter_async_context(in_front_of(stack, proxy, own, plain=True))
            )
        http = await ending.enter_async_context(http_session())
        bridge = await ending.enter_async_context(javascript())
        # To whoever comes, the proxies are the product.
        behind = replace(stack, gateway_ports=ports)
        crowds = [Members(bridge, url) for url in behind.urls]
        ending.push_async_callback(crowds[0].close)
        made = Audience(stack, World(behind, http), crowds)
        for _ in range(ROOMS):
            made.universes.append(await made.world.universe(maxParticipants=CLIENTS))
        yield made
