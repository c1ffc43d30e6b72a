"""A product that is saved under load, lost, and restored on other brokers."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from harmonic_client import ParametersUpdated
from harmonic_local.stack import Stack
from harmonic_operator.backups import SAVED, verified
from harmonic_operator.connection import NotDone
from harness.operator import harmonic
from harness.people import People
from harness.wire import Wire
from harness.world import World, started
from operate.saved import SEQ_JUMP, listed, other_brokers, saved_under_load, settled

UNIVERSES = 6
#: Updates that are made after a backup.
LOST = 5


def manifest_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "manifest.json").read_text())
    return found


async def test_a_product_saved_under_load_goes_on_at_other_brokers(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    saved = await saved_under_load(tmp_path / "first", folder, universes=UNIVERSES)
    async with other_brokers(tmp_path / "second") as stack, aiohttp.ClientSession() as http:
        ran = await harmonic(stack, "restore", str(folder), "--json")
        assert ran.status == 0, ran.errors
        await asyncio.gather(*(process.start() for process in stack.services))
        world = World(stack, http)

        newest = 0
        for universe, known in saved.described.items():
            _, found = await world.call("GET", f"/universes/{universe}", "owner")
            assert settled(found) == settled(known)
            # Numbers that members may have seen after the backup do not come again: it goes on with
            # what was saved under a number that is so much less.
            seq = found["seq"] - SEQ_JUMP
            if universe == saved.private:
                assert (seq, found["parameters"]) == (known["seq"], known["parameters"])
            else:
                gravity = found["parameters"]["physics"]["gravity"]
                assert saved.granted[universe][seq] == gravity
                newest = max(newest, seq - min(saved.granted[universe]))
        # It was saved under load: some of it at least.
        assert newest > 0
        assert [settled(each) for each in await listed(world)] == list(map(settled, saved.listed))

        guest = await world.client("guest")
        await guest.joins(saved.private, mode="view")
        refused = await guest.asks("join_room", universeId=saved.private, mode="edit")
        assert refused["error"]["code"] == "PERMISSION_DENIED"
        people = People(world, next(iter(saved.granted)))
        _, ann = await people.joins("ann")
        events = aiter(ann)
        changed = await ann.set(physics={"gravity": 1})
        first = await anext(event async for event in events if isinstance(event, ParametersUpdated))
        assert (first.seq, ann.parameters.physics.gravity) == (changed, 1)
        assert "ann" in {each.user_id for each in ann.participants}
        await people.go()
        assert await world.refused(world.token("mallory"))
        assert "audio is switched off." in (await harmonic(stack, "status")).output
        await world.close()


async def test_clients_are_never_given_another_history_by_a_restored_product(
    tmp_path: Path,
) -> None:
    """Two clients come back with what they know: one of what was saved, one of what was lost."""
    folder = tmp_path / "backup"
    async with (
        started(tmp_path / "first", gateways=1, musics=0) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (ann,) = await world.together("ann")
        away = {name: await Wire.open(world, name) for name in ("early", "late")}
        for wire in away.values():
            await wire.joins(universe)
        known = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 3})
        await hears_update(away["early"], known["seq"])
        away["early"].cut()
        assert (await harmonic(stack, "backup", str(folder))).status == 0
        for _ in range(LOST):
            known = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 4})
        await hears_update(away["late"], known["seq"])
        away["late"].cut()
    async with (
        other_brokers(tmp_path / "second", brokers=3) as stack,
        aiohttp.ClientSession() as http,
    ):
        ran = await harmonic(stack, "restore", str(folder), "--replicas", "3")
        assert ran.status == 0, ran.errors
        await asyncio.gather(*(process.start() for process in stack.services))
        world = World(stack, http)
        cem = await world.client("cem")
        joined = await cem.joins(universe)
        assert joined["parameters"]["physics"]["gravity"] == 3
        # Its log outgrows what the clients know of.
        for _ in range(2 * LOST):
            last = await cem.asks("update_physics", universeId=universe, parameters={"gravity": 5})
        for wire in away.values():
            back = await wire.again(world)
            (*_, (_, greeting)) = await back.until("connect_success")
            assert (back.recovered, greeting["recovered"]) == (False, False)
            *before, (_, room) = await back.joins(universe)
            assert room["parameters"]["physics"]["gravity"] == 5
            assert room["seq"] >= last["seq"] > SEQ_JUMP
            assert not any(name == "physics_updated" for name, _ in before)
        await world.close()


async def hears_update(wire: Wire, seq: int) -> None:
    """Return once a client was sent the update of this number."""
    while (await wire.until("physics_updated"))[-1][1]["seq"] != seq:
        pass


def spoil(folder: Path, how: str) -> None:
    largest = max(folder.glob("*.stream"), key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    if how == "cut":
        largest.write_bytes(content[:-1])
    elif how == "flipped":
        largest.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif how == "gone":
        largest.unlink()
    elif how == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        manifest = manifest_of(folder)
        manifest["streams"] = list(manifest["streams"])[:-1]  # type: ignore[call-overload]
        (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
async def good_backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("saved")
    async with (
        started(directory / "stack", gateways=1, musics=0) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        await world.universe()
        ran = await harmonic(stack, "backup", str(directory / "backup"))
        assert ran.status == 0, ran.errors
    return directory / "backup"


@pytest.fixture(scope="module")
async def empty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with other_brokers(tmp_path_factory.mktemp("empty") / "data") as stack:
        yield stack


@pytest.mark.parametrize("how", ["cut", "flipped", "gone", "no manifest", "a stream less"])
async def test_a_backup_that_is_not_whole_is_refused_before_anything_is_changed(
    tmp_path: Path, good_backup: Path, empty: Stack, how: str
) -> None:
    folder = tmp_path / "backup"
    await asyncio.to_thread(shutil.copytree, good_backup, folder)
    spoil(folder, how)
    ran = await harmonic(empty, "restore", str(folder))
    assert ran.status == 1
    assert str(folder) in ran.errors
    assert "Traceback" not in ran.errors
    streams = (await harmonic(empty, "status", "--json")).json["streams"]
    assert all(each["problem"] == "is missing" for each in streams)


def test_a_backup_of_the_version_before_has_no_audit_log(tmp_path: Path, good_backup: Path) -> None:
    folder = tmp_path / "backup"
    shutil.copytree(good_backup, folder)
    manifest = manifest_of(folder)
    streams = [each for each in manifest["streams"] if each["stream"] != "HU_AUDIT"]  # type: ignore[attr-defined]
    for version in (1, 3):
        changed = {**manifest, "format": version, "streams": streams}
        (folder / "manifest.json").write_text(json.dumps(changed))
        if version == 1:
            assert len(verified(folder).streams) == len(SAVED) - 1
        else:
            with pytest.raises(NotDone, match="has format 3; this version reads 1 and 2"):
                verified(folder)


async def test_nothing_is_restored_over_what_is_there_nor_saved_over_another_backup(
    world: World, good_backup: Path
) -> None:
    ran = await harmonic(world.stack, "restore", str(good_backup))
    assert ran.status == 1
    assert "already; nothing was changed" in ran.errors
    assert "Were all brokers stopped before the first was started again?" in ran.errors
    ran = await harmonic(world.stack, "backup", str(good_backup))
    assert (ran.status, ran.errors) == (1, f"{good_backup} is not empty; nothing was saved.\n")
