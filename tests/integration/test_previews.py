"""Previews: the others in a room see what somebody is trying out, before it is an update."""

from typing import Any

import pytest

from harness.world import World


async def test_the_others_see_what_somebody_tries_out(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    ack = await ann.asks("preview_parameters", universeId=universe, physics={"gravity": 3.5})
    await ann.asks("update_physics", universeId=universe, parameters={"gravity": 4})

    assert ack == {"ok": True}
    shown = await bob.hears_next("parameters_previewed")
    assert shown.pop("timestamp")
    assert shown == {"universeId": universe, "userId": "ann", "physics": {"gravity": 3.5}}
    # It is stored nowhere: the update is the first number, and whoever comes sees the update.
    updated = await bob.hears_next("physics_updated")
    assert updated["parameters"]["gravity"] == 4
    assert not ann.all_heard("parameters_previewed")


async def test_another_window_of_the_same_user_sees_it_too(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    again = await world.client("ann")
    await again.joins(universe)

    await ann.says("preview_parameters", universeId=universe, music={"tempo": 99})

    await again.hears_next("parameters_previewed", music={"tempo": 99})


async def test_a_preview_of_nothing_says_that_it_is_over(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await ann.says("preview_parameters", universeId=universe)

    assert (await bob.hears_next("parameters_previewed")).keys() == {
        "universeId",
        "userId",
        "timestamp",
    }


@pytest.mark.parametrize(
    ("sets", "code"),
    [
        ({"physics": {"gravity": 21}}, "INVALID_PARAMETERS"),
        ({"physics": {}}, "INVALID_PARAMETERS"),
        ({"physics": {"mass": 1}}, "INVALID_PARAMETERS"),
        ({"sound": {"tempo": 90}}, "INVALID_PARAMETERS"),
    ],
)
async def test_a_preview_of_bad_values_is_refused(
    world: World, sets: dict[str, Any], code: str
) -> None:
    universe, (ann,) = await world.together("ann")

    ack = await ann.asks("preview_parameters", universeId=universe, **sets)

    assert ack["error"]["code"] == code


async def test_viewers_and_strangers_preview_nothing(world: World) -> None:
    universe = await world.universe(visibility="public")
    viewer, stranger = await world.client("viewer"), await world.client("stranger")
    await viewer.joins(universe, mode="view")

    for client, reason in ((viewer, "VIEW_ONLY"), (stranger, "NOT_IN_ROOM")):
        ack = await client.asks("preview_parameters", universeId=universe, physics={"gravity": 1})
        assert ack["error"]["code"] == "PERMISSION_DENIED"
        assert ack["error"]["details"]["reason"] == reason


async def test_previews_do_not_count_as_updates(world: World) -> None:
    universe, (ann,) = await world.together(world.name("ann"))

    for number in range(61):
        ack = await ann.asks(
            "preview_parameters", universeId=universe, physics={"gravity": number / 10}
        )
        assert ack == {"ok": True}
    assert (await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1}))["ok"]
