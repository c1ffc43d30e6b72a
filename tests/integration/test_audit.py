"""The audit log as owners of universes read it: what was done, by whom, to whom, page by page."""

from typing import Any

import pytest

from harness.client import PATIENCE_S
from harness.operator import harmonic
from harness.waiting import until
from harness.world import World

Entries = list[dict[str, Any]]


async def audit(world: World, universe: str, owner: str, query: str = "") -> Entries:
    status, page = await world.call("GET", f"/universes/{universe}/audit{query}", owner)
    assert status == 200, page
    items: Entries = page["items"]
    return items


def told(entries: Entries) -> list[tuple[str, str, str | None]]:
    return [(each["action"], each["userId"], each.get("target")) for each in entries]


async def test_the_owner_reads_at_once_what_was_done(world: World) -> None:
    universe, _ = await world.together("owner", "ann")
    path = f"/universes/{universe}"
    for method, place, body in (
        ("PUT", "/members/ann", {"role": "view"}),
        ("PATCH", "", {"name": "New", "visibility": "private"}),
        ("DELETE", "/participants/ann", None),
        ("PUT", "/bans/ann", None),
    ):
        status, answer = await world.call(method, path + place, "owner", body)
        assert status < 300, answer
        # Refused, and so not told.
        assert (await world.call(method, path + place, "eve", body))[0] in {403, 404}

    entries = await audit(world, universe, "owner")

    assert told(entries) == [
        ("set_member", "owner", "ann"),
        ("update_universe", "owner", None),
        ("remove_participant", "owner", "ann"),
        ("ban_user", "owner", "ann"),
    ]
    assert entries[0]["details"] == {"role": "view"}
    assert entries[1]["details"] == {"name": "New", "visibility": "private"}
    assert {each["universeId"] for each in entries} == {universe}
    assert [each["at"] for each in entries] == sorted(each["at"] for each in entries)
    # Asked again it changes nothing, and nothing is told of it.
    assert (await world.call("PUT", f"{path}/bans/ann", "owner"))[0] == 204
    assert await audit(world, universe, "owner") == entries


async def test_a_new_owner_reads_what_was_before_and_the_former_one_no_more(world: World) -> None:
    universe = await world.universe("owner")
    path = f"/universes/{universe}"
    await world.call("PUT", f"{path}/members/ann", "owner", {"role": "edit"})
    assert (await world.call("PATCH", path, "owner", {"owner": "ann"}))[0] == 200
    entries = await audit(world, universe, "ann")
    assert told(entries)[-1] == ("update_universe", "owner", "ann")
    assert (await world.call("GET", f"{path}/audit", "owner"))[0] == 403


async def test_what_operators_do_is_told_with_their_names(world: World) -> None:
    universe, _ = await world.together("owner", "ann")
    for verb in ("kick", "ban"):
        ran = await harmonic(world.stack, verb, universe, "ann", HARMONIC_OPERATOR_NAME="ops-7")
        assert ran.status == 0, ran.errors
    entries = await audit(world, universe, "owner")
    assert told(entries) == [
        ("remove_user", "ops-7", "ann"),
        ("operator_ban", "ops-7", "ann"),
    ]
    assert all(each["operator"] for each in entries)


async def test_pages_follow_one_another(world: World) -> None:
    universe = await world.universe("owner")
    for number in range(5):
        body = {"name": f"Name {number}"}
        assert (await world.call("PATCH", f"/universes/{universe}", "owner", body))[0] == 200
    path = f"/universes/{universe}/audit?limit=2"
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        _, page = await world.call("GET", path + cursor, "owner")
        assert len(page["items"]) <= 2
        names += [each["details"]["name"] for each in page["items"]]
        cursor = f"&cursor={page['nextCursor']}" if "nextCursor" in page else None
    assert names == [f"Name {number}" for number in range(5)]


@pytest.mark.parametrize("query", ["?limit=0", "?limit=101", "?cursor=-1", "?limit=x", "?more=1"])
async def test_a_query_that_is_none_is_refused(world: World, query: str) -> None:
    universe = await world.universe("owner")
    status, answer = await world.call("GET", f"/universes/{universe}/audit{query}", "owner")
    assert (status, answer["error"]["code"]) == (400, "INVALID_PARAMETERS")


async def test_what_is_done_around_the_death_of_an_owner_is_told_once(frail: World) -> None:
    universe = await frail.universe("owner")
    path = f"/universes/{universe}"
    names = [f"Name {number}" for number in range(12)]

    async def rename(name: str) -> None:
        async def is_renamed() -> bool:
            status, _ = await frail.call("PATCH", path, "owner", {"name": name})
            return status == 200

        await until(is_renamed, PATIENCE_S)

    for number, name in enumerate(names):
        await rename(name)
        # Right after its answer: the entry may be written, or not.
        if number in {3, 7}:
            state = frail.stack.states[number // 4]
            await state.crash()
            await state.start()
    entries = await audit(frail, universe, "owner", "?limit=100")
    done = [each["details"]["name"] for each in entries]
    # A change that was asked for again may have been carried out twice; none is missing.
    assert [name for number, name in enumerate(done) if name not in done[:number]] == names
    assert len({each["id"] for each in entries}) == len(entries)
