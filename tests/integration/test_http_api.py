"""The HTTP API: universes, their members, and who finds them."""

import asyncio
from urllib.parse import quote

import pytest

from harness.world import World
from integration.test_http_refusals import OPERATIONS, error_of
from integration.test_rooms import DEFAULTS


async def test_a_universe_is_created_as_asked(world: World) -> None:
    wanted = {
        "id": world.name("Universe_"),
        "name": "Café",
        "visibility": "public",
        "publicMode": "edit",
        "maxParticipants": 3,
    }

    status, universe = await world.call("POST", "/universes", "ann", wanted)

    assert status == 201
    assert universe.pop("createdAt") == universe.pop("updatedAt")
    assert universe == {
        **wanted,
        "owner": "ann",
        "parameters": DEFAULTS,
        "participants": 0,
        "seq": 0,
        "members": {},
        "bans": {},
    }


async def test_a_universe_is_private_if_nothing_else_is_said(world: World) -> None:
    status, universe = await world.call("POST", "/universes", "ann", {"name": "Mine"})

    assert status == 201
    assert universe["id"]
    assert universe["visibility"] == "private"
    assert universe["publicMode"] == "view"
    assert universe["maxParticipants"] == 50


async def test_what_one_gateway_wrote_the_other_reads_at_once(world: World) -> None:
    for gateway in (0, 1):
        other = 1 - gateway
        _, made = await world.call("POST", "/universes", "ann", {"name": "A"}, gateway=gateway)
        path = f"/universes/{made['id']}"
        assert (await world.call("GET", path, "ann", gateway=other)) == (200, made)
        await world.call("PATCH", path, "ann", {"name": "B"}, gateway=gateway)
        assert (await world.call("GET", path, "ann", gateway=other))[1]["name"] == "B"
        await world.call("DELETE", path, "ann", gateway=gateway)
        assert (await world.call("GET", path, "ann", gateway=other))[0] == 404


async def test_a_visitor_sees_all_but_the_members(world: World) -> None:
    universe = await world.universe("ann")

    _, as_owner = await world.call("GET", f"/universes/{universe}", "ann")
    status, as_visitor = await world.call("GET", f"/universes/{universe}", "bob")

    assert status == 200
    assert (as_owner.pop("members"), as_owner.pop("bans")) == ({}, {})
    assert as_visitor == as_owner


async def test_participants_and_seq_are_counted(world: World) -> None:
    universe, (ann, _) = await world.together("ann", "bob")
    await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1})

    _, seen = await world.call("GET", f"/universes/{universe}", "cem")

    assert seen["participants"] == 2
    assert seen["seq"] == 3
    assert seen["parameters"]["physics"]["gravity"] == 1
    assert seen["updatedAt"] > seen["createdAt"]


async def test_an_id_is_taken_for_whoever_asks_and_for_ever(world: World) -> None:
    universe = await world.universe("ann", visibility="private")
    again = {"id": universe, "name": "Again"}

    taken = [await world.call("POST", "/universes", user, again) for user in ("ann", "bob")]
    await world.call("DELETE", f"/universes/{universe}", "ann")
    taken += [await world.call("POST", "/universes", user, again) for user in ("ann", "bob")]

    for status, answer in taken:
        assert status == 409
        assert error_of(answer)["code"] == "INVALID_PARAMETERS"
        assert error_of(answer)["details"]["reason"] == "TAKEN"


async def test_one_of_many_who_want_an_id_at_once_gets_it(world: World) -> None:
    wanted = {"id": world.name("wanted"), "name": "Mine"}

    answers = await asyncio.gather(
        *(world.call("POST", "/universes", f"user-{n}", wanted, gateway=n % 2) for n in range(10))
    )

    assert sorted(status for status, _ in answers) == [201] + [409] * 9


async def test_settings_are_changed_one_by_one(world: World) -> None:
    universe = await world.universe("ann", name="A", maxParticipants=5)

    status, changed = await world.call("PATCH", f"/universes/{universe}", "ann", {"name": "B"})

    assert status == 200
    assert changed["name"] == "B"
    assert changed["maxParticipants"] == 5
    assert (await world.call("GET", f"/universes/{universe}", "ann"))[1] == changed


async def test_a_deleted_universe_is_gone(world: World) -> None:
    universe = await world.universe("ann")

    status, body = await world.call("DELETE", f"/universes/{universe}", "ann")

    assert (status, body) == (204, b"")
    assert (await world.call("GET", f"/universes/{universe}", "ann"))[0] == 404
    assert (await world.call("DELETE", f"/universes/{universe}", "ann"))[0] == 404
    assert universe not in await ids_listed(world, "ann")


async def test_a_member_sees_a_private_universe_until_removed(world: World) -> None:
    universe = await world.universe("ann", visibility="private")
    path = f"/universes/{universe}"

    given = await world.call("PUT", f"{path}/members/bob", "ann", {"role": "view"})

    assert given == (200, {"userId": "bob", "role": "view"})
    assert (await world.call("GET", path, "bob"))[0] == 200
    assert (await world.call("GET", path, "ann"))[1]["members"] == {"bob": "view"}
    assert (await world.call("DELETE", f"{path}/members/bob", "ann")) == (204, b"")
    assert (await world.call("GET", path, "bob"))[0] == 404
    assert (await world.call("DELETE", f"{path}/members/bob", "ann"))[0] == 404


async def test_a_role_is_given_again_to_change_it(world: World) -> None:
    universe = await world.universe("ann")
    path = f"/universes/{universe}/members/bob"

    await world.call("PUT", path, "ann", {"role": "view"})
    await world.call("PUT", path, "ann", {"role": "edit"})

    _, seen = await world.call("GET", f"/universes/{universe}", "ann")
    assert seen["members"] == {"bob": "edit"}


async def test_the_owner_is_no_member(world: World) -> None:
    universe = await world.universe("ann")

    status, answer = await world.call(
        "PUT", f"/universes/{universe}/members/ann", "ann", {"role": "view"}
    )

    assert status == 400
    assert error_of(answer)["details"]["reason"] == "OWNER"


@pytest.mark.parametrize(
    "user",
    [
        *("auth0|x", "a@b.example", "https://id.example/u?x=1#y", "👩‍🚀 ünï", "50%", "a/../b", "."),
        *("*", ">", "a.b", "u" * 255, "名"),
    ],
)
async def test_any_user_id_may_be_a_member_percent_encoded(world: World, user: str) -> None:
    universe = await world.universe("ann", visibility="private")
    path = f"/universes/{universe}"
    member = f"{path}/members/{quote(user, safe='').replace('.', '%2E')}"

    given = await world.call("PUT", member, "ann", {"role": "edit"})

    assert given == (200, {"userId": user, "role": "edit"})
    assert (await world.call("GET", path, "ann"))[1]["members"] == {user: "edit"}
    assert (await world.call("GET", path, user))[0] == 200
    assert universe in await ids_listed(world, user)
    assert (await world.call("DELETE", member, "ann"))[0] == 204


async def ids_listed(world: World, user: str, limit: int = 100, gateway: int = 0) -> list[str]:
    """The ids of all that a user finds, page after page."""
    found: list[str] = []
    cursor = ""
    while True:
        path = f"/universes?limit={limit}{cursor}"
        status, page = await world.call("GET", path, user, gateway=gateway)
        assert status == 200
        assert len(page["items"]) <= limit
        found += [item["id"] for item in page["items"]]
        if "nextCursor" not in page:
            return found
        cursor = f"&cursor={page['nextCursor']}"


async def test_all_pages_together_name_each_universe_once(world: World) -> None:
    user = world.name("owner")
    mine = [await world.universe(user, visibility="private") for _ in range(7)]
    public = await world.universe("somebody-else")
    shared = await world.universe("somebody-else", visibility="private")
    await world.call(
        "PUT", f"/universes/{shared}/members/{user}", "somebody-else", {"role": "view"}
    )
    hidden = await world.universe("somebody-else", visibility="private")

    found = await ids_listed(world, user, limit=3)

    assert len(found) == len(set(found))
    assert [universe for universe in found if universe in mine] == mine
    assert {public, shared} <= set(found)
    assert hidden not in found
    assert await ids_listed(world, user, gateway=1) == found


async def test_a_listing_shows_settings_and_no_members(world: World) -> None:
    user = world.name("owner")
    universe = await world.universe(user, visibility="private", name="Mine")

    _, page = await world.call("GET", "/universes?limit=100", user)
    while "nextCursor" in page:
        _, page = await world.call("GET", f"/universes?cursor={page['nextCursor']}", user)

    item = page["items"][-1]
    assert item.pop("createdAt")
    assert item == {
        "id": universe,
        "name": "Mine",
        "owner": user,
        "visibility": "private",
        "publicMode": "edit",
        "maxParticipants": 50,
    }


async def test_a_universe_made_private_is_listed_for_its_own_only(world: World) -> None:
    universe = await world.universe("ann")
    await world.call("PUT", f"/universes/{universe}/members/bob", "ann", {"role": "view"})

    await world.call("PATCH", f"/universes/{universe}", "ann", {"visibility": "private"})

    assert universe in await ids_listed(world, "ann")
    assert universe in await ids_listed(world, "bob")
    assert universe not in await ids_listed(world, "cem")


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=x", "limit=", "page=2"),
        *("cursor=-1", "cursor=x", f"cursor={2**63 - 1}", f"cursor={10**30}"),
    ],
)
async def test_a_listing_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    status, answer = await world.call("GET", f"/universes?{query}", "ann")

    assert status == 400
    (problem,) = error_of(answer)["details"]["fields"]
    assert problem["field"] == query.partition("=")[0]


async def test_the_openapi_document_needs_no_token(world: World) -> None:
    status, document = await world.call("GET", "/openapi.json")

    assert status == 200
    assert document["openapi"].startswith("3.")
    described = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert ("PUT", "/universes/{universeId}/members/{userId}") in described
    assert len(described) >= len(OPERATIONS)


@pytest.mark.parametrize(("path", "status"), [("/healthz", "alive"), ("/readyz", "ready")])
async def test_a_load_balancer_needs_no_token(world: World, path: str, status: str) -> None:
    for url in world.stack.urls:
        async with world.http.get(url + path) as response:
            assert response.status == 200
            assert await response.json() == {"status": status}
