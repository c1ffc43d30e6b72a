"""``python -m load.universes``: what one busy universe, many of them, and a long history cost."""

import argparse
import asyncio
import random
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import uvloop

from harmonic_local.stack import Stack
from harmonic_protocol import subjects
from harmonic_protocol.catalogue import COMMANDS, OPERATIONS
from harmonic_protocol.envelope import Caller, Envelope, Reply
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.directory import watch
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.bus.streams import Streams
from harmonic_state.journal import Journal
from harmonic_state.loaded import Loaded
from harmonic_state.service import record_ids
from harmonic_state.settings import StateSettings
from harness.broker import connected_as
from harness.world import started
from state_service.builders import (
    UNIVERSE,
    History,
    caller,
    command,
    open_universe,
    skipped_messages,
)

WRITERS = 200
SECONDS = 5.0
UNIVERSES, OWNERS = 10_000, 100
CACHE_BYTES = 64 * 2**20
HISTORIES = (100, 1_000, 10_000, 100_000)
TARGET_PER_S = {1: 1_500, 3: 1_000}
MIB = 2**20
AT = "2024-03-21T10:30:00.000Z"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Asker:
    """Asks owners as a gateway does."""

    def __init__(self, owners: OwnerClient) -> None:
        self._owners = owners

    async def ask(self, operation: str, by: Caller, universe: str, **fields: Any) -> Reply:
        declared = COMMANDS.get(operation) or OPERATIONS[operation]
        key = "id" if operation == "create_universe" else "universeId"
        request = declared.model_validate({key: universe, **fields})
        envelope = Envelope(by, int((time.time() + 20) * 1000))
        message = await self._owners.request(
            universe,
            operation,
            request.model_dump_json(by_alias=True, exclude_unset=True).encode(),
            headers=envelope.to_headers(),
            deadline_s=20,
        )
        reply = Reply.model_validate_json(message.payload)
        if reply.error is not None:
            raise RuntimeError(str(reply.error))
        return reply


async def hot_universe(stack: Stack, bus: Bus, asker: Asker) -> tuple[float, float]:
    """Acknowledged updates a second of one universe, and bare appends to one subject a second."""
    owner = Caller("owner", "Owner")
    await asker.ask("create_universe", owner, "hot", name="Hot", maxParticipants=1000)
    writers = [Caller("owner", "Owner", f"c{n}", "g") for n in range(WRITERS)]
    for writer in writers:
        await asker.ask("join_room", writer, "hot", mode="edit")
    ends_at = time.monotonic() + SECONDS
    done = 0

    async def write(writer: Caller) -> None:
        nonlocal done
        while time.monotonic() < ends_at:
            change = {"gravity": round(random.uniform(0, 20), 3)}
            await asker.ask("update_physics", writer, "hot", parameters=change)
            done += 1

    began_at = time.monotonic()
    await asyncio.gather(*map(write, writers))
    updates = done / (time.monotonic() - began_at)
    streams, subject = Streams(bus), subjects.log("bare")
    position = appends = 0
    began_at = time.monotonic()
    while time.monotonic() < began_at + SECONDS:
        position = await streams.append(
            subject, b"x" * 400, expected_last_subject_sequence=position, timeout_s=10
        )
        appends += 1
        if appends % 1000 == 0:
            await streams.purge(subjects.log_stream_of("bare"), subject, up_to=position - 1)
    return updates, appends / (time.monotonic() - began_at)


async def many_universes(stack: Stack, asker: Asker) -> dict[str, float]:
    """Memory of a replica with many universes, and whether those let go come back right."""
    process = psutil.Process(stack.states[0].pid)
    before = process.memory_info().rss
    owners = [Caller(f"owner-{number}", "Owner", "c1", "g") for number in range(OWNERS)]

    async def make(number: int) -> None:
        universe, owner = f"many-{number}", owners[number % OWNERS]
        await asker.ask("create_universe", owner, universe, name=f"Number {number}")
        await asker.ask("join_room", owner, universe, mode="edit")
        change = {"gravity": number % 20}
        await asker.ask("update_physics", owner, universe, parameters=change)

    await in_parts(range(UNIVERSES), make, at_once=100)
    grown = process.memory_info().rss - before
    wrong = 0

    async def check(number: int) -> None:
        nonlocal wrong
        reply = await asker.ask("get_universe", owners[number % OWNERS], f"many-{number}")
        result: Any = reply.result
        wrong += result["parameters"]["physics"]["gravity"] != number % 20
        wrong += result["name"] != f"Number {number}"

    await in_parts(random.sample(range(UNIVERSES), 500), check, at_once=50)
    return {"MiB": grown / MIB, "wrong": wrong}


async def in_parts(numbers: Any, work: Callable[[int], Awaitable[None]], *, at_once: int) -> None:
    numbers = list(numbers)
    for start in range(0, len(numbers), at_once):
        await asyncio.gather(*map(work, numbers[start : start + at_once]))


async def long_histories(bus: Bus, histories: tuple[int, ...]) -> dict[int, float]:
    """Milliseconds to load a universe by the number of events in its history."""
    settings = StateSettings()
    journal = Journal(Streams(bus), settings, record_ids("load"), skipped_messages())
    ann = caller("ann")
    history = open_universe()
    history.does(command("join_room", mode="edit"), ann)
    record, _ = await journal.append(UNIVERSE, AT, history.events, 0)
    loaded = Loaded(history.now, record.position)
    written, taken = 1, {}
    for count in histories:
        while written < count:
            change = command("update_physics", parameters={"gravity": written % 20})
            events = History(history.now, [], history.milliseconds).does(change, ann)
            history.ask(change, ann)
            record, _ = await journal.append(UNIVERSE, AT, events, loaded.position)
            loaded = loaded.then(history.now, record.position)
            written += 1
            if written % settings.snapshot_every_records == 0:
                loaded = Loaded(
                    loaded.universe,
                    loaded.position,
                    await journal.save_snapshot(UNIVERSE, loaded),
                )
        times = []
        for _ in range(5):
            began_at = time.perf_counter()
            again, _ = await journal.load(UNIVERSE)
            times.append((time.perf_counter() - began_at) * 1000)
            assert again.universe == loaded.universe
        taken[count] = sorted(times)[len(times) // 2]
    return taken


async def measure(brokers: int, histories: tuple[int, ...]) -> int:
    with tempfile.TemporaryDirectory() as directory:
        async with (
            started(
                Path(directory),
                gateways=1,
                musics=0,
                HARMONIC_CACHED_UNIVERSES_BYTES=str(CACHE_BYTES),
                # The callers say that they come through a gateway that is not there.
                HARMONIC_GATEWAY_LEASE_S="60",
                **({"brokers": brokers} if brokers > 1 else {}),  # type: ignore[arg-type]
            ) as stack,
            connected_as("admin", stack) as bus,
            watch(bus, "state") as replicas,
        ):
            asker = Asker(OwnerClient(bus, replicas, "state"))
            updates, appends = await hot_universe(stack, bus, asker)
            target = TARGET_PER_S[brokers]
            say(f"one universe, R{brokers}: {updates:,.0f} acknowledged updates a second")
            say(f"  beside {appends:,.0f} bare appends in a row: {updates / appends:.2f}")
            if brokers > 1:
                return int(updates < target)
            many = await many_universes(stack, asker)
            bound = CACHE_BYTES / MIB
            say(
                f"{UNIVERSES:,} universes: {many['MiB']:.0f} MiB more than none, of which at most"
                f" {bound:.0f} MiB are theirs; {many['wrong']:.0f} of 500 came back wrong"
            )
            times = await long_histories(bus, histories)
            for count, milliseconds in times.items():
                say(f"loading after {count:,} events: {milliseconds:.1f} ms")
            return int(updates < target or many["wrong"] > 0)


def main() -> int:
    """Measure; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="load.universes", description=__doc__)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--quick", action="store_true", help="shorter histories")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    histories = HISTORIES[:2] if options.quick else HISTORIES
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure(options.brokers, histories))


if __name__ == "__main__":
    sys.exit(main())
