"""Putting users out of the room, and keeping them out: who may, and that it holds everywhere."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from harness.wire import Wire
from harness.world import World, started
from integration.test_listing import listed
from integration.test_sharing import is_out

ROLES = ("owner", "editor", "viewer", "stranger", "banned", "nobody")
#: What each is answered: by the role of who asks, in a public and in a private universe.
ANSWERS: Mapping[str, tuple[int, int]] = {
    "owner": (204, 204),
    "editor": (403, 403),
    "viewer": (403, 403),
    "stranger": (403, 404),
    "banned": (403, 404),
    "nobody": (401, 401),
}
REASONS = {"banned": "BANNED"}


async def shared(world: World, visibility: str) -> tuple[str, dict[str, str]]:
    """A universe, and who plays which role in it."""
    people = {role: world.name(role) for role in (*ROLES, "target")}
    universe = await world.universe(people["owner"], visibility=visibility, publicMode="edit")
    path = f"/universes/{universe}"
    for role, mode in (("editor", "edit"), ("viewer", "view"), ("target", "edit")):
        member = f"{path}/members/{people[role]}"
        assert (await world.call("PUT", member, people["owner"], {"role": mode}))[0] == 200
    banned = f"{path}/bans/{people['banned']}"
    assert (await world.call("PUT", banned, people["owner"]))[0] == 204
    return universe, people


async def allows(world: World, universe: str, people: Mapping[str, str], verb: str) -> None:
    """What the verb needs is there: the user is in the room, or is banned."""
    if verb == "remove":
        target = await world.client(people["target"])
        await target.joins(universe)
    elif verb == "unban":
        path = f"/universes/{universe}/bans/{people['target']}"
        assert (await world.call("PUT", path, people["owner"]))[0] == 204


VERBS = {"remove": ("DELETE", "participants"), "ban": ("PUT", "bans"), "unban": ("DELETE", "bans")}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_the_owner_may_and_nobody_else(world: World, visibility: str, verb: str) -> None:
    universe, people = await shared(world, visibility)
    await allows(world, universe, people, verb)
    method, place = VERBS[verb]
    path = f"/universes/{universe}/{place}/{people['target']}"
    for role in reversed(ROLES):
        asking = None if role == "nobody" else people[role]
        status, answer = await world.call(method, path, asking)
        assert status == ANSWERS[role][visibility == "private"], role
        if status == 403:
            assert answer["error"]["details"]["reason"] == REASONS.get(role, "NOT_OWNER"), role


async def test_who_is_put_out_is_told_and_may_come_again(world: World) -> None:
    universe, (owner, ann) = await world.together("owner", "ann")
    tab = await world.client("ann", gateway=0)
    await tab.joins(universe, "view")

    status, _ = await world.call("DELETE", f"/universes/{universe}/participants/ann", "owner")

    assert status == 204
    for client in (ann, tab):
        await is_out(client, universe, "PERMISSION_DENIED")
    await owner.hears_next("participant_left", userId="ann")
    assert await ann.joins(universe)


async def test_a_banned_user_is_out_everywhere_until_the_ban_is_lifted(world: World) -> None:
    universe, (owner, ann) = await world.together("owner", "ann")
    tab = await world.client("ann", gateway=0)
    await tab.joins(universe, "view")
    path = f"/universes/{universe}/bans/ann"

    assert (await world.call("PUT", path, "owner")) == (204, b"")

    for client in (ann, tab):
        await is_out(client, universe, "PERMISSION_DENIED")
    await owner.hears_next("participant_left", userId="ann")
    for gateway in (0, 1):
        again = await world.client("ann", gateway=gateway)
        refusal = await again.asks("join_room", universeId=universe, mode="view")
        assert refusal["error"]["details"]["reason"] == "BANNED"
        status, answer = await world.call("GET", f"/universes/{universe}", "ann", gateway=gateway)
        assert (status, answer["error"]["details"]["reason"]) == (403, "BANNED")
    _, seen = await world.call("GET", f"/universes/{universe}", "owner")
    assert seen["bans"].keys() == {"ann"}
    assert (await world.call("DELETE", path, "owner")) == (204, b"")
    assert await ann.joins(universe)


@pytest.mark.parametrize("known_by", ["pid", "user"])
async def test_who_is_banned_while_away_does_not_come_back_to_the_room(
    world: World, known_by: str
) -> None:
    user = world.name("ann")
    universe, (owner,) = await world.together("owner")
    ann = await Wire.open(world, user)
    await ann.joins(universe)
    ann.cut()
    assert (await world.call("PUT", f"/universes/{universe}/bans/{user}", "owner"))[0] == 204
    moved = await owner.asks("update_physics", universeId=universe, parameters={"gravity": 1})

    pid, offset = (ann.pid, ann.offset) if known_by == "pid" else (None, None)
    again = await Wire.open(world, user, gateway=1, pid=pid, offset=offset)

    told = await again.until("room_error")
    assert {name for name, _ in told} == {"connect_success", "room_error"}
    assert told[-1][1]["code"] == "PERMISSION_DENIED"
    assert told[-1][1]["details"]["reason"] == "BANNED"
    await owner.hears("physics_updated", seq=moved["seq"])
    _, seen = await world.call("GET", f"/universes/{universe}", "owner")
    assert seen["participants"] == 1


async def test_of_a_ban_and_joins_at_once_the_ban_counts_in_the_end(world: World) -> None:
    universe, _ = await world.together("owner")
    clients = [await world.client("ann", gateway=number % 2) for number in range(8)]

    await asyncio.gather(
        *(client.asks("join_room", universeId=universe, mode="edit") for client in clients),
        world.call("PUT", f"/universes/{universe}/bans/ann", "owner"),
    )

    _, seen = await world.call("GET", f"/universes/{universe}", "owner")
    assert seen["participants"] == 1
    for client in clients:
        refusal = await client.asks(
            "update_physics", universeId=universe, parameters={"gravity": 1}
        )
        assert refusal["error"]["code"] == "PERMISSION_DENIED"


async def test_a_universe_is_handed_over_to_a_member(world: World) -> None:
    ann, owner = world.name("ann"), world.name("owner")
    universe = await world.universe(owner, visibility="private")
    path = f"/universes/{universe}"
    await world.call("PUT", f"{path}/members/{ann}", owner, {"role": "view"})
    _, clients = await world.together(owner, universe=universe)
    taker = await world.client(ann, gateway=1)
    await taker.joins(universe, "view")

    status, seen = await world.call("PATCH", path, owner, {"owner": ann})

    assert (status, seen["owner"]) == (200, ann)
    for client in (*clients, taker):
        told = await client.hears("universe_updated", universeId=universe)
        assert (told["owner"], told["changed"]) == (ann, ["owner"])
    _, seen = await world.call("GET", path, ann, gateway=1)
    assert seen["members"] == {owner: "edit"}
    status, answer = await world.call("DELETE", path, owner)
    assert (status, answer["error"]["details"]["reason"]) == (403, "NOT_OWNER")
    for user in (owner, ann):
        assert (await listed(world, user))[universe]["owner"] == ann
    assert (await world.call("DELETE", path, ann))[0] == 204


@pytest.mark.parametrize("role", ROLES[1:])
async def test_nobody_but_the_owner_hands_a_universe_over(world: World, role: str) -> None:
    universe, people = await shared(world, "public")
    asking = None if role == "nobody" else people[role]

    status, _ = await world.call(
        "PATCH", f"/universes/{universe}", asking, {"owner": people["target"]}
    )

    assert status == (401 if role == "nobody" else 403)
    _, seen = await world.call("GET", f"/universes/{universe}", people["owner"])
    assert seen["owner"] == people["owner"]


async def test_of_two_transfers_at_once_one_is_done(world: World) -> None:
    universe, people = await shared(world, "private")
    path, owner = f"/universes/{universe}", people["owner"]

    answers = await asyncio.gather(
        *(
            world.call("PATCH", path, owner, {"owner": people[to]}, gateway=number)
            for number, to in enumerate(("editor", "viewer"))
        )
    )

    assert sorted(status for status, _ in answers) == [200, 403]
    _, seen = await world.call("GET", path, owner)
    assert seen["owner"] in {people["editor"], people["viewer"]}


@pytest.fixture
async def unprepared(tmp_path: Path) -> AsyncIterator[World]:
    """A product whose operator has not said that no earlier version runs."""
    async with (
        started(tmp_path / "unprepared", HARMONIC_STORES_MODERATION="false") as stack,
        aiohttp.ClientSession() as http,
    ):
        yield World(stack, http)


async def test_nothing_is_stored_that_earlier_versions_would_forget(unprepared: World) -> None:
    world = unprepared
    universe = await world.universe()
    path = f"/universes/{universe}"
    await world.call("PUT", f"{path}/members/ann", "owner", {"role": "edit"})
    for method, where, body in (
        ("PUT", f"{path}/bans/ann", None),
        ("PATCH", path, {"owner": "ann"}),
    ):
        status, answer = await world.call(method, where, "owner", body)
        assert (status, answer["error"]["details"]["reason"]) == (403, "SWITCHED_OFF")
    _, seen = await world.call("GET", path, "owner")
    assert (seen["owner"], seen["bans"]) == ("owner", {})
