"""A disk that fills up, is freed, and shrinks: a file system of its own, which takes root."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from chaos.product import product
from harmonic_local.stack import Stack
from harness.client import Client
from harness.waiting import until
from harness.world import World

SIZE_MIB, SMALLER_MIB = 96, 16
#: What the streams reserve fits into either.
SETTINGS: Mapping[str, str] = {
    f"HARMONIC_{name}_STREAM_BYTES": str(2 * 2**20)
    for name in ("SNAPSHOT", "SESSION", "NOTES", "AUDIT")
}
#: For how long a broker with a full disk may go on, and how soon it is told of.
PATIENCE_S = 60.0
BLOCK = b"x" * 4096


class NoFileSystem(Exception):
    """No file system can be mounted here."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system in memory, mounted at ``folder``."""
    folder.mkdir(parents=True)
    options = f"size={SIZE_MIB}m"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        raise NoFileSystem(mounted.stderr.decode().strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(file: Path) -> None:
    """Take all the room that there is."""
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(descriptor, BLOCK)
    except OSError:
        # That is all.
        return
    finally:
        os.close(descriptor)


def shrink(folder: Path) -> None:
    """Make the file system smaller."""
    options = f"remount,size={SMALLER_MIB}m"
    subprocess.run(["mount", "-o", options, str(folder)], check=True)


@dataclass
class FullDisk:
    """What was seen: the reasons of refusals, and what was not as it should be."""

    reasons: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


class _Writer:
    """A member who changes one value, a new one each time."""

    def __init__(self, client: Client, universe: str, seen: FullDisk) -> None:
        self._client, self._universe = client, universe
        self.seen = seen
        self.value = 100
        self.acknowledged = 100

    async def writes(self) -> bool:
        """Whether an update was carried out; a refusal has a reason, or a time to come again."""
        self.value += 1
        ack: dict[str, Any] = await self._client.asks(
            "update_visualization",
            universeId=self._universe,
            parameters={"particleCount": self.value},
        )
        if ack["ok"]:
            self.acknowledged = self.value
            return True
        details = ack["error"]["details"]
        self.seen.reasons.add(str(details.get("reason", ack["error"]["code"])))
        if "retryAfterMs" not in details:
            self.seen.faults.append(f"refused for good: {ack}")
        return False

    async def is_refused(self) -> bool:
        return not await self.writes()


async def full_disk(logs: Path) -> FullDisk:
    """Fill the broker's disk, free it, and restart the broker with less."""
    seen = FullDisk()
    with small_disk(logs / "data") as disk:
        async with (
            product(logs, states=1, settings=SETTINGS) as stack,
            aiohttp.ClientSession() as http,
        ):
            world = World(stack, http)
            universe, (ann,) = await world.together("ann")
            writer = _Writer(ann, universe, seen)
            await writer.writes()
            pids = {each.name: each.pid for each in stack.services}
            fill(disk / "filler")
            await until(writer.is_refused, PATIENCE_S)

            async def is_told() -> bool:
                await writer.writes()
                return "log_not_stored" in world.logs()

            await until(is_told, PATIENCE_S)
            (disk / "filler").unlink()
            await _goes_on(world, stack, writer, universe)
            shrink(disk)
            await _goes_on(world, stack, writer, universe)
            if any(each.pid != pids[each.name] or not each.runs for each in stack.services):
                seen.faults.append("a service died")
            await world.close()
    return seen


async def _goes_on(world: World, stack: Stack, writer: _Writer, universe: str) -> None:
    """After a restart of the broker, everything acknowledged is there, and more is stored."""
    (broker,) = stack.brokers
    await broker.stop()
    await broker.start()
    before = writer.acknowledged
    found: list[int] = []

    async def is_read() -> bool:
        status, body = await world.call("GET", f"/universes/{universe}", "late")
        if status == 200:
            found.append(body["parameters"]["visualization"]["particleCount"])
        return status == 200

    await until(is_read, PATIENCE_S)
    if found[0] < before:
        writer.seen.faults.append(f"{found[0]} is there, {before} was acknowledged")
    await until(writer.writes, PATIENCE_S)
