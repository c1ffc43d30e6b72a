"""Commands with an ``opId``: sent twice, applied once."""

from harness.world import World


async def test_a_command_sent_twice_is_applied_once(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    command = {"universeId": universe, "opId": "op-1", "parameters": {"gravity": 1}}

    first = await ann.asks("update_physics", **command)
    again = await ann.asks("update_physics", **command)
    await ann.asks("update_physics", universeId=universe, parameters={"gravity": 2})

    assert first == again == {"ok": True, "seq": 3}
    await bob.hears_next("physics_updated", seq=3)
    await bob.hears_next("physics_updated", seq=4)


async def test_a_repeat_over_another_gateway_is_a_repeat(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    command = {"universeId": universe, "opId": "op-1", "music": {"tempo": 50}, "physics": {}}
    command["physics"] = {"gravity": 1}
    first = await ann.asks("update_parameters", **command)
    tab = await world.client("ann", gateway=1)
    await tab.joins(universe)

    assert await tab.asks("update_parameters", **command) == first == {"ok": True, "seq": 3}


async def test_an_op_id_is_each_users_own(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    command = {"universeId": universe, "opId": "op-1", "parameters": {"gravity": 1}}

    await ann.asks("update_physics", **command)

    assert await bob.asks("update_physics", **command) == {"ok": True, "seq": 4}


async def test_an_op_id_used_for_something_else_is_refused(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    await ann.asks("update_physics", universeId=universe, opId="op-1", parameters={"gravity": 1})

    answer = await ann.asks(
        "update_physics", universeId=universe, opId="op-1", parameters={"gravity": 2}
    )

    assert answer["error"]["code"] == "INVALID_PARAMETERS"
    assert answer["error"]["details"]["reason"] == "OP_ID_REUSED"
    assert answer["error"]["details"]["opId"] == "op-1"


async def test_a_refusal_is_not_remembered(world: World) -> None:
    universe = await world.universe()
    ann = await world.client("ann")
    command = {"universeId": universe, "opId": "op-1", "parameters": {"gravity": 1}}
    refusal = await ann.asks("update_physics", **command)
    await ann.joins(universe)

    assert refusal["error"]["details"]["reason"] == "NOT_IN_ROOM"
    assert await ann.asks("update_physics", **command) == {"ok": True, "seq": 2}


async def test_music_asked_for_twice_is_made_once(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    request = {"universeId": universe, "opId": "op-1", "duration": 1}

    assert (await ann.asks("generate_music", **request))["ok"]
    assert (await ann.asks("generate_music", **request))["ok"]

    await bob.hears_next("music_generated", seq=3)
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})
    await bob.hears_next("physics_updated", seq=4)


async def test_an_op_id_of_more_than_64_characters_is_refused(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    change = {"universeId": universe, "parameters": {"gravity": 1}}

    assert (await ann.asks("update_physics", opId="o" * 64, **change))["ok"]
    refusal = await ann.asks("update_physics", opId="o" * 65, **change)

    assert [field["field"] for field in refusal["error"]["details"]["fields"]] == ["opId"]
