"""What one version has stored, the other goes on with: forward to this tree, and back again."""

from collections.abc import Collection
from pathlib import Path

import aiohttp
import pytest

from compat.room import Memory
from harmonic_local.processes import Managed
from harmonic_local.stack import Stack
from harness.released import Release, run_by
from harness.world import World, started

KINDS = ("gateway", "state", "music")
UNIVERSES = 4
#: More than a snapshot is made after: each version reads those of the other.
WRITES, SNAPSHOT_AFTER = 7, 5


async def replaced(
    processes: Collection[Managed], release: Release, kinds: Collection[str]
) -> None:
    """Replace processes one after the other; those of ``kinds`` by the release."""
    for process in processes:
        await process.stop()
        module = f"harmonic_{process.name.partition('-')[0]}"
        process.command = run_by(release, kinds)(process.name, module)
        await process.start()


def processes_of(stack: Stack, kinds: Collection[str]) -> list[Managed]:
    return [each for each in stack.services if each.name.partition("-")[0] in kinds]


@pytest.mark.parametrize("kinds", [("state",), KINDS], ids=["state", "everything"])
async def test_stored_data_is_kept_forward_and_back(
    release: Release, tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    async with (
        started(
            tmp_path / "rolled",
            states=2,
            command=run_by(release, KINDS),
            HARMONIC_SNAPSHOT_EVERY_RECORDS=str(SNAPSHOT_AFTER),
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        memory = Memory(world)
        await memory.make(UNIVERSES)
        await memory.write(WRITES)
        rolled = processes_of(stack, kinds)
        for old in ((), kinds):
            known = await memory.description()
            await replaced(rolled, release, old)
            await memory.is_kept(known)
            await memory.write(WRITES)
        listed = (await world.call("GET", "/universes", "owner"))[1]["items"]
        assert {each["id"] for each in listed} == set(memory.universes)
        await world.close()


async def test_who_does_not_know_bans_and_new_owners_passes_over_them(
    release: Release, tmp_path: Path
) -> None:
    async with (
        started(
            tmp_path / "moderated", states=2, HARMONIC_SNAPSHOT_EVERY_RECORDS=str(SNAPSHOT_AFTER)
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        memory = Memory(world)
        await memory.make(UNIVERSES)
        for universe in memory.universes:
            path = f"/universes/{universe}"
            assert (await world.call("PUT", f"{path}/bans/eve", "owner"))[0] == 204
            assert (await world.call("PUT", f"{path}/members/ann", "owner", {"role": "view"}))[
                0
            ] == 200
            assert (await world.call("PATCH", path, "owner", {"owner": "ann"}))[0] == 200
        await memory.write(WRITES)
        known = await memory.description()
        await replaced(processes_of(stack, KINDS), release, KINDS)
        await memory.is_kept(known)
        await memory.write(WRITES)
        await world.close()
