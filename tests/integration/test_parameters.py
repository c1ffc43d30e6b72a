"""Changing parameters: what is sent, what everybody hears, and what is refused as a whole."""

from typing import Any

import pytest

from harmonic_protocol.messages.parameters import PARAMETER_SETS
from harness.world import World
from integration.test_rooms import DEFAULTS

SETS: dict[str, dict[str, Any]] = {
    "physics": {
        "gravity": 3.7,
        "friction": 0.25,
        "elasticity": 1,
        "airResistance": 0,
        "timeScale": 0.1,
    },
    "music": {
        "harmony": 0.1,
        "tempo": 200,
        "key": "F#",
        "scale": "dorian",
        "rhythmComplexity": 0,
        "melodyRange": 1,
    },
    "visualization": {
        "brightness": 0.1,
        "saturation": 0.2,
        "complexity": 0.3,
        "colorScheme": "deep-sea_2",
        "particleCount": 100,
        "glowIntensity": 0.4,
    },
}
each_set = pytest.mark.parametrize("name", SETS)


@each_set
async def test_a_change_is_heard_by_all_the_sender_included(world: World, name: str) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    ack = await ann.asks(f"update_{name}", universeId=universe, parameters=SETS[name])

    heard = await ann.hears_next(f"{name}_updated")
    assert await bob.hears_next(f"{name}_updated") == heard
    assert heard.pop("timestamp").endswith("Z")
    assert set(heard.pop("changed")) == set(SETS[name])
    assert heard == {
        "universeId": universe,
        "parameters": SETS[name],
        "userId": "ann",
        "seq": 3,
    }
    assert ack == {"ok": True, "seq": 3}


@each_set
async def test_a_subset_is_merged_and_the_full_set_is_heard(world: World, name: str) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    first, second, *_ = SETS[name]

    for field in (first, second):
        change = {field: SETS[name][field]}
        await ann.says(f"update_{name}", universeId=universe, parameters=change)

    heard = await bob.hears_next(f"{name}_updated", changed=[first])
    assert heard["parameters"] == {**DEFAULTS[name], first: SETS[name][first]}
    heard = await bob.hears_next(f"{name}_updated", changed=[second])
    both = {first: SETS[name][first], second: SETS[name][second]}
    assert heard["parameters"] == {**DEFAULTS[name], **both}


async def test_the_last_writer_wins_field_by_field(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1, "friction": 1})
    await bob.asks("update_physics", universeId=universe, parameters={"gravity": 2})

    heard = await ann.hears("physics_updated", userId="bob")

    assert heard["parameters"] == {**DEFAULTS["physics"], "gravity": 2, "friction": 1}


async def test_both_gateways_hear_the_changes_of_both_in_one_order(world: World) -> None:
    _, (ann, bob) = universe, clients = await world.together("ann", "bob")
    for number in range(10):
        for client in clients:
            await client.says("update_physics", universeId=universe, parameters={"gravity": number})

    await ann.hears("physics_updated", seq=22)
    await bob.hears("physics_updated", seq=22)

    heard = ann.all_heard("physics_updated")
    assert heard == bob.all_heard("physics_updated")
    assert [event["seq"] for event in heard] == list(range(3, 23))


async def test_the_same_value_again_is_a_change_like_any_other(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await ann.says("update_physics", universeId=universe, parameters={"gravity": 9.81})

    await bob.hears_next("physics_updated", changed=["gravity"], parameters=DEFAULTS["physics"])


async def test_a_batch_is_three_frames_in_a_row(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    ack = await ann.asks("update_parameters", universeId=universe, **SETS)

    frames = [
        await bob.hears_next(f"{name}_updated", seq=seq, parameters=SETS[name])
        for seq, name in enumerate(SETS, start=3)
    ]
    assert len({frame["timestamp"] for frame in frames}) == 1
    assert ack == {"ok": True, "seq": 5}


async def test_a_batch_of_one_set_is_one_frame(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await ann.says("update_parameters", universeId=universe, music={"tempo": 60})
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 0})

    await bob.hears_next("music_updated", seq=3, changed=["tempo"])
    await bob.hears_next("physics_updated", seq=4)


@pytest.mark.parametrize(
    "wrong",
    [{"gravity": 21}, {"gravity": "3"}, {"mass": 1}, {}, None],
    ids=["range", "type", "unknown", "empty", "null"],
)
async def test_nothing_of_a_batch_happens_if_one_part_is_wrong(world: World, wrong: Any) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    batch = {"music": {"tempo": 60}, "physics": wrong, "visualization": {"complexity": 1}}

    refusal = await ann.asks("update_parameters", universeId=universe, **batch)
    await bob.says("update_physics", universeId=universe, parameters={"gravity": 0})

    assert refusal["error"]["code"] == "INVALID_PARAMETERS"
    await ann.hears_next("error", code="INVALID_PARAMETERS")
    await bob.hears_next("physics_updated", seq=3)
    _, seen = await world.call("GET", f"/universes/{universe}", "ann")
    assert seen["parameters"]["music"] == DEFAULTS["music"]


async def test_a_batch_of_nothing_is_refused(world: World) -> None:
    universe, (ann,) = await world.together("ann")

    refusal = await ann.asks("update_parameters", universeId=universe)

    *others, last = PARAMETER_SETS
    assert f"must hold {', '.join(others)} or {last}" in refusal["error"]["message"]


@pytest.mark.parametrize(
    ("name", "field", "least", "most"),
    [
        ("physics", "gravity", 0, 20),
        ("physics", "friction", 0, 1),
        ("physics", "elasticity", 0, 1),
        ("physics", "airResistance", 0, 1),
        ("physics", "timeScale", 0.1, 5),
        ("music", "harmony", 0, 1),
        ("music", "tempo", 40, 200),
        ("music", "rhythmComplexity", 0, 1),
        ("music", "melodyRange", 0, 1),
        ("visualization", "brightness", 0, 1),
        ("visualization", "saturation", 0, 1),
        ("visualization", "complexity", 0, 1),
        ("visualization", "glowIntensity", 0, 1),
        ("visualization", "particleCount", 100, 10000),
    ],
)
async def test_a_range_includes_its_ends_and_nothing_beyond(
    world: World, name: str, field: str, least: float, most: float
) -> None:
    universe, (ann,) = await world.together("ann")
    event = f"update_{name}"

    for value in (least, most):
        assert (await ann.asks(event, universeId=universe, parameters={field: value}))["ok"]
    for value in (least - 1, most + 1):
        refusal = await ann.asks(event, universeId=universe, parameters={field: value})
        (problem,) = refusal["error"]["details"]["fields"]
        assert problem["field"] == f"parameters.{field}"
        assert problem["reason"].startswith("must be at ")
        assert (problem["min"], problem["max"]) == (least, most)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("music", {"key": "H"}),
        ("music", {"key": "c"}),
        ("music", {"scale": "majör"}),
        ("visualization", {"colorScheme": ""}),
        ("visualization", {"colorScheme": "x" * 33}),
        ("visualization", {"colorScheme": "<b>"}),
        ("visualization", {"particleCount": 100.5}),
    ],
)
async def test_words_and_whole_numbers_are_checked_too(
    world: World, name: str, parameters: dict[str, Any]
) -> None:
    universe, (ann,) = await world.together("ann")

    refusal = await ann.asks(f"update_{name}", universeId=universe, parameters=parameters)

    (problem,) = refusal["error"]["details"]["fields"]
    assert problem["field"] == f"parameters.{next(iter(parameters))}"
    assert problem["reason"].startswith("must ")


@pytest.mark.parametrize(
    "scale",
    [
        *("major", "minor", "harmonic_minor", "melodic_minor", "ionian", "dorian", "phrygian"),
        *("lydian", "mixolydian", "aeolian", "locrian", "major_pentatonic", "minor_pentatonic"),
        *("blues", "whole_tone", "chromatic"),
    ],
)
async def test_a_scale_is_kept_as_it_was_named(world: World, scale: str) -> None:
    universe, (ann,) = await world.together("ann")

    await ann.says("update_music", universeId=universe, parameters={"scale": scale})

    assert (await ann.hears_next("music_updated"))["parameters"]["scale"] == scale


async def test_who_is_not_in_the_room_changes_nothing(world: World) -> None:
    universe = await world.universe()
    ann = await world.client("ann")

    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})

    error = await ann.hears("error", code="PERMISSION_DENIED")
    assert error["details"]["reason"] == "NOT_IN_ROOM"
    assert error["details"]["event"] == "update_physics"
    assert error["details"]["universeId"] == universe


@pytest.mark.parametrize("event", ["update_physics", "update_parameters"])
async def test_who_only_views_changes_nothing(world: World, event: str) -> None:
    universe = await world.universe()
    ann = await world.client("ann")
    await ann.joins(universe, "view")
    field = "parameters" if event == "update_physics" else "physics"

    await ann.says(event, universeId=universe, **{field: {"gravity": 1}})

    error = await ann.hears("error", code="PERMISSION_DENIED")
    assert error["details"]["reason"] == "VIEW_ONLY"


async def test_a_universe_that_is_not_there_is_not_found(world: World) -> None:
    ann = await world.client("ann")

    await ann.says("update_physics", universeId="never-was", parameters={"gravity": 1})

    await ann.hears("error", code="NOT_FOUND", message="Universe not found")


async def test_a_clients_commands_are_handled_in_its_order(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    for number in range(50):
        await ann.says("update_physics", universeId=universe, parameters={"gravity": number % 20})
        await ann.says("update_music", universeId=universe, parameters={"tempo": 40 + number})
    await ann.says("leave_room", universeId=universe)
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})

    await ann.hears("room_left")
    await ann.hears_next("error", code="PERMISSION_DENIED")
    await bob.hears("participant_left", seq=103)
    names = [name for name, _ in bob.heard if name.endswith("_updated")]
    tempi = [event["parameters"]["tempo"] for event in bob.all_heard("music_updated")]
    assert names == ["physics_updated", "music_updated"] * 50
    assert tempi == list(range(40, 90))
