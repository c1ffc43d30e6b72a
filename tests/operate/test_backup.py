"""A product that is saved under load, lost, and restored on other brokers."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from harmonic_local.stack import Stack, StackPlan, planned
from harness.client import Client
from harness.operator import harmonic
from harness.world import SECRET, World, started

#: By so much, numbers go on where what followed may have been seen and is lost.
SEQ_JUMP = 1_000_000
UNIVERSES = 6


@asynccontextmanager
async def other_brokers(data: Path, *, brokers: int = 1) -> AsyncIterator[Stack]:
    """A product of which only the brokers run."""
    settings = {f"HARMONIC_ALLOWED_{kind}": "1000000" for kind in ("PARAMETER_UPDATES",)}
    plan = StackPlan(data=data, jwt_secret=SECRET, brokers=brokers, gateways=2, settings=settings)
    data.mkdir(parents=True)  # noqa: ASYNC240 -- before anything runs
    stack = planned(plan, lambda _name, _line: None)
    try:
        await asyncio.gather(*(process.start() for process in stack.brokers))
        yield stack
    finally:
        for process in reversed(stack.processes):
            await process.stop()


async def keep_writing(clients: list[Client], universes: list[str]) -> None:
    """Updates without end, in all universes in turn."""
    number = 0
    while True:
        for client, universe in zip(clients, universes, strict=True):
            number += 1
            await client.asks(
                "update_physics", universeId=universe, parameters={"gravity": number % 20}
            )


async def saved_under_load(directory: Path, folder: Path) -> dict[str, dict[str, object]]:
    """A backup made while others write: the universes as they were when all was still."""
    async with started(directory, gateways=2) as stack, aiohttp.ClientSession() as http:
        world = World(stack, http)
        universes = [await world.universe("owner", maxParticipants=7) for _ in range(UNIVERSES)]
        private = await world.universe("owner", visibility="private", publicMode="view")
        await world.call("PUT", f"/universes/{private}/members/guest", "owner", {"role": "view"})
        clients = [await world.client(f"user-{number}") for number in range(UNIVERSES)]
        for client, universe in zip(clients, universes, strict=True):
            await client.joins(universe)
        assert (await harmonic(stack, "switch", "audio", "off")).status == 0
        assert (await harmonic(stack, "revoke", "--user", "mallory")).status == 0
        writing = asyncio.create_task(keep_writing(clients, universes))
        ran = await harmonic(stack, "backup", str(folder), "--json")
        assert ran.status == 0, ran.errors
        writing.cancel()
        await asyncio.wait([writing])
        described = {}
        for universe in (*universes, private):
            _, described[universe] = await world.call("GET", f"/universes/{universe}", "owner")
        await world.close()
        return described


def manifest_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "manifest.json").read_text())
    return found


async def test_a_product_saved_under_load_goes_on_at_other_brokers(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    before = await saved_under_load(tmp_path / "first", folder)
    async with other_brokers(tmp_path / "second") as stack, aiohttp.ClientSession() as http:
        ran = await harmonic(stack, "restore", str(folder), "--json")
        assert ran.status == 0, ran.errors
        await asyncio.gather(*(process.start() for process in stack.services))
        world = World(stack, http)

        for universe, known in before.items():
            _, found = await world.call("GET", f"/universes/{universe}", "owner")
            for name in ("owner", "name", "visibility", "maxParticipants", "members", "createdAt"):
                assert found[name] == known[name]
            # Numbers that members may have seen after the backup do not come again.
            assert found["seq"] >= SEQ_JUMP
            assert found["seq"] - SEQ_JUMP <= int(str(known["seq"]))
        _, listed = await world.call("GET", "/universes", "owner")
        assert {each["id"] for each in listed["items"]} == set(before)

        (*_, private) = before
        guest = await world.client("guest")
        await guest.joins(private, mode="view")
        refused = await guest.asks("join_room", universeId=private, mode="edit")
        assert refused["error"]["code"] == "PERMISSION_DENIED"
        universe = next(iter(before))
        ann = await world.client("user-0")
        joined = await ann.joins(universe)
        changed = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1})
        assert changed["seq"] == joined["seq"] + 1
        assert "audio is switched off." in (await harmonic(stack, "status")).output
        await world.close()


async def test_clients_get_the_full_state_from_a_restored_product(tmp_path: Path) -> None:
    """A client of the lost product comes back to a cluster with what it knows."""
    folder = tmp_path / "backup"
    async with (
        started(tmp_path / "first", gateways=1, musics=0) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe = await world.universe()
        ann = await world.client("ann", comes_back=True)
        await ann.joins(universe)
        await ann.asks("update_physics", universeId=universe, parameters={"gravity": 3})
        assert (await harmonic(stack, "backup", str(folder))).status == 0
        lost = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 4})
        await ann.vanishes()
    async with (
        other_brokers(tmp_path / "second", brokers=3) as stack,
        aiohttp.ClientSession() as http,
    ):
        ran = await harmonic(stack, "restore", str(folder), "--replicas", "3")
        assert ran.status == 0, ran.errors
        await asyncio.gather(*(process.start() for process in stack.services))
        world = World(stack, http)
        back = await world.client("ann", comes_back=True)
        await back.joins(universe)
        room = back.all_heard("room_joined")[-1]
        assert room["parameters"]["physics"]["gravity"] == 3
        assert room["seq"] > lost["seq"]
        await world.close()


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


@pytest.mark.parametrize("how", ["cut", "flipped", "gone", "no manifest", "a stream less"])
async def test_a_backup_that_is_not_whole_is_refused_before_anything_is_changed(
    tmp_path: Path, good_backup: Path, how: str
) -> None:
    folder = tmp_path / "backup"
    await asyncio.to_thread(shutil.copytree, good_backup, folder)
    spoil(folder, how)
    async with other_brokers(tmp_path / "data") as stack:
        ran = await harmonic(stack, "restore", str(folder))
        assert ran.status == 1
        assert str(folder) in ran.errors
        assert "Traceback" not in ran.errors
        streams = (await harmonic(stack, "status", "--json")).json["streams"]
        assert all(each["problem"] == "is missing" for each in streams)


async def test_nothing_is_restored_over_what_is_there_nor_saved_over_another_backup(
    world: World, good_backup: Path
) -> None:
    ran = await harmonic(world.stack, "restore", str(good_backup))
    assert ran.status == 1
    assert "already; nothing was changed" in ran.errors
    ran = await harmonic(world.stack, "backup", str(good_backup))
    assert (ran.status, ran.errors) == (1, f"{good_backup} is not empty; nothing was saved.\n")
