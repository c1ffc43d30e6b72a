"""``python -m chaos.endless``: an endless piece while replicas of all services are killed in turn.

Members stay in a room at two gateways, far away, are cut off and return; others come for a while;
sliders are moved. At the end, what each of them heard is compared with the rest and with the log:
no gap, no overlap, no bar twice, the same notes for all, every bar in time. Exits 1 if a line does
not hold.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from chaos.bars import (
    Change,
    Heard,
    LoggedBar,
    drift_us,
    gaps,
    leads,
    logged,
    missed,
    waits,
    wrong_in_log,
    wrong_notes,
)
from chaos.far import far_from
from chaos.product import failures
from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_protocol.log import Record
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.faults import down, drained
from harness.wire import Wire
from harness.world import World, started

KEYS = ("C", "G", "D", "A", "E", "F")
RETRY_S = 0.1
MEMBERS = 4
#: Seconds that a killed replica is away, and between two of the other troubles.
DOWN_S, SLIDER_S, CUT_S, VISIT_S = 2.0, 20.0, 7.0, 12.0
#: Seconds before its beginning that a bar is to be there, and the share that may miss it.
LEAST_LEAD_S, SHARE = 0.5, 0.01
MOST_WAIT_BARS, MOST_DRIFT_US = 2, 1000.0
READ_AT_ONCE = 200
SEED = 5


@dataclass(frozen=True)
class Plan:
    """How long a piece is played, and what happens meanwhile; 0 is never."""

    seconds: float
    kill_every_s: float
    drains: bool
    latency_s: float
    tempos: tuple[float, float]


class Listening:
    """A member that comes back whenever its connection is lost, to whichever gateway is there."""

    def __init__(self, world: World, universe: str, user: str) -> None:
        self._world, self._universe = world, universe
        self.user = user
        self.heard = Heard()
        self.wire: Wire | None = None
        self.entered = asyncio.Event()
        #: Why it had to enter again, each time.
        self.rejoined: list[str] = []
        self._gateways = itertools.cycle(range(len(world.stack.urls)))

    async def stay(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                wire = await self._enter()
                while True:
                    name, data = await wire.hears()
                    if name == "room_joined":
                        self.entered.set()
                    elif name == "music_bar":
                        self.heard.take(data, time.time())
                    elif name == "room_error" or (
                        name == "connect_success" and wire.recovered and not data["recovered"]
                    ):
                        # Its session could not be continued.
                        self.rejoined.append(str(data.get("error") or data["recovery"]))
                        await self._join(wire)
            except (aiohttp.ClientError, AssertionError, TypeError, TimeoutError, OSError):
                await asyncio.sleep(RETRY_S)

    async def visit(self, seconds: float) -> None:
        """Listen for a time, and leave for good."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.stay()
        finally:
            self.heard.left_s = time.time()
            if self.wire is not None:
                self.wire.cut()

    async def _enter(self) -> Wire:
        gateway = next(self._gateways)
        if self.wire is None:
            self.wire = await Wire.open(self._world, self.user, gateway=gateway, agent=self.user)
        else:
            self.wire = await self.wire.again(self._world, gateway=gateway)
        # Bars may come from here on.
        self.heard.came_s.append(time.time())
        if not self.wire.recovered:
            await self._join(self.wire)
        return self.wire

    async def _join(self, wire: Wire) -> None:
        await wire.says("join_room", universeId=self._universe, mode="edit")


@dataclass
class Played:
    """What came of a piece."""

    universe: str = ""
    members: list[Listening] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    kills: int = 0
    cuts: int = 0
    records: list[Record] = field(default_factory=list)
    most_bar_bytes: int = 0

    @property
    def heard(self) -> list[Heard]:
        return [member.heard for member in self.members]


class Line(NamedTuple):
    """What was seen, and whether it is as promised."""

    text: str
    holds: bool = True


async def play(stack: Stack, world: World, plan: Plan) -> Played:
    """Play a piece, with all that is planned."""
    played = Played(await world.universe())
    played.members = [
        Listening(world, played.universe, f"member-{number}") for number in range(MEMBERS)
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(member.stay()) for member in played.members]
        for member in played.members:
            await member.entered.wait()
        starter = played.members[0].wire
        assert starter is not None
        await starter.says("start_music", universeId=played.universe, seed=SEED, style="pop")
        ends_s = time.time() + plan.seconds
        troubles = [_slide(world, played, plan), _cut(played), _visits(world, played)]
        if plan.kill_every_s:
            troubles.append(_kill(stack, played, plan))
        busy = [group.create_task(each) for each in troubles]
        await asyncio.sleep(plan.seconds)
        for task in busy:
            task.cancel()
        await asyncio.wait(busy)
        # What was recorded until now is heard.
        await asyncio.sleep(max(0.0, ends_s + 5 - time.time()))
        for task in tasks:
            task.cancel()
    await _read(stack, played)
    return played


async def _kill(stack: Stack, played: Played, plan: Plan) -> None:
    """Kill one replica after the other, each service's in turn; or ask each to stop."""
    away = drained if plan.drains else down
    for kinds in itertools.cycle(zip(stack.gateways, stack.states, stack.musics, strict=True)):
        for victim in kinds:
            await asyncio.sleep(plan.kill_every_s)
            async with away(victim):
                played.kills += 1
                await asyncio.sleep(DOWN_S)


async def _slide(world: World, played: Played, plan: Plan) -> None:
    """Move key, tempo and gravity, by a client of its own, at whichever gateway is there."""
    rng = random.Random(SEED)
    for number in itertools.count(1):
        await asyncio.sleep(SLIDER_S)
        music = {"key": rng.choice(KEYS), "tempo": round(rng.uniform(*plan.tempos), 1)}
        changes = {"music": music, "physics": {"gravity": round(rng.uniform(1, 19), 2)}}
        client = None
        for gateway in (0, 1, 0, 1):
            try:
                client = await world.client(f"slider-{number}", gateway=gateway)
                await client.joins(played.universe)
                asked_s = time.time()
                ack = await client.asks("update_parameters", universeId=played.universe, **changes)
                if ack["ok"]:
                    played.changes.append(Change(asked_s, ack["seq"]))
                    break
            except Exception:  # noqa: BLE001 -- a gateway that is down: the other one is asked
                await asyncio.sleep(RETRY_S)
        if client is not None:
            await client.close()


async def _cut(played: Played) -> None:
    """Cut one member off after the other, but the first."""
    for member in itertools.cycle(played.members[1:MEMBERS]):
        await asyncio.sleep(CUT_S)
        if member.wire is not None:
            played.cuts += 1
            member.wire.cut()


async def _visits(world: World, played: Played) -> None:
    """Have somebody come for a while, one after the other."""
    for number in itertools.count(1):
        visitor = Listening(world, played.universe, f"visitor-{number}")
        played.members.append(visitor)
        await visitor.visit(VISIT_S)


async def _read(stack: Stack, played: Played) -> None:
    """Read the universe's log, and what the bars' stream takes."""
    async with connected_as("admin", stack) as bus:
        streams, following = Streams(bus), 1
        stream, subject = subjects.log_stream_of(played.universe), subjects.log(played.universe)
        while stored := await streams.read(
            stream, subject, from_sequence=following, limit=READ_AT_ONCE
        ):
            played.records += [Record.model_validate_json(each.payload) for each in stored]
            following = stored[-1].sequence + 1
        kept = await streams.latest(
            subjects.BARS_STREAM, subjects.bars(played.universe), limit=READ_AT_ONCE
        )
        played.most_bar_bytes = max((len(each.payload) for each in kept), default=0)


async def campaign(directory: Path, plan: Plan) -> list[Line]:
    """Play, and judge."""
    async with (
        started(
            directory,
            gateways=2,
            states=2,
            musics=2,
            HARMONIC_DEPARTURE_GRACE_S="10",
        ) as stack,
        far_from(stack.gateway_ports, plan.latency_s) as far,
        # Connections that were cut count as open for as long as somebody knows them.
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        played = await play(stack, World(replace(stack, gateway_ports=far), http), plan)
    return [*judged(played, plan), Line(f"failures logged: {len(failures(directory))}")]


def judged(played: Played, plan: Plan) -> Iterator[Line]:
    """What was seen of a piece, line by line."""
    begun, piece = logged(played.records)
    bars: dict[int, Any] = {}
    differing = [fault for heard in played.heard for fault in heard.faults]
    for heard in played.heard:
        for number, bar in heard.bars.items():
            if bars.setdefault(number, bar) != bar:
                differing.append(f"bar {number} is not the same for all")
    ordered = [bars[number] for number in sorted(bars)]
    mean_s = statistics.fmean(bar["duration"] for bar in ordered)
    how = "drained" if plan.drains else "killed"
    visitors = len(played.members) - MEMBERS
    yield Line(
        f"{played.kills} {how}, {played.cuts} cuts, {visitors} visitors,"
        f" {len(played.changes)} sliders; {plan.latency_s * 1000:.0f} ms each way"
    )
    yield Line(f"{len(ordered)} bars heard, {len(piece)} recorded, mean {mean_s:.2f} s")
    yield _none("gaps and overlaps", gaps(ordered))
    # The last ones are recorded and not yet heard.
    done = [each for each in piece if each.bar.bar <= max(bars)]
    yield _none("bars that members missed", missed(played.heard, done))
    yield _none("not the same for all", differing)
    yield _none("wrong in the log", list(wrong_in_log(piece)))
    wrong = list(wrong_notes(played.universe, begun, piece, bars))
    yield _none("not what the record makes", wrong)
    yield from _in_time(played, piece, ordered)


def _in_time(played: Played, piece: Sequence[LoggedBar], ordered: Sequence[Any]) -> Iterator[Line]:
    there, returned = leads(played.heard, piece)
    late = sum(lead < LEAST_LEAD_S for lead in there)
    yield Line(
        f"lead of members who were there, {len(there)} bars: least {there[0]:.2f}, p1"
        f" {there[int(len(there) * SHARE)]:.2f}, median {statistics.median(there):.2f} s;"
        f" {late} below {LEAST_LEAD_S} s",
        there[int(len(there) * SHARE)] >= LEAST_LEAD_S,
    )
    if returned:
        share = sum(lead < 0 for lead in returned) / len(returned)
        yield Line(
            f"of members who came or returned after a bar's record, {len(returned)} bars: median"
            f" {statistics.median(returned):.2f} s, {share:.0%} while the bar sounded"
        )
    found = waits(played.changes, ordered)
    most = max((bars for bars, _ in found), default=0)
    yield Line(
        f"a slider is heard after at most {most} bars,"
        f" {max((seconds for _, seconds in found), default=0.0):.2f} s,"
        f" of {len(found)} of {len(played.changes)}",
        most <= MOST_WAIT_BARS and len(found) == len(played.changes),
    )
    drift = drift_us(ordered, piece)
    # Where a bar was put off, all that follow begin as much later.
    yield Line(
        f"most that a bar is off from what the tempos add up to: {drift:.1f} us",
        drift <= MOST_DRIFT_US,
    )
    again = [why for member in played.members for why in member.rejoined]
    yield Line(f"sessions that could not be continued: {len(again)} {again[:3]}")
    yield Line(f"the largest of the last bars takes {played.most_bar_bytes} bytes")


def _none(what: str, faults: Sequence[str]) -> Line:
    return Line(f"{what}: {len(faults)} {list(faults[:5])}", not faults)


def main() -> int:
    """Run it, and tell."""
    parser = argparse.ArgumentParser(prog="chaos.endless", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--kill-every", type=float, default=18.0, help="0: never")
    parser.add_argument("--drain", action="store_true", help="ask replicas to stop: none is killed")
    parser.add_argument("--latency-ms", type=float, default=80.0, help="each way")
    parser.add_argument("--tempos", type=float, nargs=2, default=(80.0, 120.0))
    given = parser.parse_args()
    least, most = given.tempos
    latency_s = given.latency_ms / 1000
    plan = Plan(given.seconds, given.kill_every, given.drain, latency_s, (least, most))
    with tempfile.TemporaryDirectory() as directory:
        told = asyncio.run(campaign(Path(directory), plan))
    for line in told:
        print(("" if line.holds else "NOT HELD: ") + line.text)  # noqa: T201 -- its purpose
    return 0 if all(line.holds for line in told) else 1


if __name__ == "__main__":
    raise SystemExit(main())
