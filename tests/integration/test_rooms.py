"""Joining and leaving: what one is told, who may, and how many."""

import asyncio
from typing import Any

import pytest

from harness.world import World

DEFAULTS: dict[str, dict[str, Any]] = {
    "physics": {
        "gravity": 9.81,
        "friction": 0.5,
        "elasticity": 0.7,
        "airResistance": 0.1,
        "timeScale": 1.0,
    },
    "music": {
        "harmony": 0.7,
        "tempo": 120,
        "key": "C",
        "scale": "major",
        "rhythmComplexity": 0.5,
        "melodyRange": 0.8,
    },
    "visualization": {
        "brightness": 0.8,
        "saturation": 0.7,
        "complexity": 0.6,
        "colorScheme": "rainbow",
        "particleCount": 5000,
        "glowIntensity": 0.5,
    },
}


async def test_who_joins_is_told_everything_about_the_room(world: World) -> None:
    universe = await world.universe()
    ann = await world.client("ann", token=world.token("ann", name="Ann"))

    joined = await ann.joins(universe)

    assert joined.pop("timestamp").endswith("Z")
    assert joined == {
        "universeId": universe,
        "participants": [{"userId": "ann", "username": "Ann", "mode": "edit"}],
        "mode": "edit",
        "parameters": DEFAULTS,
        "seq": 1,
    }


async def test_the_joiner_hears_of_itself_first_and_of_nothing_in_between(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    bob = await world.client("bob", gateway=1)
    await bob.hears_next("connect_success")

    await bob.says("join_room", universeId=universe, mode="view")

    announced = await bob.hears_next("participant_joined", universeId=universe)
    joined = await bob.hears_next("room_joined", universeId=universe)
    assert announced["participant"] == {"userId": "bob", "username": "bob", "mode": "view"}
    assert announced["seq"] == joined["seq"] == 2
    assert announced["timestamp"].endswith("Z")
    assert [person["userId"] for person in joined["participants"]] == ["ann", "bob"]
    assert await ann.hears_next("participant_joined") == announced


async def test_an_ack_of_a_join_names_the_seq(world: World) -> None:
    universe = await world.universe()
    ann = await world.client("ann")

    assert await ann.asks("join_room", universeId=universe, mode="edit") == {"ok": True, "seq": 1}


async def test_joining_again_changes_nothing(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    again = await ann.joins(universe)
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})

    assert again["seq"] == 2
    assert len(again["participants"]) == 2
    await bob.hears_next("physics_updated", seq=3)


async def test_joining_in_another_mode_changes_the_mode(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    joined = await ann.joins(universe, "view")

    viewer = {"userId": "ann", "username": "ann", "mode": "view"}
    assert joined["mode"] == "view"
    assert viewer in joined["participants"]
    assert (await bob.hears_next("participant_joined"))["participant"] == viewer
    refusal = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1})
    assert refusal["error"]["details"]["reason"] == "VIEW_ONLY"


async def test_who_leaves_is_told_and_so_is_the_room(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await ann.says("leave_room", universeId=universe)

    left = await ann.hears_next("room_left", universeId=universe)
    assert left.keys() == {"universeId", "timestamp"}
    gone = await bob.hears_next("participant_left", universeId=universe, userId="ann", seq=3)
    assert gone["timestamp"] == left["timestamp"]


async def test_who_left_hears_nothing_more_and_may_come_back(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    await ann.says("leave_room", universeId=universe)
    await ann.hears_next("room_left")
    await bob.asks("update_physics", universeId=universe, parameters={"gravity": 1})

    await ann.says("join_room", universeId=universe, mode="edit")

    await ann.hears_next("participant_joined")
    joined = await ann.hears_next("room_joined", seq=5)
    assert joined["parameters"]["physics"]["gravity"] == 1


async def test_joining_leaving_and_joining_in_one_breath_ends_in_the_room(world: World) -> None:
    universe, (bob,) = await world.together("bob")
    ann = await world.client("ann", gateway=1)
    await ann.hears_next("connect_success")

    for _ in range(5):
        await ann.says("join_room", universeId=universe, mode="edit")
        await ann.says("leave_room", universeId=universe)
    await ann.says("join_room", universeId=universe, mode="edit")
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})

    for _ in range(5):
        await ann.hears_next("participant_joined")
        await ann.hears_next("room_joined")
        await ann.hears_next("room_left")
    await ann.hears_next("participant_joined", seq=12)
    await ann.hears_next("room_joined", seq=12)
    await ann.hears_next("physics_updated", seq=13)
    await bob.hears_up_to(13)
    assert len(bob.all_heard("participant_joined", "participant_left")) == 12


async def test_leaving_a_room_that_one_is_not_in_is_refused(world: World) -> None:
    universe = await world.universe()
    ann = await world.client("ann")

    await ann.says("leave_room", universeId=universe)

    refusal = await ann.hears("room_error", code="PERMISSION_DENIED")
    assert refusal["details"]["reason"] == "NOT_IN_ROOM"


@pytest.mark.parametrize("event", ["join_room", "leave_room"])
async def test_an_unknown_universe_is_not_found(world: World, event: str) -> None:
    ann = await world.client("ann")
    mode = {"mode": "edit"} if event == "join_room" else {}

    ack = await ann.asks(event, universeId="never-was", opId="op-1", **mode)

    refusal = await ann.hears("room_error")
    error_id = refusal["details"].pop("errorId")
    details = {"event": event, "universeId": "never-was", "opId": "op-1"}
    assert refusal == {
        "error": "Universe not found",
        "code": "NOT_FOUND",
        "message": "Universe not found",
        "details": details,
        "universeId": "never-was",
    }
    assert ack == {
        "ok": False,
        "error": {
            "code": "NOT_FOUND",
            "message": "Universe not found",
            "details": {**details, "errorId": error_id},
        },
    }
    assert "gateway" in await world.logged(error_id)


async def test_a_private_universe_looks_like_one_that_never_was(world: World) -> None:
    universe = await world.universe(visibility="private")
    ann = await world.client("ann")

    hidden = await ann.asks("join_room", universeId=universe, mode="view")
    unknown = await ann.asks("join_room", universeId="never-was", mode="view")

    for answer in (hidden, unknown):
        del answer["error"]["details"]["errorId"], answer["error"]["details"]["universeId"]
    assert hidden == unknown


async def test_members_enter_a_private_universe_in_their_role(world: World) -> None:
    universe = await world.universe("owner", visibility="private")
    await world.call("PUT", f"/universes/{universe}/members/ann", "owner", {"role": "view"})
    ann = await world.client("ann", gateway=1)

    refusal = await ann.asks("join_room", universeId=universe, mode="edit")

    assert refusal["error"]["details"]["allowedMode"] == "view"
    assert (await ann.joins(universe, "view"))["mode"] == "view"


async def test_editing_where_one_may_only_view_is_refused_with_what_is_allowed(
    world: World,
) -> None:
    universe = await world.universe(publicMode="view")
    ann = await world.client("ann")

    await ann.says("join_room", universeId=universe, mode="edit")

    refusal = await ann.hears("room_error", code="PERMISSION_DENIED", universeId=universe)
    assert refusal["details"]["allowedMode"] == "view"


@pytest.mark.parametrize("mode", [{}, {"mode": "admin"}, {"mode": None}, {"mode": ["edit"]}])
async def test_a_missing_or_unknown_mode_is_invalid(world: World, mode: dict[str, Any]) -> None:
    universe = await world.universe()
    ann = await world.client("ann")

    await ann.says("join_room", universeId=universe, **mode)

    refusal = await ann.hears("room_error", code="INVALID_PARAMETERS", universeId=universe)
    assert [field["field"] for field in refusal["details"]["fields"]] == ["mode"]


async def test_a_connection_may_be_in_eight_rooms_and_no_ninth(world: World) -> None:
    rooms = [await world.universe() for _ in range(9)]
    ann = await world.client("ann")
    for room in rooms[:8]:
        await ann.joins(room)

    await ann.says("join_room", universeId=rooms[8], mode="edit")

    refusal = await ann.hears("room_error", code="INVALID_PARAMETERS", universeId=rooms[8])
    assert refusal["details"]["reason"] == "TOO_MANY_ROOMS"
    assert refusal["details"]["limit"] == 8
    # A refused join takes no place, and one that was given up is free again.
    await ann.says("leave_room", universeId=rooms[0])
    await ann.joins(rooms[8])


async def test_eight_rooms_at_once_are_told_apart(world: World) -> None:
    rooms = [await world.universe() for _ in range(8)]
    ann = await world.client("ann")
    for number, room in enumerate(rooms):
        await ann.joins(room)
        await ann.says("update_physics", universeId=room, parameters={"gravity": number})

    for number, room in enumerate(rooms):
        _, answer = await world.call("GET", f"/universes/{room}", "ann")
        assert answer["parameters"]["physics"]["gravity"] == number


async def test_a_full_room_refuses_exactly_those_too_many_at_once(world: World) -> None:
    universe = await world.universe(maxParticipants=7)
    clients = [await world.client(f"user-{n}", gateway=n % 2) for n in range(20)]

    answers = await asyncio.gather(
        *(client.asks("join_room", universeId=universe, mode="edit") for client in clients)
    )

    refusals = [answer["error"] for answer in answers if not answer["ok"]]
    assert len(refusals) == 13
    assert {refusal["code"] for refusal in refusals} == {"ROOM_FULL"}
    assert refusals[0]["details"]["maxParticipants"] == 7
    _, seen = await world.call("GET", f"/universes/{universe}", "owner")
    assert seen["participants"] == 7


async def test_another_tab_of_a_participant_enters_a_full_room(world: World) -> None:
    universe = await world.universe(maxParticipants=1)
    ann = await world.client("ann")
    await ann.joins(universe)
    bob, tab = await world.client("bob"), await world.client("ann", gateway=1)

    await bob.says("join_room", universeId=universe, mode="view")

    await bob.hears("room_error", code="ROOM_FULL")
    await tab.joins(universe)


async def test_a_seat_given_up_is_free_for_the_next(world: World) -> None:
    universe = await world.universe(maxParticipants=1)
    ann, bob = await world.client("ann"), await world.client("bob", gateway=1)
    await ann.joins(universe)

    await ann.says("leave_room", universeId=universe)
    await ann.hears("room_left")

    assert len((await bob.joins(universe))["participants"]) == 1
