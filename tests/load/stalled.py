"""``python -m load.stalled``: what a reader that stops reading costs the others in its room."""

import asyncio
import os
import random
import resource
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import uvloop

from harmonic_local.tokens import make_token
from harness.world import SECRET
from load.client import LoadClient
from load.returning import ReturningClient
from load.servers import Ours, memory_bytes, ours, quiet

PAIRS = 5
ROOM_SIZE = 100
UPDATES_PER_S = 200.0
#: Longer than the reader may stay.
ROUND_S = 15.0
MAX_RATIO, MAX_GROWTH_MIB, MAX_STAY_S = 1.2, 2.0, 10.0

#: A reader that wants to seem alive says so, whether it was asked or not.
BLIND_PONGS_S = 1.0
LOOK_S = 0.1
MEMORY_LOOK_S = 0.5
HEARD_TIMEOUT_S = 30.0
MIB = 1024 * 1024
#: The first byte of Linux's ``struct tcp_info``.
_ESTABLISHED = 1


class Room:
    """A room whose first member writes at a steady rate; each notes how long updates took."""

    def __init__(self, universe: str) -> None:
        self._universe = universe
        self._members: list[LoadClient] = []
        self._sent_at_s: list[float] = []
        self.took_s: list[float] = []

    async def join(self, server: Ours, count: int) -> None:
        """Let so many members in."""
        for _ in range(count):
            client = LoadClient(_token(), self._universe, self._hearing())
            self._members.append(await client.join(server.port))

    async def write(self, duration_s: float) -> None:
        """Write for so long, and return when everybody has heard everything."""
        began_at_s = time.perf_counter()
        number = 0
        while number < duration_s * UPDATES_PER_S:
            await asyncio.sleep(began_at_s + number / UPDATES_PER_S - time.perf_counter())
            number += 1
            self._sent_at_s.append(time.perf_counter())
            parameters = {"gravity": number % 200 / 10}
            self._members[0].emit(
                "update_physics", {"universeId": self._universe, "parameters": parameters}
            )
        async with asyncio.timeout(HEARD_TIMEOUT_S):
            while len(self.took_s) < number * len(self._members):  # noqa: ASYNC110 -- 20,000 a second
                await asyncio.sleep(LOOK_S)

    def leave(self) -> None:
        """Let all go."""
        for member in self._members:
            member.leave()

    def _hearing(self) -> Callable[[], None]:
        # There is one writer, and one order for all: the n-th heard is the n-th written.
        written = iter(range(sys.maxsize))

        def hear() -> None:
            self.took_s.append(time.perf_counter() - self._sent_at_s[next(written)])

        return hear


class Reader(ReturningClient):
    """One who stops reading, and may go on answering pings that it has not seen."""

    async def stay_without_reading(self, *, blind: bool) -> float:
        """Read nothing until the gateway has had enough; how many seconds that took."""
        assert self._transport is not None
        self._transport.pause_reading()
        began_at_s = pongs_at_s = time.monotonic()
        number = os.dup(self._transport.get_extra_info("socket").fileno())
        with socket.socket(fileno=number) as kernel:
            while kernel.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED:
                if blind and time.monotonic() >= pongs_at_s:
                    self._send("3")
                    pongs_at_s += BLIND_PONGS_S
                await asyncio.sleep(LOOK_S)
        return time.monotonic() - began_at_s

    async def read_again(self, port: int) -> None:
        """Take in what there is, find out about the end, and come back."""
        assert self._transport is not None
        self._transport.resume_reading()
        await self.gone.wait()
        await self.come_back(port)


@dataclass(frozen=True)
class Round:
    """The others' 99th percentile, how much the gateway grew, how long it bore the reader."""

    p99_ms: float
    growth_mib: float
    stay_s: float


async def measure(server: Ours, *, stalled: bool, blind: bool) -> Round:
    """A room of which one stops reading, or does not; what it missed, it hears at the end."""
    [universe] = await server.universes(1)
    room, heard = Room(universe), [0]

    def hear(name: str, fields: dict[str, Any]) -> None:
        if name == "physics_updated":
            heard.append(fields["seq"])

    reader = Reader(_token(), universe, hear=hear)
    await room.join(server, ROOM_SIZE - 1)
    await reader.join(server.port)
    await quiet([server])
    async with asyncio.TaskGroup() as under_way:
        growing = under_way.create_task(_growth_mib(server))
        under_way.create_task(room.write(ROUND_S))
        stay_s = await reader.stay_without_reading(blind=blind) if stalled else 0.0
    if stalled:
        await reader.read_again(server.port)
        assert reader.recovered
    async with asyncio.timeout(HEARD_TIMEOUT_S):
        last = reader.joined_seq + int(ROUND_S * UPDATES_PER_S)
        while heard[-1] < last:  # noqa: ASYNC110 -- over in a moment
            await asyncio.sleep(LOOK_S)
    assert heard == sorted(set(heard))
    room.leave()
    reader.leave()
    return Round(1000 * quantiles(room.took_s, n=100)[-1], growing.result(), stay_s)


async def _growth_mib(server: Ours) -> float:
    """How much more memory than at first the gateway has, at the most, while a round lasts."""
    first = most = memory_bytes(server)
    ends_at_s = time.monotonic() + ROUND_S
    while time.monotonic() < ends_at_s:
        await asyncio.sleep(MEMORY_LOOK_S)
        most = max(most, memory_bytes(server))
    return (most - first) / MIB


def _token() -> str:
    return make_token(SECRET, f"user-{random.randrange(10**9)}")


async def main() -> int:
    """Measure in turn, and print the rounds and the verdicts; 1 if a target is missed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    lines = ["| p99 without (ms) | with (ms) | ratio | grew by (MiB) | stayed (s) | its pongs |"]
    lines.append("|---|---|---|---|---|---|")
    ratios, growths, stays = [], [], []
    async with ours() as server:
        # The first of all rounds has to fill caches, and counts for nothing.
        await measure(server, stalled=False, blind=False)
        for number in range(PAIRS):
            blind = number % 2 == 0
            calm, other = await _pair(server, blind=blind, calm_first=number % 2 == 0)
            ratios.append(other.p99_ms / calm.p99_ms)
            growths.append(other.growth_mib)
            stays.append(other.stay_s)
            lines.append(
                f"| {calm.p99_ms:.2f} | {other.p99_ms:.2f} | {ratios[-1]:.2f}"
                f" | {other.growth_mib:.2f} (without: {calm.growth_mib:.2f})"
                f" | {other.stay_s:.1f} | {'blind' if blind else 'none'} |"
            )
    verdicts = [
        ("the others' p99, median of the ratios", median(ratios), MAX_RATIO),
        ("MiB that the gateway grew by, most", max(growths), MAX_GROWTH_MIB),
        ("seconds until the reader was cut off, most", max(stays), MAX_STAY_S),
    ]
    for what, seen, bound in verdicts:
        met = "met   " if seen <= bound else "MISSED"
        lines.append(f"{met} {what}: at most {bound:g}, seen {seen:.2f}")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(seen > bound for _, seen, bound in verdicts))


async def _pair(server: Ours, *, blind: bool, calm_first: bool) -> tuple[Round, Round]:
    """A round without and one with a reader that stops, one after the other."""
    seen = {}
    for stalled in (not calm_first, calm_first):
        seen[stalled] = await measure(server, stalled=stalled, blind=blind)
    return seen[False], seen[True]


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
