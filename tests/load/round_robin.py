"""``python -m load.round_robin``: what it costs that requests come to any gateway.

CPU time of all gateways, the state service and the broker, in pairs of blocks: a direct one, two in
round robin, a direct one. Who connect are the official clients with default options. In round robin
haproxy sends each request to the next gateway. Beside it stand a client's connects at one gateway,
and those behind haproxy that has one gateway only, since a proxy keeps connections.

The servers share one core, and the clients and haproxy have another: whoever waits for slow clients
is awoken for each request by itself, which costs more than what is measured.
"""

import argparse
import asyncio
import itertools
import json
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
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
from harness.javascript import VERSIONS, Bridge, javascript
from harness.world import World, started
from load.servers import cpu_clock_s
from peers.turns import TurnTaker
from proxies.clients import javascript_connects, python_connects
from proxies.proxies import HAPROXY, in_front_of

GATEWAYS = 3
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
#: What one block does.
CONNECTS, POLLS, UPDATES, MEMBERS = 150, 300, 150, 30
WARM_UP = 10
PYTHON = "python-socketio"
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


class Comers:
    """Official clients that connect with default options, go over to a WebSocket, and leave."""

    def __init__(self, world: World, bridge: Bridge, kind: str) -> None:
        self._world = world
        self._bridge = bridge
        self._kind = kind

    async def come(self, times: int, urls: Sequence[str]) -> None:
        """So many, a few at the same time, at each address in turn."""
        at_once = asyncio.Semaphore(AT_ONCE)

        async def comes_and_goes(number: int) -> None:
            async with at_once:
                user, url = self._world.name("user"), urls[number % len(urls)]
                went_over = await self._of(user, url, self._world.token(user))
                assert went_over, f"{user} polled until it left"

        await asyncio.gather(*(comes_and_goes(number) for number in range(times)))

    async def _of(self, user: str, url: str, token: str) -> bool:
        if self._kind == PYTHON:
            return await python_connects(url, token)
        return await javascript_connects(self._bridge.client(user, self._kind), url, token)


async def measure_connects(
    stack: Stack, comers: Comers, urls: Sequence[str], balanced: str, pairs: int
) -> Pairs:
    """Connect, go over and leave: at one gateway, or at all of them in turn."""
    for addresses in (urls, [balanced]):
        await comers.come(WARM_UP, addresses)
    return await abba(
        pairs,
        lambda: comers.come(CONNECTS, urls),
        lambda: comers.come(CONNECTS, [balanced]),
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
    async with AsyncExitStack() as leaving:
        blocks = []
        for begins in (at, elsewhere):
            universe = await world.universe(maxParticipants=MEMBERS + 1)
            writer = await world.client(world.name("writer"), gateway=2)
            await writer.joins(universe)
            readers = [await _member(world, universe, begins, at) for _ in range(MEMBERS)]
            leaving.push_async_callback(_all_closed, readers)
            blocks.append(_updates(writer, universe, readers))
        for block in blocks:
            await block()
        return await abba(pairs, blocks[0], blocks[1], stack.gateways[:1])


async def _member(
    world: World, universe: str, begins: str, at: str
) -> aiohttp.ClientWebSocketResponse:
    """A member that polls at one gateway first, and goes over to a WebSocket at another one."""
    taker = TurnTaker(world.http, itertools.repeat(begins))
    await taker.open()
    await taker.connects(world.token(world.name("reader")))
    websocket = await world.http.ws_connect(f"{at}{WEBSOCKET}&sid={taker.sid}")
    await websocket.send_str("2probe")
    assert await websocket.receive_str() == "3probe"
    await websocket.send_str("5")
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


@asynccontextmanager
async def _behind_haproxy(stack: Stack, folder: Path, only: int | None) -> AsyncIterator[str]:
    """The address of all gateways in turn, or of one."""
    own = Path(tempfile.mkdtemp(dir=folder))
    async with in_front_of(stack, HAPROXY, own, plain=True, only=only) as port:
        yield f"http://127.0.0.1:{port}"


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
            HARMONIC_TRUSTED_PROXIES="127.0.0.0/8",
        ) as stack,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        # Before clients and proxy begin, which are where this process is.
        servers_apart(stack)
        world = World(stack, http)
        ratios = []
        async with AsyncExitStack() as running:
            bridge = await running.enter_async_context(javascript())
            balanced, *own = [
                await running.enter_async_context(_behind_haproxy(stack, folder, only))
                for only in (None, *range(GATEWAYS))
            ]
            bases = {"direct": stack.urls, "behind a proxy for each": own}
            for (base, urls), kind in itertools.product(bases.items(), (*VERSIONS, PYTHON)):
                connects = await measure_connects(
                    stack, Comers(world, bridge, kind), urls, balanced, pairs
                )
                say(connects.row(f"a connect, upgrade and leave of {kind}, {base}", CONNECTS))
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
