"""Sessions that move while something else happens, at every step of the way.

python -m peers.handovers              each step against each event
python -m peers.handovers --random 500 as many members at random steps and moments instead
"""

import argparse
import asyncio
import itertools
import logging
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import assert_never

import aiohttp
import structlog
import uvloop

from chaos.promises import say
from harmonic_local.processes import Managed, free_port
from harmonic_local.stack import Stack
from harness.held_bus import Held, HeldBus, held_bus
from harness.javascript import javascript
from harness.world import World, started
from recovery.members import Member, Members
from recovery.proxy import Direction, Kind, Loss, proxy
from recovery.scene import QUICK, Cast, Scene

PATIENCE_S = 60.0
#: Members that move at the same time.
AT_ONCE = 5
#: Members that are there at the end of a part of the random ones.
AT_RANDOM = 25
WRONG = ("missing", "duplicated", "out of order", "unknown")
UPDATES_PER_S = 20.0
LOOK_S, LOOKS_IN_A_ROW = 0.02, 15
#: The longest pause, at random, before and after something happens.
LONGEST_PAUSE_S = 0.05


class Step(StrEnum):
    """What the new gateway says and hears while a session moves to it, in this order."""

    PROBED = "it says that the probe came"
    ASKS = "it asks for the session"
    HANDED = "it is handed the session"
    SEATS = "it asks for a seat"
    SEATED = "it is given the seat"
    TAKEN = "it says that it has the session"


class Event(StrEnum):
    """What happens meanwhile."""

    NOTHING = "nothing"
    CUT = "the WebSocket is cut"
    OLD_KILLED = "the old gateway is killed"
    NEW_KILLED = "the new gateway is killed"
    OLD_DRAINS = "the old gateway stops"
    NEW_DRAINS = "the new gateway stops"


@dataclass(frozen=True)
class Sign:
    """How a step's messages are known on the new gateway's way to the broker."""

    subject: Callable[[str], bool]
    texts: tuple[bytes, ...] = (b"",)

    def means(self, message: bytes) -> bool:
        """Whether a message of such a subject is one."""
        return any(text in message for text in self.texts)


def _peer(subject: str) -> bool:
    return subject.startswith("hu.peer.")


def _inbox(subject: str) -> bool:
    return subject.startswith("_INBOX.")


SIGNS = {
    # What follows it from the same gateway does not overtake it.
    Step.PROBED: Sign(_peer, (b"Hu-Kind: PROBED", b"Hu-Kind: TRY_FAILED")),
    Step.ASKS: Sign(_peer, (b"Hu-Kind: HAND_OVER",)),
    Step.HANDED: Sign(_inbox, (b'"packets"',)),
    Step.SEATS: Sign(lambda subject: subject.endswith(".resume_room")),
    Step.SEATED: Sign(_inbox, (b'"continued"',)),
    Step.TAKEN: Sign(_peer, (b"Hu-Kind: TAKEN_OVER",)),
}


@dataclass
class Stage:
    """Two gateways, the new one with a way to the broker on which messages can be held."""

    playing: Scene
    old: Managed
    new: Managed
    bus: HeldBus
    chance: random.Random
    raced: Counter[tuple[Step, Event]] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def race(self, step: Step, event: Event, members: int, pause_s: float = 0.0) -> None:
        """Have some members' sessions come so far, then something happen, then go on."""
        self.playing.proxy.lets_upgrade.clear()
        names = [await self._opened() for _ in range(members)]
        # In their rooms, still polling.
        await self._came(names)
        with self.hold(step) as held:
            self.playing.proxy.lets_upgrade.set()
            # That sessions were taken over is told of several at once.
            await self._reached(held, 1 if step is Step.TAKEN else members)
            await self._happens(event, pause_s)
        for gateway in (self.old, self.new):
            if event in {Event.OLD_DRAINS, Event.NEW_DRAINS} and not self._stays(gateway, event):
                await gateway.ended()
            if not gateway.runs:
                await gateway.start()
        await self.playing.members.all_there(PATIENCE_S, beyond={})
        await self._settled()
        self.raced[step, event] += members

    @property
    def new_url(self) -> str:
        """Where the new gateway is."""
        return f"http://127.0.0.1:{self.new.environment['HARMONIC_PORT']}"

    def hold(self, step: Step) -> AbstractContextManager[Held]:
        """Hold the messages of a step until the block ends."""
        sign = SIGNS[step]
        return self.bus.hold(sign.subject, sign.means)

    async def _opened(self) -> str:
        playing = self.playing
        number = next(self._numbers)
        user = f"member-{number}"
        member = Member(user, playing.world.token(user), playing.universes, QUICK)
        await playing.members.open(member)
        return user

    async def _came(self, names: Sequence[str]) -> None:
        """Return once these have been sent something of their rooms."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                known = await self.playing.members.progress()
                if all(known[name] for name in names):
                    return
                await asyncio.sleep(LOOK_S)

    async def _settled(self) -> None:
        """Return once no member goes over any more: those whose try failed stay with polling."""
        looks, before = 0, -1
        async with asyncio.timeout(PATIENCE_S):
            while looks < LOOKS_IN_A_ROW:
                await asyncio.sleep(LOOK_S)
                links = self.playing.proxy.links
                now = sum(link.kind in {Kind.UPGRADE, Kind.WEBSOCKET} for link in links)
                looks, before = (looks + 1, now) if now == before else (0, now)

    async def _reached(self, held: Held, members: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(held.waiting) < members:  # noqa: ASYNC110 -- it is told of the first only
                await asyncio.sleep(LOOK_S)

    async def _happens(self, event: Event, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        match event:
            case Event.NOTHING:
                pass
            case Event.CUT:
                for link in list(self.playing.proxy.links):
                    if link.kind is Kind.UPGRADE and link.is_sound:
                        link.lose(Loss.CUT, Direction.DOWN, 1)
                        link.lose_now()
            case Event.OLD_KILLED:
                self.old.kill()
                await self.old.ended()
            case Event.NEW_KILLED:
                self.new.kill()
                await self.new.ended()
            case Event.OLD_DRAINS:
                self.old.send_signal(signal.SIGTERM)
            case Event.NEW_DRAINS:
                self.new.send_signal(signal.SIGTERM)
            case unreachable:
                assert_never(unreachable)
        await asyncio.sleep(pause_s)

    def _stays(self, gateway: Managed, event: Event) -> bool:
        return gateway is (self.new if event is Event.OLD_DRAINS else self.old)


@asynccontextmanager
async def stage(folder: Path, seed: int = 1) -> AsyncIterator[Stage]:
    """A product whose clients begin at one gateway and go over at another; somebody writes."""
    cast = Cast(rooms=2, members=0, updates_per_s=UPDATES_PER_S, musics=0, writers_at=(1,))
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            started(folder, gateways=2, musics=0, HARMONIC_DEPARTURE_GRACE_S="10")
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        bridge = await stack.enter_async_context(javascript())
        bus = await stack.enter_async_context(held_bus(running.broker_urls[0]))
        port = free_port()
        new = _gateway(running, bus, port, folder)
        await new.start()
        stack.push_async_callback(_ended, new)
        ports = [running.gateway_ports[0], port]
        balancer = await stack.enter_async_context(
            proxy(ports, ["old", "new"], linger_s=1.0, plain=True)
        )
        # Everything goes to the old gateway but WebSockets, as long as both are there.
        balancer.prefers = lambda kind: int(kind in {Kind.UPGRADE, Kind.WEBSOCKET})
        members = Members(bridge, balancer.url)
        playing = Scene(cast, World(running, http), balancer, members)
        try:
            await playing.begin()
            yield Stage(playing, running.gateways[0], new, bus, random.Random(seed))
        finally:
            await playing.close()
            for process in running.processes:
                process.kill()


async def _ended(process: Managed) -> None:
    if process.runs:
        process.kill()
        await process.ended()


def _gateway(running: Stack, bus: HeldBus, port: int, folder: Path) -> Managed:
    first = running.gateways[0]
    environment = {
        **first.environment,
        "HARMONIC_NATS_URL": bus.url,
        "HARMONIC_PORT": str(port),
        "HARMONIC_OPS_PORT": str(free_port()),
        "HARMONIC_INSTANCE": "new-gateway",
    }

    def output(_: str, line: str) -> None:
        with (folder / "new-gateway.log").open("a") as file:
            file.write(line + "\n")

    return Managed("new-gateway", first.command, environment, output, first.sign)


async def campaign(folder: Path, steps: Sequence[Step], tries: int, seed: int) -> bool:
    """Race steps against every event, and so many members at random; whether all is well."""
    is_good = True
    for step in steps:
        async with stage(folder / step.name, seed) as racing:
            for event in Event:
                await racing.race(step, event, AT_ONCE)
            is_good &= await _ends(racing, step)
    for number in range(0, tries, AT_RANDOM):
        async with stage(folder / str(number), seed + number) as racing:
            for _ in range(0, min(AT_RANDOM, tries - number), AT_ONCE):
                step, event = racing.chance.choice(list(Step)), racing.chance.choice(list(Event))
                pause_s = racing.chance.uniform(0, LONGEST_PAUSE_S)
                await racing.race(step, event, AT_ONCE, pause_s)
            is_good &= await _ends(racing, f"{number + AT_RANDOM} at random")
    return is_good


async def _ends(racing: Stage, what: str) -> bool:
    """Say what became of everybody; whether it is as promised."""
    outcome = await racing.playing.end()
    recovered = sum(back.recovered for back in outcome.returns)
    counts = {kind: outcome.verdict.counts[kind] for kind in WRONG}
    say(
        f"{what}: {racing.raced.total()} handovers, {recovered} of {len(outcome.returns)} returns"
        f" recovered, {counts} of {outcome.verdict.counts['sent']}",
    )
    is_good = outcome.is_good and recovered == len(outcome.returns)
    if not is_good:
        say(str(outcome))
    return is_good


def main() -> int:
    """The exit status: 0 if nothing was lost, doubled or out of order."""
    parser = argparse.ArgumentParser(prog="peers.handovers", description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="step", help=", ".join(Step.__members__))
    parser.add_argument("--random", type=int, default=0, metavar="MEMBERS")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    chosen = parser.parse_args()
    named = [Step[name] for name in chosen.steps]
    steps = named or ([] if chosen.random else list(Step))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = Path(tempfile.mkdtemp(prefix="handovers-"))
    say(f"seed {chosen.seed}, logs in {folder}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ran = campaign(folder, steps, chosen.random, chosen.seed)
        return 0 if runner.run(ran) else 1


if __name__ == "__main__":
    sys.exit(main())
