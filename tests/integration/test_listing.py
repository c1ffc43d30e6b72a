"""A listing shows what universes say of themselves, whoever dies in between."""

import asyncio
import json
from typing import Any

import aiohttp

from harmonic_protocol import subjects
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.faults import down
from harness.world import World


async def listed(world: World, user: str) -> dict[str, dict[str, Any]]:
    """All universes that a user finds."""
    found: dict[str, dict[str, Any]] = {}
    cursor = "0"
    while True:
        path = f"/universes?limit=100&cursor={cursor}"
        status, page = await world.call("GET", path, user)
        if status == 503:
            await asyncio.sleep(0.1)
            continue
        found.update({item["id"]: item for item in page["items"]})
        cursor = page.get("nextCursor")
        if cursor is None:
            return found


async def until_listed(world: World, user: str, universe: str, name: str | None) -> None:
    """Return when a user finds a universe under a name, or not any more."""
    async with asyncio.timeout(30):
        while True:
            if (await listed(world, user)).get(universe, {}).get("name") == name:
                return
            await asyncio.sleep(0.2)


async def status_of(world: World, universe: str) -> int:
    """How a stranger's question for a universe is answered, once it is."""
    while True:
        status, _ = await world.call("GET", f"/universes/{universe}", "stranger")
        if status != 503:
            return status
        await asyncio.sleep(0.1)


async def test_an_entry_that_was_left_undone_is_finished_by_whoever_is_there(
    frail: World,
) -> None:
    universe = await frail.universe(name="Before")
    # As a replica leaves it that dies between the log and the listing.
    async with connected_as("state", frail.stack) as bus:
        streams = Streams(bus)
        shown = await streams.last(
            subjects.INDEX_STREAM, subjects.index(subjects.PUBLIC_AUDIENCE, universe)
        )
        assert shown is not None
        status, _ = await frail.call(
            "PATCH", f"/universes/{universe}", "owner", {"visibility": "private", "name": "After"}
        )
        assert status == 200
        await streams.append(subjects.index(subjects.UNSETTLED, universe), b"{}", timeout_s=2)
        await streams.append(shown.subject, shown.payload, timeout_s=2)
    assert (await listed(frail, "stranger"))[universe]["name"] == "Before"
    await until_listed(frail, "stranger", universe, None)
    await until_listed(frail, "owner", universe, "After")


async def test_an_entry_of_an_earlier_version_is_put_right_when_its_universe_is_loaded(
    frail: World,
) -> None:
    universe = await frail.universe(name="Public")
    async with connected_as("state", frail.stack) as bus:
        streams = Streams(bus)
        shown = await streams.last(
            subjects.INDEX_STREAM, subjects.index(subjects.PUBLIC_AUDIENCE, universe)
        )
        assert shown is not None
        status, _ = await frail.call("DELETE", f"/universes/{universe}", "owner")
        assert status == 204
        await streams.append(shown.subject, shown.payload, timeout_s=2)
    async with down(*frail.stack.states):
        pass
    assert await status_of(frail, universe) == 404
    assert universe not in await listed(frail, "stranger")


async def test_universes_made_private_while_owners_are_killed_are_listed_for_nobody(
    frail: World,
) -> None:
    universes = [await frail.universe() for _ in range(12)]

    async def hide(universe: str) -> bool:
        body = {"visibility": "private"}
        try:
            status, _ = await frail.call("PATCH", f"/universes/{universe}", "owner", body)
        except aiohttp.ClientError:
            return False
        return status == 200

    for start in range(0, len(universes), 3):
        hiding = [asyncio.create_task(hide(each)) for each in universes[start : start + 3]]
        await asyncio.sleep(0)
        async with down(*frail.stack.states):
            await asyncio.gather(*hiding)
    for universe in universes:
        if await status_of(frail, universe) == 404:
            await until_listed(frail, "stranger", universe, None)


async def test_an_entry_that_nobody_can_read_hides_no_other(frail: World) -> None:
    universe = await frail.universe()
    async with connected_as("state", frail.stack) as bus:
        streams = Streams(bus)
        broken = subjects.index(subjects.PUBLIC_AUDIENCE, frail.name("broken"))
        await streams.append(broken, b"flipped", timeout_s=2)
        spoilt = subjects.owned("spoilt")
        await streams.append(spoilt, b"flipped", timeout_s=2, expected_last_subject_sequence=0)
    assert universe in await listed(frail, "stranger")
    await frail.universe(owner="spoilt")
    assert await status_of(frail, universe) == 200
    for subject in (broken, spoilt):
        line = json.loads(await frail.logged(f'"subject":"{subject}"'))
        assert (line["event"], line["reason"]) == ("stored_message_skipped", "unreadable")
