"""Seven faults made for real, in a product that is used, and what shows of each."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from chaos.owners import owner_of
from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_protocol.messages.declaration import GLOBAL_RATES
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.jetstream import call
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import PATIENCE_S, Client
from harness.faults import frozen
from harness.identity_provider import Key, Publisher, auth0, publishing
from harness.operator import harmonic
from harness.world import World, started
from operate.questions import QUESTIONS, SIGNS, moved
from operate.series import Scrape, scrape

#: How long the product is watched while nothing is wrong.
HEALTHY_S = 6.0
#: Within this time after a fault, its metrics have moved.
SHOWN_WITHIN_S = 15.0
LOOK_INTERVAL_S = 0.5
#: A process that does not answer a scrape in this time shows nothing.
SCRAPE_TIMEOUT_S = 1.0
UPDATE_INTERVAL_S, PIECE_INTERVAL_S, VISIT_INTERVAL_S = 0.25, 3.0, 1.0
VISIT_TIMEOUT_S = 2.0
#: Who asks for music, each in a universe of its own: the next piece once the one before is there.
LISTENERS = 4
HOT_WRITERS, HOT_UPDATES_PER_S, HOT_INTERVAL_S = 4, 500, 0.05
MISSED_UPDATES = 40
MIB = 2**20
FILLER_BYTES = 512 * 1024
#: What the account may store, and what has it nearly full.
BOUNDED, STORE_BYTES, NEARLY_FULL = Path(__file__).with_name("bounded.conf"), 16 * MIB, 0.92

SETTINGS: Mapping[str, Any] = {
    "HARMONIC_SNAPSHOT_STREAM_BYTES": str(MIB),
    "HARMONIC_SESSION_STREAM_BYTES": str(MIB),
    "HARMONIC_NOTES_STREAM_BYTES": str(MIB),
    "HARMONIC_AUDIT_STREAM_BYTES": str(MIB),
    # What a client may miss is soon trimmed.
    "HARMONIC_SNAPSHOT_EVERY_RECORDS": "4",
    "HARMONIC_HISTORY_SNAPSHOTS": "2",
    "HARMONIC_RING_BYTES": "1024",
}


@dataclass
class Scene:
    """A product that is used: people write, ask for music, come and go."""

    world: World
    bus: Bus
    publisher: Publisher
    universe: str
    ann: Client
    bob: Client
    key: Key
    wrong: AsyncExitStack

    @property
    def stack(self) -> Stack:
        return self.world.stack

    async def shown(self) -> dict[str, Scrape]:
        """What all services that answer show."""
        found: dict[str, Scrape] = {}
        for process, url in self.stack.ops_urls.items():
            with suppress(TimeoutError, aiohttp.ClientError):
                async with asyncio.timeout(SCRAPE_TIMEOUT_S):
                    found[process] = await scrape(self.world.http, url)
        return found

    async def write(self) -> None:
        """Change parameters for ever."""
        for number in itertools.count():
            value = number % 20
            await self.ann.says(
                "update_physics", universeId=self.universe, parameters={"gravity": value}
            )
            await asyncio.sleep(UPDATE_INTERVAL_S)

    async def ask_for_music(self, client: Client, universe: str, first_s: float) -> None:
        """Ask for pieces for ever, from ``first_s`` seconds on."""
        # In turn, so that one that takes long does not make several wait.
        await asyncio.sleep(first_s)
        while True:
            await client.says("generate_music", universeId=universe, duration=8)
            await asyncio.sleep(PIECE_INTERVAL_S)

    async def visit(self) -> None:
        """Come and go for ever, as somebody new each time."""
        for number in itertools.count():
            visitor = Client(f"visitor-{number}")
            with suppress(Exception):
                async with asyncio.timeout(VISIT_TIMEOUT_S):
                    await visitor.connect(self.stack.urls[0], self.key.token(visitor.user))
            await visitor.close()
            await asyncio.sleep(VISIT_INTERVAL_S)


async def keys_expire(scene: Scene) -> None:
    """The provider signs with a new key, and cannot be asked for it."""
    scene.publisher.status = HTTPStatus.INTERNAL_SERVER_ERROR
    scene.key = Key("next")


async def owner_stops(scene: Scene) -> None:
    scene.wrong.enter_context(frozen(owner_of(scene.stack, scene.universe)))


async def log_is_trimmed(scene: Scene) -> None:
    """A member is away for longer than the log reaches back."""
    user, universe = "cem", scene.universe
    cem = await scene.world.client(user, comes_back=True)
    await cem.joins(universe)
    await cem.vanishes()
    for number in range(MISSED_UPDATES):
        await scene.bob.asks(
            "update_physics", universeId=universe, parameters={"gravity": number % 20}
        )
    await scene.world.client(user, comes_back=True)


async def room_gets_hot(scene: Scene) -> None:
    fields = {"universeId": scene.universe, "parameters": {"gravity": 1}}
    packet = f"2/ws,{json.dumps(['update_physics', fields])}"

    async def write(client: Client) -> None:
        loop = asyncio.get_running_loop()
        began_s, sent = loop.time(), 0
        while True:
            due = int((loop.time() - began_s) * HOT_UPDATES_PER_S / HOT_WRITERS)
            for _ in range(due - sent):
                await client.says_raw(f"4{packet}")
            sent = due
            await asyncio.sleep(HOT_INTERVAL_S)

    group = await scene.wrong.enter_async_context(background())
    for number in range(HOT_WRITERS):
        client = await scene.world.client(f"writer-{number}")
        group(write(client))


async def store_fills(scene: Scene) -> None:
    streams = Streams(scene.bus)
    for number in itertools.count():
        stored = (await call(scene.bus, "INFO", {}))["storage"]
        if stored >= NEARLY_FULL * STORE_BYTES:
            return
        await streams.append(f"hu.index.filler.{number}", bytes(FILLER_BYTES), timeout_s=5)


async def music_stops(scene: Scene) -> None:
    for process in scene.stack.musics:
        await process.stop()


async def limiter_goes(scene: Scene) -> None:
    for rate in GLOBAL_RATES:
        await call(scene.bus, f"STREAM.DELETE.{subjects.limit_stream(rate)}", {})


FAULTS: Mapping[str, Callable[[Scene], Awaitable[None]]] = {
    "clients cannot connect": keys_expire,
    "updates are slow": owner_stops,
    "recoveries fail": log_is_trimmed,
    "one universe is hot": room_gets_hot,
    "JetStream fills up": store_fills,
    "music lags": music_stops,
    "the limiter is away": limiter_goes,
}
#: In two files of tests, so that two processes have something to do.
OF_CLIENTS = ("clients cannot connect", "recoveries fail", "the limiter is away")
OF_SERVICES = tuple(name for name in FAULTS if name not in OF_CLIENTS)


@asynccontextmanager
async def background() -> AsyncIterator[Callable[..., None]]:
    """Starts work that goes on until the block ends."""
    tasks: list[asyncio.Task[None]] = []
    try:
        yield lambda work: tasks.append(asyncio.ensure_future(work))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def elsewhere(world: World, than: str) -> str:
    """A universe that another replica owns than that of the given one."""
    while True:
        universe = await world.universe()
        if owner_of(world.stack, universe) is not owner_of(world.stack, than):
            return universe


@asynccontextmanager
async def used(directory: Path) -> AsyncIterator[Scene]:
    """A product that people use."""
    current = Key("current")
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(publishing(auth0(current)))
        product = await stack.enter_async_context(
            started(
                directory,
                gateways=1,
                states=2,
                broker_config=BOUNDED,
                HARMONIC_JWKS_URL=publisher.url,
                **SETTINGS,
            )
        )
        world = World(product, await stack.enter_async_context(aiohttp.ClientSession()))
        stack.push_async_callback(world.close)
        bus = await stack.enter_async_context(connected_as("admin", product))
        universe, (ann, bob) = await world.together("ann", "bob")
        listeners = [
            (await world.client(f"dan-{number}"), await elsewhere(world, universe))
            for number in range(LISTENERS)
        ]
        for listener, musical in listeners:
            await listener.joins(musical)
        wrong = await stack.enter_async_context(AsyncExitStack())
        scene = Scene(world, bus, publisher, universe, ann, bob, current, wrong)
        go_on = await stack.enter_async_context(background())
        go_on(scene.write())
        for number, (listener, musical) in enumerate(listeners):
            first_s = number * PIECE_INTERVAL_S / LISTENERS
            go_on(scene.ask_for_music(listener, musical, first_s))
        go_on(scene.visit())
        await known(bus, len(product.services))
        yield scene


async def known(bus: Bus, replicas: int) -> None:
    """Return once all replicas have said that they are there, so that one can be missed."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            info = await call(bus, f"STREAM.INFO.{subjects.REPLICAS_STREAM}", {})
            if info["state"]["messages"] >= replicas:
                return
            await asyncio.sleep(LOOK_INTERVAL_S)


async def check_shown(directory: Path, name: str) -> None:
    """Make a fault: its question's metrics move and no others, and ``harmonic status`` says it."""
    question = QUESTIONS[name]
    async with used(directory) as scene:
        begun = await scene.shown()
        # Watched, not waited for: nothing is to happen.
        await asyncio.sleep(HEALTHY_S)
        healthy = await scene.shown()
        assert moved(begun, healthy) == set()

        await FAULTS[name](scene)
        expected = {sign.metric for sign in question.signs}
        shown: set[str] = set()
        with suppress(TimeoutError):
            async with asyncio.timeout(SHOWN_WITHIN_S):
                while not expected <= shown:
                    await asyncio.sleep(LOOK_INTERVAL_S)
                    shown |= moved(healthy, await scene.shown(), SIGNS)
        assert shown == expected

        status = await harmonic(scene.stack, "status")
        assert status.status == 1, status.output
        assert re.search(question.says, status.errors), status.errors
