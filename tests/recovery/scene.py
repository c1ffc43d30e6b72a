"""Rooms in which others write all the time, members who get there through the proxy, and in the
end a look at who was sent what."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from harmonic_local.bus import CONFIG
from harmonic_local.stack import Stack, program
from harmonic_protocol import subjects
from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.log import MusicStored, Record
from harmonic_protocol.messages.declaration import Delivery
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.javascript import javascript
from harness.world import World, started
from recovery.checker import Return, Sent, Verdict, check, read_notes
from recovery.members import Member, Members
from recovery.proxy import Proxy, proxy
from recovery.readers import StreamReader
from recovery.writers import Dragger, Writer

#: How long it may take until all have come in, and until all have seen the last frame.
CALM_TIMEOUT_S = 60.0
MOST_RECORDS = 1_000_000
#: The events that are sent again, by the names that they are stored under.
REPLAYED = {MusicStored.name} | {
    name for name, event in EVENTS.items() if event.spec.delivery is Delivery.REPLAYED
}
#: Those that streams of server-sent events have: who comes and goes as well.
STREAMED = REPLAYED | {
    name for name, event in EVENTS.items() if event.spec.delivery is Delivery.PRESENCE
}
#: With these, thousands of cuts take minutes; they change nothing else of the official client. It
#: does not notice that a WebSocket ends before the handshake's answer, and waits for ``timeout``.
QUICK = {"reconnectionDelay": 50, "reconnectionDelayMax": 300, "timeout": 2000}
DEFAULT: dict[str, Any] = {}
WEBSOCKET = {"transports": ["websocket"]}
POLLING = {"transports": ["polling"]}
#: One member in so many is in two rooms.
IN_TWO_ROOMS = 4


@dataclass(frozen=True)
class Cast:
    """Who is there. ``options`` are the official client's, with those of ``transports`` in turn;
    ``settings`` are for the product.
    """

    rooms: int = 5
    members: int = 36
    #: Programs that follow rooms by server-sent events, through the same proxy.
    readers: int = 0
    updates_per_s: float = 50.0
    gateways: int = 3
    states: int = 1
    musics: int = 1
    transports: tuple[dict[str, Any], ...] = (DEFAULT, WEBSOCKET, POLLING)
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    version: str = "4.8.4"
    rejoins: bool = True
    #: The gateways that writers are at, in turn; all if not given.
    writers_at: tuple[int, ...] = ()
    #: Whether those who write show the values on the way, before they store one.
    drags: bool = False
    #: A connection that hangs or is half open ends after so long.
    linger_s: float = 4.0
    #: Whether requests go to gateways in turn, whatever session they are of.
    plain: bool = False
    seed: int = 1


@dataclass
class Outcome:
    """What became of everyone; ``late`` did not get to the end, ``stale`` knows other values."""

    verdict: Verdict
    returns: list[Return]
    errors: list[str]
    late: list[str]
    stale: list[str]
    answers: Counter[str]
    notes: dict[str, list[list[Any]]]
    logs: dict[str, list[Sent]]

    @property
    def is_good(self) -> bool:
        """Whether everyone got everything once, and knows the state as it is."""
        return self.verdict.is_good and not (self.errors or self.late or self.stale)

    def __str__(self) -> str:
        recovered = sum(each.recovered for each in self.returns)
        lines = [
            f"{dict(self.verdict.counts)}",
            f"{len(self.returns)} returns, {recovered} recovered",
            f"writers were answered {dict(self.answers)}",
            *self.verdict.examples,
            *self.errors[:10],
            *(f"late: {name}" for name in self.late),
            *(f"stale: {name}" for name in self.stale),
        ]
        return "\n".join(lines)


class Scene:
    """Everything that plays together."""

    def __init__(self, cast: Cast, world: World, balancer: Proxy, members: Members) -> None:
        self.cast = cast
        self.world = world
        self.stack: Stack = world.stack
        self.proxy = balancer
        self.members = members
        self.chance = random.Random(cast.seed)
        self.universes: list[str] = []
        self._over = asyncio.Event()
        self._writers: list[Writer] = []
        self._writing: list[asyncio.Task[None]] = []
        self._readers: list[StreamReader] = []
        self._reading: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Let everybody come in, and the writers write."""
        cast = self.cast
        new = (self.world.universe(maxParticipants=200) for _ in range(cast.rooms))
        self.universes = list(await asyncio.gather(*new))
        rate = cast.updates_per_s / cast.rooms
        at = cast.writers_at or tuple(range(cast.gateways))
        for number, universe in enumerate(self.universes):
            turn = number % len(at)
            self._writers.append(
                (Dragger if cast.drags else Writer)(
                    self.world,
                    universe,
                    at[turn:] + at[:turn],
                    updates_per_s=rate,
                    music=cast.musics > 0,
                )
            )
        self._writing = [asyncio.create_task(writer.write(self._over)) for writer in self._writers]
        for number in range(cast.members):
            await self.members.open(self._member(number))
        async with asyncio.timeout(CALM_TIMEOUT_S):
            for writer in self._writers:
                await writer.ready.wait()
        late = await self.members.wait_for(dict.fromkeys(self.universes, 1), CALM_TIMEOUT_S)
        assert not late, late
        for number in range(cast.readers):
            await self._reads(self.universes[number % len(self.universes)])

    async def _reads(self, universe: str) -> None:
        name = self.world.name("stream")
        reader = StreamReader(name, self.world.token(name), universe, self.proxy.url)
        self._readers.append(reader)
        self._reading.append(asyncio.create_task(reader.read()))
        async with asyncio.timeout(CALM_TIMEOUT_S):
            await reader.has_begun.wait()

    def _member(self, number: int) -> Member:
        names = self.universes
        mine = [names[number % len(names)]]
        if number % IN_TWO_ROOMS == 0 and len(names) > 1:
            mine.append(names[(number + 1) % len(names)])
        user = self.world.name("member")
        transports = self.cast.transports
        options = {**transports[number % len(transports)], **self.cast.options}
        return Member(user, self.world.token(user), mine, options, self.cast.rejoins)

    async def settle(self) -> dict[str, list[Sent]]:
        """Let the writers stop; what the rooms' logs hold then."""
        self._over.set()
        await asyncio.gather(*self._writing)
        return await read_logs(self.stack, self.universes)

    async def end(self) -> Outcome:
        """Let the writers stop, everybody come to the end, and look."""
        logs = await self.settle()
        ends = {name: log[-1].seq for name, log in logs.items()}
        late = await self.members.wait_for(ends, CALM_TIMEOUT_S)
        outcome = Outcome(Verdict(), [], [], late, [], Counter(), {}, logs)
        stays = []
        for member in self.members.members:
            notes = outcome.notes[member.name] = await self.members.notes(member)
            seen = read_notes(member.name, notes)
            stays += seen.stays
            outcome.returns += seen.returns
            outcome.errors += seen.errors
        outcome.verdict = check(logs, stays)
        outcome.stale = await self._stale()
        if self._readers:
            await self._look_at_readers(outcome)
        for writer in self._writers:
            outcome.answers += writer.answers
        return outcome

    async def _look_at_readers(self, outcome: Outcome) -> None:
        """Add what became of those who follow by server-sent events."""
        logs = await read_logs(self.stack, self.universes, STREAMED)
        fresh = {name: await self.fresh(name) for name in self.universes}
        for reader in self._readers:
            try:
                async with asyncio.timeout(CALM_TIMEOUT_S):
                    await reader.comes_to(logs[reader.universe][-1].seq)
            except TimeoutError:
                outcome.late.append(reader.name)
            outcome.returns += reader.returns
            outcome.errors += reader.errors
            if reader.values != fresh[reader.universe]:
                outcome.stale.append(reader.name)
        found = check(logs, [reader.stay for reader in self._readers])
        outcome.verdict.counts += found.counts
        outcome.verdict.examples += found.examples

    async def close(self) -> None:
        """Stop whatever still goes on."""
        self._over.set()
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        await asyncio.gather(*self._writing, return_exceptions=True)
        await self.members.close()

    async def fresh(self, universe: str) -> Any:
        """A universe's parameters as they are now."""
        status, body = await self.world.call("GET", f"/universes/{universe}", "reader")
        assert status == 200, body
        return body["parameters"]

    async def _stale(self) -> list[str]:
        fresh = {name: await self.fresh(name) for name in self.universes}
        return [
            f"{member.name} in {universe}: {values[universe]} {fresh[universe]}"
            for member in self.members.members
            for values in [await self.members.values(member)]
            for universe in member.universes
            if values[universe] != fresh[universe]
        ]


async def read_logs(
    stack: Stack, universes: Sequence[str], names: Collection[str] = REPLAYED
) -> dict[str, list[Sent]]:
    """The frames of these names, as the universes' logs have them: all that are sent again."""
    async with connected_as("admin", stack) as bus:
        streams = Streams(bus)
        return {universe: await _log(streams, universe, names) for universe in universes}


async def _log(streams: Streams, universe: str, names: Collection[str]) -> list[Sent]:
    stream, subject = subjects.log_stream_of(universe), subjects.log(universe)
    stored = await streams.read(stream, subject, from_sequence=0, limit=MOST_RECORDS)
    return [
        Sent(event.data["seq"], event.name, event.data["timestamp"])
        for message in stored
        for event in Record.model_validate_json(message.payload).events
        if event.name in names
    ]


@asynccontextmanager
async def scene(directory: Path, cast: Cast) -> AsyncIterator[Scene]:
    """A product of its own with everybody in it; nothing is left of it afterwards."""
    history = {"HARMONIC_HISTORY_SNAPSHOTS": "256", "HARMONIC_LOG_RECORDS": "131072"}
    settings = {**history, **cast.settings}
    async with (
        started(
            directory,
            brokers=1,
            gateways=cast.gateways,
            states=cast.states,
            musics=cast.musics,
            command=program,
            broker_config=CONFIG,
            **settings,
        ) as stack,
        aiohttp.ClientSession() as http,
        javascript() as bridge,
        proxy(
            stack.gateway_ports,
            [f"gateway-{number}" for number in range(1, cast.gateways + 1)],
            linger_s=cast.linger_s,
            plain=cast.plain,
        ) as balancer,
    ):
        playing = Scene(
            cast, World(stack, http), balancer, Members(bridge, balancer.url, cast.version)
        )
        try:
            await playing.begin()
            yield playing
        finally:
            await playing.close()
            # Nobody is interested in how it would say goodbye.
            for process in stack.processes:
                process.kill()
