"""``python -m chaos.endless``: an endless piece while replicas of all services are killed in turn.

Members stay in a room at two gateways, are cut off and return; one of them moves a slider. What
each of them heard is compared at the end: no gap, no overlap, the same notes for all, every bar in
time.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp

from chaos.product import failures
from harness.faults import down
from harness.wire import Wire
from harness.world import World, started

KEYS = ("C", "G", "D", "A", "E", "F")
#: How far a client on the other side of a continent is.
LATENCY_S = 0.08
RETRY_S = 0.1
#: What rounding to a millisecond may make of two times' distance.
ROUNDED_S = 0.0011


@dataclass
class Heard:
    """The bars that a member heard, each as it came first, and how long before its beginning."""

    bars: dict[int, Any] = field(default_factory=dict)
    leads_s: dict[int, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    came_s: list[float] = field(default_factory=list)

    def take(self, bar: Any) -> None:
        number = bar["bar"]
        known = self.bars.setdefault(number, bar)
        if known != bar:
            self.faults.append(f"bar {number} came again as another one")
        self.leads_s.setdefault(number, begins_s(bar) - time.time())


def begins_s(bar: Any) -> float:
    return datetime.fromisoformat(bar["startsAt"]).timestamp()


class Listening:
    """A member that comes back whenever its connection is lost, to whichever gateway is there."""

    def __init__(self, world: World, universe: str, user: str) -> None:
        self._world, self._universe = world, universe
        self.user = user
        self.heard = Heard()
        self.wire: Wire | None = None
        self._gateways = itertools.cycle(range(len(world.stack.urls)))

    async def stay(self) -> None:
        while True:
            try:
                await self._enter()
                while True:
                    name, data = await self._wire.hears()
                    if name == "music_bar":
                        self.heard.take(data)
            except (aiohttp.ClientError, AssertionError, TypeError, TimeoutError, OSError):
                await asyncio.sleep(RETRY_S)

    @property
    def _wire(self) -> Wire:
        assert self.wire is not None
        return self.wire

    async def _enter(self) -> None:
        gateway = next(self._gateways)
        if self.wire is None:
            self.wire = await Wire.open(self._world, self.user, gateway=gateway, agent=self.user)
        else:
            self.wire = await self.wire.again(self._world, gateway=gateway)
        if not self.wire.recovered:
            await self.wire.says("join_room", universeId=self._universe, mode="edit")
        self.heard.came_s.append(time.time())


async def campaign(directory: Path, duration_s: float, kill_every_s: float) -> list[str]:
    """Play for a time; what is told of it, and of what went wrong."""
    async with (
        started(
            directory,
            gateways=2,
            states=2,
            musics=2,
            HARMONIC_DEPARTURE_GRACE_S="10",
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe = await world.universe()
        members = [Listening(world, universe, f"member-{number}") for number in range(4)]
        tasks = [asyncio.create_task(member.stay()) for member in members]
        changes: list[tuple[float, int, str]] = []
        await asyncio.sleep(1)
        starter = members[0].wire
        assert starter is not None
        await starter.says("start_music", universeId=universe, seed=5, style="pop")
        ends_s = time.time() + duration_s
        slider = asyncio.create_task(_slide(world, universe, changes))
        cutting = asyncio.create_task(_cut(members[1:]))
        killed = 0
        victims = itertools.cycle(
            process
            for kinds in zip(stack.gateways, stack.states, stack.musics, strict=True)
            for process in kinds
        )
        while time.time() < ends_s:
            await asyncio.sleep(kill_every_s)
            async with down(next(victims)):
                killed += 1
                await asyncio.sleep(2)
        await asyncio.sleep(5)
        for task in (slider, cutting, *tasks):
            task.cancel()
        await asyncio.gather(slider, cutting, *tasks, return_exceptions=True)
    return [f"{killed} kills", *_verdict([each.heard for each in members], changes, directory)]


async def _slide(world: World, universe: str, changes: list[tuple[float, int, str]]) -> None:
    """Change the key every 20 s, over the HTTP API of whichever gateway is there."""
    body: dict[str, Any]
    for number in itertools.count(1):
        await asyncio.sleep(20)
        key = KEYS[number % len(KEYS)]
        body = {"music": {"key": key, "tempo": 90 + number % 5 * 6}}
        asked_s = time.time()
        client = None
        for gateway in (0, 1, 0, 1):
            try:
                client = await world.client(f"slider-{number}", gateway=gateway)
                await client.joins(universe)
                ack = await client.asks("update_parameters", universeId=universe, **body)
                if ack["ok"]:
                    changes.append((asked_s, ack["seq"], key))
                    break
            except Exception:  # noqa: BLE001 -- a gateway that is down: the other one is asked
                await asyncio.sleep(RETRY_S)
        if client is not None:
            await client.close()


async def _cut(members: list[Listening]) -> None:
    """Cut one member off after the other."""
    for member in itertools.cycle(members):
        await asyncio.sleep(7)
        if member.wire is not None:
            member.wire.cut()


def _verdict(
    heard: list[Heard], changes: list[tuple[float, int, str]], directory: Path
) -> list[str]:
    bars: dict[int, Any] = {}
    faults = [fault for each in heard for fault in each.faults]
    for each in heard:
        for number, bar in each.bars.items():
            if bars.setdefault(number, bar) != bar:
                faults.append(f"bar {number} is not the same for all")
    ordered = [bars[number] for number in sorted(bars)]
    gaps = [
        f"bar {after['bar']} begins {begins_s(after) - begins_s(one) - one['duration']:+.3f} s off"
        for one, after in pairwise(ordered)
        if after["bar"] != one["bar"] + 1
        or abs(begins_s(after) - begins_s(one) - one["duration"]) > ROUNDED_S
    ]
    missing = [
        f"member {who} did not hear bar {bar['bar']}"
        for who, each in enumerate(heard)
        for bar in ordered[:-3]
        if bar["bar"] not in each.bars and begins_s(bar) > each.came_s[0]
    ]
    wrong_keys = [
        f"bar {bar['bar']} has another key than update {bar['asOf']}"
        for bar in ordered
        if (known := [key for _, seq, key in changes if seq <= bar["asOf"]])
        and known[-1] != bar["key"]
    ]
    leads = sorted(lead - LATENCY_S for lead in heard[0].leads_s.values())
    late = [lead for lead in leads if lead < 0.5]
    waits = [wait for change in changes if (wait := _wait(change, ordered)) is not None]
    return [
        f"{len(ordered)} bars, mean {statistics.fmean(bar['duration'] for bar in ordered):.2f} s",
        f"gaps and overlaps: {len(gaps)} {gaps[:5]}",
        f"bars that members missed: {len(missing)} {missing[:8]}",
        f"not the same for all: {len(faults)} {faults[:3]}",
        f"other parameters than the log's: {len(wrong_keys)} {wrong_keys[:3]}",
        (
            f"lead of a member that is not cut, less {LATENCY_S} s: least {leads[0]:.2f}, p1"
            f" {leads[len(leads) // 100]:.2f}, median {statistics.median(leads):.2f} s;"
            f" {len(late)} below 0.5 s"
        ),
        f"bars until a change is heard: most {max(waits, default=0)} of {len(waits)} changes",
        f"failures logged: {len(failures(directory))}",
    ]


def _wait(change: tuple[float, int, str], ordered: list[Any]) -> int | None:
    """How many bars after the one that sounded at a change begins the first that has it."""
    asked_s, seq, _ = change
    sounding = [bar["bar"] for bar in ordered if begins_s(bar) <= asked_s]
    having = [bar["bar"] for bar in ordered if bar["asOf"] >= seq]
    return having[0] - sounding[-1] if sounding and having else None


def main() -> None:
    """Run it, and tell."""
    parser = argparse.ArgumentParser(prog="chaos.endless", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--kill-every", type=float, default=18.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        told = asyncio.run(campaign(Path(directory), arguments.seconds, arguments.kill_every))
    for line in told:
        print(line)  # noqa: T201 -- it is what the program is for


if __name__ == "__main__":
    main()
