"""Rung 7: everything is replaced under two hundred clients, who lose nothing and move no more than
they must.

What a client must move is counted as the restarts go on: once for each gateway that is stopped
while it holds the client. Which gateway takes a client that moves is the proxy's choice, in turn.
"""

import asyncio
import logging
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
import uvloop

from chaos.cluster import cluster_of
from harmonic_local.processes import Managed
from harmonic_local.stack import Stack
from harness.released import NotInClone, Release, last_release, run_by
from harness.world import started
from ladder.audience import CLIENTS, Audience, audience
from ladder.programs import Program
from ladder.rungs import Findings
from proxies.proxies import HAPROXY, NGINX
from recovery.checker import quantile
from recovery.failover import ROLLING_PAUSE_S, ways_back

PROGRAMS = tuple(Program(each.name, each.name) for each in (HAPROXY, NGINX))
GATEWAYS, BROKERS, STATES = 3, 3, 2
KINDS = ("gateway", "state", "music")
#: How far clients may move above what the restarts imply, and how long they may be down, p99.
MOVES, SURGE_MOVES, DOWN_S = 1.05, 1.0, 3.0
SETTINGS: dict[str, Any] = {
    # As deploy/vm ships them: proxies are told of a stop before clients are.
    "HARMONIC_TRUSTED_PROXIES": "127.0.0.0/8",
    "HARMONIC_DRAIN_NOTICE_S": "3",
    "HARMONIC_DRAIN_STAGGER_S": "3",
    # The logs are held against what everybody saw: all of them.
    "HARMONIC_HISTORY_SNAPSHOTS": "256",
    "HARMONIC_LOG_RECORDS": "131072",
}


def check() -> Findings:
    """Replace a product of this tree, and one of the last release by this tree and back."""
    found = Findings()
    release = last_release()
    try:
        release.build()
    except NotInClone as error:
        found.missing.append(str(error))
    if found.missing:
        return found
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    folder = Path(tempfile.mkdtemp(prefix="ladder-rolling-"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_this_tree(folder / "tree", found))
            runner.run(_forth_and_back(folder / "release", release, found))
    finally:
        shutil.rmtree(folder)
    return found


async def _this_tree(folder: Path, found: Findings) -> None:
    """A rolling restart of everything; then a full surge of gateways."""
    async with started(
        folder, brokers=BROKERS, states=STATES, gateways=2 * GATEWAYS, **SETTINGS
    ) as stack:
        now, next_ones = stack.gateways[:GATEWAYS], stack.gateways[GATEWAYS:]
        await asyncio.gather(*(each.stop() for each in next_ones))
        async with audience(stack, folder) as everybody:
            await _come(everybody, found)
            async with everybody.written_to(found):
                async with _watched(everybody, found, "restart", MOVES) as watch:
                    await _restart_brokers(stack)
                    await _roll(watch, [*stack.states, *stack.musics, *now], None, ())
                async with _watched(everybody, found, "full surge", SURGE_MOVES) as watch:
                    await asyncio.gather(*(each.start() for each in next_ones))
                    await asyncio.sleep(ROLLING_PAUSE_S)
                    for gateway in now:
                        await watch.expect(gateway)
                    await asyncio.gather(*(each.stop() for each in now))
        _kill(stack)


async def _forth_and_back(folder: Path, release: Release, found: Findings) -> None:
    """The last release, replaced by this tree, replaced by the last release."""
    async with started(
        folder,
        brokers=BROKERS,
        states=STATES,
        gateways=GATEWAYS,
        command=run_by(release, KINDS),
        **SETTINGS,
    ) as stack:
        processes = [*stack.states, *stack.musics, *stack.gateways]
        async with audience(stack, folder) as everybody:
            await _come(everybody, found)
            async with everybody.written_to(found):
                for way, kinds in (("upgrade", ()), ("rollback", KINDS)):
                    async with _watched(everybody, found, way, MOVES) as watch:
                        await _restart_brokers(stack)
                        await _roll(watch, processes, release, kinds)
        _kill(stack)


async def _come(everybody: Audience, found: Findings) -> None:
    came = await everybody.come()
    found.count("clients connected at once", came)
    if came != CLIENTS:
        found.faults.append(f"{came} of {CLIENTS} connected with their first try")


async def _roll(
    watch: "Watch",
    processes: Sequence[Managed],
    release: Release | None,
    released: Collection[str],
) -> None:
    """Replace processes one after the other; kinds that are ``released`` by that version."""
    for process in processes:
        await watch.expect(process)
        await process.stop()
        if release is not None:
            module = f"harmonic_{process.name.partition('-')[0]}"
            process.command = run_by(release, released)(process.name, module)
        await process.start()
        await asyncio.sleep(ROLLING_PAUSE_S)
        await watch.everybody.all_there()


async def _restart_brokers(stack: Stack) -> None:
    async with cluster_of(stack) as cluster:
        for broker in stack.brokers:
            await broker.stop()
            await broker.start()
            await cluster.healthy()


@dataclass
class Watch:
    """How often each client has to move while something is replaced."""

    everybody: Audience
    implied: Counter[str] = field(default_factory=Counter)

    async def expect(self, process: Managed) -> None:
        """Note who has to move when a process stops: whom it holds, if it is a gateway."""
        if process.name.startswith("gateway"):
            held = await self.everybody.at(process.name)
            self.implied += Counter(name for name in held if name.startswith("client"))


@asynccontextmanager
async def _watched(
    everybody: Audience, found: Findings, way: str, most: float
) -> AsyncIterator[Watch]:
    """Watch what happens in a block, and judge it at its end."""
    watch = Watch(everybody)
    before, since_ms = await everybody.connects(), time.time() * 1000
    yield watch
    await everybody.all_there()
    after = await everybody.connects()
    moves = Counter({name: after[name] - before[name] for name in after})
    implied = watch.implied
    found.count(f"moves in the {way}", moves.total())
    found.count(f"implied by the order of the {way}", implied.total())
    notes = [
        [note for note in each if note[0] >= since_ms]
        for each in (await everybody.notes()).values()
    ]
    down_s = ways_back(notes)
    refused = Counter(
        message for each in notes for _, what, message, *_ in each if what == "connect_error"
    )
    p99_s = quantile(down_s, 0.99)
    found.count(f"ms down at p99 of the {way}", round(1000 * p99_s))
    tries = dict(refused) or "none"
    found.notes.append(f"{way}: down for {max(down_s):.1f} s at most; tries that failed: {tries}")
    if len(down_s) != moves.total():
        found.faults.append(f"{way}: {len(down_s)} of {moves.total()} moves came to an end")
    if moves.total() > most * implied.total():
        found.faults.append(f"{way}: moved more often than implied: {dict(moves - implied)}")
    if p99_s > DOWN_S:
        found.faults.append(f"{way}: down for {sorted(down_s)[-5:]} s at most")


def _kill(stack: Stack) -> None:
    """Nobody is interested in how it would say goodbye."""
    for process in stack.processes:
        process.kill()
