"""``python -m load.round_robin``: what it costs that requests come to any gateway.

CPU time of all gateways, the state service and the broker, in pairs of blocks: a direct one, two in
round robin, a direct one. The servers share one core, and the clients have another: whoever waits
for slow clients is awoken for each request by itself, which costs more than what is measured.
"""

import argparse
import asyncio
import itertools
import json
import logging
import os
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp
import psutil
import structlog
import uvloop

from chaos.promises import say
from harmonic_local.processes import Managed
from harmonic_local.stack import Stack
from harness.client import Client
from harness.world import World, started
from load.servers import cpu_clock_s
from peers.turns import TurnTaker

GATEWAYS = 3
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
#: What one block does.
CONNECTS, POLLS, UPDATES, MEMBERS = 150, 300, 150, 30
WARM_UP = 10
#: A connect's: the handshake, the CONNECT, a poll, the upgrade; and the poll that most clients have
#: under way as they go over.
REQUESTS = 5
#: Clients that come at the same time: where CPU is short, nobody comes alone.
AT_ONCE = 20
CONNECT_TARGET, FRAME_TARGET = 1.6, 1.0
#: Two measurements of the same differ by so much.
NOISE = 0.03


@dataclass
class Pairs:
    """Seconds that a direct block cost, and those that one in round robin cost, pair by pair."""

    direct: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return median(b / a for a, b in zip(self.direct, self.turns, strict=True))

    def row(self, what: str, count: int) -> str:
        """As it is said."""
        a, b = (1e6 * median(seen) / count for seen in (self.direct, self.turns))
        ratios = sorted(b / a for a, b in zip(self.direct, self.turns, strict=True))
        spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        return f"{what}: {a:.0f} us -> {b:.0f} us, {self.ratio:.2f} x {spread}"


async def abba(
    pairs: int,
    direct: Callable[[], Awaitable[None]],
    turns: Callable[[], Awaitable[None]],
    processes: Sequence[Managed],
) -> Pairs:
    """The blocks in pairs, the order changing from pair to pair."""
    seen = Pairs()
    for number in range(pairs):
        blocks = [(seen.direct, direct), (seen.turns, turns)]
        for costs, block in blocks if number % 2 == 0 else reversed(blocks):
            before_s = _cpu_s(processes)
            await block()
            costs.append(_cpu_s(processes) - before_s)
    return seen


def servers_apart(stack: Stack) -> None:
    """Have the servers share one core, and this process use another, if there are several."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        return
    for process in [*stack.gateways, *stack.states, *stack.brokers]:
        for thread in psutil.Process(process.pid).threads():
            os.sched_setaffinity(thread.id, {first})
    os.sched_setaffinity(0, others)


def _cpu_s(processes: Sequence[Managed]) -> float:
    return sum(cpu_clock_s(process.pid) for process in processes)


class Upgrades:
    """Clients that begin by polling and go over, as official ones do.

    Those of JavaScript poll meanwhile (``polls``), those of Python do not.
    """

    def __init__(self, world: World, http: aiohttp.ClientSession, *, polls: bool) -> None:
        self._world = world
        self._http = http
        self._polls = polls

    async def comes(self, urls: Sequence[str], at: str) -> aiohttp.ClientWebSocketResponse:
        """A client that is connected, with a WebSocket at one gateway."""
        taker = TurnTaker(self._http, itertools.cycle(urls))
        await taker.open()
        token = self._world.token(self._world.name("user"))
        connecting = asyncio.ensure_future(taker.says("40/ws," + json.dumps({"token": token})))
        await taker.polls()
        await connecting
        polling = asyncio.ensure_future(taker.polls()) if self._polls else None
        websocket = await self._http.ws_connect(f"{at}{WEBSOCKET}&sid={taker.sid}")
        await websocket.send_str("2probe")
        assert await websocket.receive_str() == "3probe"
        if polling is not None:
            await polling
        await websocket.send_str("5")
        await websocket.send_str('42/ws,1["time_sync",{"t0":1}]')
        while not (await websocket.receive_str()).startswith("43/ws,1"):
            pass
        return websocket

    async def connects(self, times: int, turns: Callable[[int], Sequence[str]]) -> None:
        """So many clients that come and go, a few at the same time."""
        at_once = asyncio.Semaphore(AT_ONCE)

        async def comes_and_goes(number: int) -> None:
            async with at_once:
                urls = turns(number)
                websocket = await self.comes(urls, urls[-1])
                await websocket.send_str("41/ws,")
                await websocket.close()

        await asyncio.gather(*(comes_and_goes(number) for number in range(times)))


async def measure_connects(stack: Stack, world: World, pairs: int, *, polls: bool) -> Pairs:
    """Connect, go over and leave: at one gateway, or at all of them in turn."""
    urls = stack.urls
    upgrades, chance = Upgrades(world, world.http, polls=polls), random.Random(1)

    def direct(number: int) -> list[str]:
        return [urls[number % GATEWAYS]]

    def in_turn(_: int) -> list[str]:
        # Where many clients come at once, a client's next request finds any gateway.
        return [urls[chance.randrange(GATEWAYS)] for _ in range(REQUESTS)]

    for turns in (direct, in_turn):
        await upgrades.connects(WARM_UP, turns)
    return await abba(
        pairs,
        lambda: upgrades.connects(CONNECTS, direct),
        lambda: upgrades.connects(CONNECTS, in_turn),
        [*stack.gateways, *stack.states, *stack.brokers],
    )


async def measure_polls(stack: Stack, world: World, pairs: int) -> Pairs:
    """A client says something and polls the answer: at its gateway, or at another one."""
    own, other = stack.urls[:2]

    async def block(at: str) -> None:
        await asyncio.gather(*(one(at) for _ in range(AT_ONCE)))

    async def one(at: str) -> None:
        taker = TurnTaker(world.http, itertools.chain([own], itertools.repeat(at)))
        await taker.open()
        await taker.connects(world.token(world.name("user")), recovery=0)
        for number in range(POLLS // AT_ONCE):
            await taker.says(f'42/ws,{number}["time_sync",{{"t0":1}}]')
            await taker.until(f"43/ws,{number}[")
            taker.heard.clear()
        await taker.says("1")

    for at in (own, other):
        await block(at)
    return await abba(
        pairs, lambda: block(own), lambda: block(other), [*stack.gateways, *stack.brokers]
    )


async def measure_frames(stack: Stack, world: World, pairs: int) -> Pairs:
    """A room's frames: to members that began at the gateway of their WebSocket, or elsewhere."""
    at, elsewhere = stack.urls[:2]
    upgrades = Upgrades(world, world.http, polls=True)
    async with AsyncExitStack() as leaving:
        blocks = []
        for begins in (at, elsewhere):
            universe = await world.universe(maxParticipants=MEMBERS + 1)
            writer = await world.client(world.name("writer"), gateway=2)
            await writer.joins(universe)
            readers = [await _member(upgrades, universe, [begins], at) for _ in range(MEMBERS)]
            leaving.push_async_callback(_all_closed, readers)
            blocks.append(_updates(writer, universe, readers))
        for block in blocks:
            await block()
        return await abba(pairs, blocks[0], blocks[1], stack.gateways[:1])


async def _member(
    upgrades: Upgrades, universe: str, urls: Sequence[str], at: str
) -> aiohttp.ClientWebSocketResponse:
    websocket = await upgrades.comes(urls, at)
    join = json.dumps(["join_room", {"universeId": universe, "mode": "view"}])
    await websocket.send_str(f"42/ws,2{join}")
    while not (await websocket.receive_str()).startswith("43/ws,2"):
        pass
    return websocket


def _updates(
    writer: Client, universe: str, readers: Sequence[aiohttp.ClientWebSocketResponse]
) -> Callable[[], Awaitable[None]]:
    async def block() -> None:
        last = 0
        for number in range(UPDATES):
            answer = await writer.asks(
                "update_physics", universeId=universe, parameters={"gravity": number % 20}
            )
            last = answer["seq"]
        writer.heard.clear()
        await asyncio.gather(*(_heard(reader, f'"seq":{last}') for reader in readers))

    return block


async def _heard(reader: aiohttp.ClientWebSocketResponse, text: str) -> None:
    while text not in (packet := await reader.receive_str()):
        if packet == "2":
            await reader.send_str("3")


async def _all_closed(readers: Sequence[aiohttp.ClientWebSocketResponse]) -> None:
    for reader in readers:
        await reader.close()


async def measured(folder: Path, pairs: int) -> bool:
    """Say what each costs; whether it is within its target."""
    async with (
        started(
            folder,
            gateways=GATEWAYS,
            musics=0,
            # Readers of one block say nothing during the other.
            HARMONIC_PING_INTERVAL_S="60",
            HARMONIC_PING_TIMEOUT_S="60",
        ) as stack,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        servers_apart(stack)
        world = World(stack, http)
        ratios = []
        for does_poll, what in ((False, "polls no more"), (True, "polls meanwhile")):
            connects = await measure_connects(stack, world, pairs, polls=does_poll)
            say(connects.row(f"a connect, upgrade and leave of who {what}", CONNECTS))
            ratios.append(connects.ratio)
        polls = await measure_polls(stack, world, pairs)
        say(polls.row("an event by polling and its answer, passed on", POLLS))
        frames = await measure_frames(stack, world, pairs)
        say(frames.row("a frame after a moved upgrade, at its gateway", UPDATES * MEMBERS))
        await world.close()
    return max(ratios) <= CONNECT_TARGET and frames.ratio <= FRAME_TARGET + NOISE


def main() -> int:
    """The exit status: 0 if a connect and a frame cost no more than they may."""
    parser = argparse.ArgumentParser(prog="load.round_robin", description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = Path(tempfile.mkdtemp(prefix="round-robin-"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 0 if runner.run(measured(folder, chosen.pairs)) else 1


if __name__ == "__main__":
    sys.exit(main())
