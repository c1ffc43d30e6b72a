"""What the owner changes over HTTP reaches those in the room at once."""

from typing import Any

from harness.client import Client
from harness.world import World

HEARD_AT = "2024-03-21T10:30:00Z"


async def change(world: World, universe: str, **settings: Any) -> None:
    status, answer = await world.call("PATCH", f"/universes/{universe}", "owner", settings)
    assert status == 200, answer


async def role(world: World, universe: str, user: str, role: str | None) -> None:
    path = f"/universes/{universe}/members/{user}"
    if role is None:
        assert (await world.call("DELETE", path, "owner"))[0] == 204
    else:
        assert (await world.call("PUT", path, "owner", {"role": role}))[0] == 200


async def is_out(client: Client, universe: str, code: str) -> None:
    """The client is told that it is out of the room, and is."""
    told = await client.hears_next("room_error", code=code, universeId=universe)
    assert told["error"] == told["message"]
    assert told["details"]["universeId"] == universe
    refusal = await client.asks("update_physics", universeId=universe, parameters={"gravity": 1})
    assert refusal["ok"] is False


async def test_a_deletion_puts_everybody_out(world: World) -> None:
    universe, members = await world.together("owner", "ann", "bob")

    await world.call("DELETE", f"/universes/{universe}", "owner")

    for member in members:
        await is_out(member, universe, "NOT_FOUND")


async def test_a_deletion_leaves_room_for_others(world: World) -> None:
    rooms = [await world.universe() for _ in range(9)]
    ann = await world.client("ann")
    for room in rooms[:8]:
        await ann.joins(room)

    await world.call("DELETE", f"/universes/{rooms[0]}", "owner")

    await ann.hears("room_error", universeId=rooms[0])
    await ann.joins(rooms[8])


async def test_why_someone_was_evicted_is_found_in_the_log(world: World) -> None:
    universe, (ann,) = await world.together("ann")

    await world.call("DELETE", f"/universes/{universe}", "owner")

    told = await ann.hears_next("room_error")
    assert "evicted" in await world.logged(told["details"]["errorId"])


async def test_a_removal_puts_all_tabs_of_a_member_out(world: World) -> None:
    universe = await world.universe(visibility="private")
    await role(world, universe, "ann", "edit")
    _, (owner, ann) = await world.together("owner", "ann", universe=universe)
    tab = await world.client("ann")
    await tab.joins(universe, "view")

    await role(world, universe, "ann", None)

    for client in (ann, tab):
        await is_out(client, universe, "PERMISSION_DENIED")
    await owner.hears_next("participant_left", userId="ann", seq=3)
    refusal = await ann.asks("join_room", universeId=universe, mode="view")
    assert refusal["error"]["code"] == "NOT_FOUND"


async def test_who_was_removed_hears_nothing_more(world: World) -> None:
    universe = await world.universe(visibility="private")
    await role(world, universe, "ann", "edit")
    _, (owner, ann) = await world.together("owner", "ann", universe=universe)
    await role(world, universe, "ann", None)
    await ann.hears_next("room_error")

    await owner.asks("update_physics", universeId=universe, parameters={"gravity": 1})
    await ann.says("nonsense")

    await ann.hears_next("error")


async def test_a_member_removed_from_a_public_universe_becomes_a_viewer(world: World) -> None:
    universe = await world.universe(publicMode="view")
    await role(world, universe, "ann", "edit")
    _, (owner, ann) = await world.together("owner", "ann", universe=universe)

    await role(world, universe, "ann", None)

    told = await ann.hears_next("role_changed", universeId=universe)
    assert "role" not in told
    for client in (owner, ann):
        told = await client.hears_next("participant_joined")
        assert told["participant"] == {"userId": "ann", "username": "ann", "mode": "view"}
    refusal = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1})
    assert refusal["error"]["details"]["reason"] == "VIEW_ONLY"


async def test_a_downgraded_member_views_from_now_on(world: World) -> None:
    universe = await world.universe(visibility="private")
    await role(world, universe, "ann", "edit")
    _, (owner, ann) = await world.together("owner", "ann", universe=universe)

    await role(world, universe, "ann", "view")

    await ann.hears_next("role_changed", role="view")
    for client in (owner, ann):
        told = await client.hears_next("participant_joined", seq=3)
        assert told["participant"]["mode"] == "view"
    for event, fields in (
        ("update_physics", {"parameters": {"gravity": 1}}),
        (
            "audio_analysis",
            {"analysis": {"frequencies": [], "waveform": [], "timestamp": HEARD_AT}},
        ),
    ):
        refusal = await ann.asks(event, universeId=universe, **fields)
        assert refusal["error"]["details"]["reason"] == "VIEW_ONLY"


async def test_a_promoted_member_edits_once_it_joins_to_edit(world: World) -> None:
    universe = await world.universe(visibility="private")
    await role(world, universe, "ann", "view")
    ann = await world.client("ann", gateway=1)
    await ann.joins(universe, "view")

    await role(world, universe, "ann", "edit")
    told = await ann.hears_next("role_changed", universeId=universe)
    assert (told["role"], bool(told["timestamp"])) == ("edit", True)
    await ann.joins(universe, "edit")

    assert (await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1}))["ok"]


async def test_a_universe_made_private_keeps_its_members_only(world: World) -> None:
    universe = await world.universe()
    await role(world, universe, "ann", "view")
    _, (owner, bob, cem) = await world.together("owner", "bob", "cem", universe=universe)
    ann = await world.client("ann")
    await ann.joins(universe, "view")
    await owner.hears_next("participant_joined")

    await change(world, universe, visibility="private")

    for client in (bob, cem):
        told = await client.hears("room_error", universeId=universe)
        assert told["code"] == "NOT_FOUND"
        assert not client.all_heard("universe_updated")
    for client in (owner, ann):
        await client.hears_next("universe_updated", seq=5, visibility="private")
        gone = {(await client.hears("participant_left", seq=seq))["userId"] for seq in (6, 7)}
        assert gone == {"bob", "cem"}


async def test_a_public_universe_to_be_viewed_lets_only_those_with_a_role_edit(
    world: World,
) -> None:
    universe = await world.universe()
    await role(world, universe, "ann", "edit")
    _, (owner, ann, bob) = await world.together("owner", "ann", "bob", universe=universe)

    await change(world, universe, publicMode="view")

    for client in (owner, ann, bob):
        await client.hears_next("universe_updated", seq=4, publicMode="view")
        told = await client.hears_next("participant_joined", seq=5)
        assert told["participant"] == {"userId": "bob", "username": "bob", "mode": "view"}
    assert (await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1}))["ok"]
    refusal = await bob.asks("update_physics", universeId=universe, parameters={"gravity": 1})
    assert refusal["error"]["details"]["reason"] == "VIEW_ONLY"


async def test_a_smaller_room_keeps_those_in_it_and_takes_nobody_more(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await change(world, universe, maxParticipants=1)

    cem = await world.client("cem")
    await cem.says("join_room", universeId=universe, mode="view")
    await cem.hears("room_error", code="ROOM_FULL")
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})
    await bob.hears_next("universe_updated", seq=3, maxParticipants=1)
    await bob.hears_next("physics_updated", seq=4)


async def test_a_new_name_is_told_to_the_room(world: World) -> None:
    universe, members = await world.together("ann", "bob")

    await change(world, universe, name="Another", publicMode="edit")

    for client in members:
        told = await client.hears_next("universe_updated")
        assert told.pop("timestamp")
        assert told == {
            "universeId": universe,
            "name": "Another",
            "owner": "owner",
            "visibility": "public",
            "publicMode": "edit",
            "maxParticipants": 50,
            "changed": ["name"],
            "userId": "owner",
            "seq": 3,
        }


async def test_settings_that_are_as_they_were_are_told_to_nobody(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await change(world, universe, name="A universe", visibility="public")
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})

    await bob.hears_next("physics_updated", seq=3)


async def test_a_role_is_told_to_all_tabs_of_its_user_and_to_nobody_else(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    tab = await world.client("ann", gateway=1)
    await tab.joins(universe, "view")

    await role(world, universe, "ann", "view")
    await bob.asks("update_physics", universeId=universe, parameters={"gravity": 1})

    for client in (ann, tab):
        await client.hears("role_changed", role="view")
    await bob.hears("physics_updated")
    assert not bob.all_heard("role_changed")
