"""A fourth parameter set and a second live signal, declared outside the product, are served.

Over real sockets, by two gateways, as the three sets and the one signal of the product are.
"""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from extensions.conftest import LIMIT, OCEAN, TESTS
from harmonic_local.processes import Managed
from harness.client import Client
from harness.world import World, started

DEFAULTS = {"height": 1.5, "phase": "flood", "swellCount": 6}
AT = {"x": 0.25, "y": 0.75}


async def together(world: World) -> tuple[str, Client, Client]:
    """A room with one editor on each gateway."""
    universe, (ann, bob) = await world.together(world.name("ann"), world.name("bob"))
    return universe, ann, bob


async def test_a_change_is_stored_numbered_and_told_to_all(ocean: World) -> None:
    universe, ann, bob = await together(ocean)

    ack = await ann.asks("update_tide", universeId=universe, parameters={"height": 4})

    heard = await bob.hears_next("tide_updated", seq=3)
    assert await ann.hears_next("tide_updated") == heard
    assert ack == {"ok": True, "seq": 3}
    assert (heard["parameters"], heard["changed"]) == (DEFAULTS | {"height": 4}, ["height"])
    assert heard["userId"] == ann.user


async def test_the_next_frame_of_any_kind_has_the_next_number(ocean: World) -> None:
    universe, ann, bob = await together(ocean)

    await ann.says("update_tide", universeId=universe, parameters={"phase": "ebb"})
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})
    await ann.says("update_tide", universeId=universe, parameters={"swellCount": 9})

    for seq, name in ((3, "tide_updated"), (4, "physics_updated"), (5, "tide_updated")):
        await bob.hears_next(name, seq=seq)
    assert bob.heard[-1][1]["parameters"] == DEFAULTS | {"phase": "ebb", "swellCount": 9}


async def test_it_is_a_part_of_update_parameters(ocean: World) -> None:
    universe, ann, bob = await together(ocean)

    ack = await ann.asks(
        "update_parameters", universeId=universe, tide={"height": 7}, music={"tempo": 90}
    )

    assert ack == {"ok": True, "seq": 4}
    await bob.hears_next("music_updated", seq=3)
    await bob.hears_next("tide_updated", seq=4)


async def test_a_wrong_value_is_refused_by_field_and_range(ocean: World) -> None:
    universe, ann, _ = await together(ocean)
    sent = {"height": 12.5, "phase": "slack", "depth": 1}

    refusal = await ann.asks("update_tide", universeId=universe, parameters=sent)

    assert refusal["error"]["code"] == "INVALID_PARAMETERS"
    named = {field.pop("field"): field for field in refusal["error"]["details"]["fields"]}
    assert named == {
        "parameters.height": {"reason": "must be at most 12", "min": 0, "max": 12},
        "parameters.phase": {"reason": "must be one of 'ebb' or 'flood'"},
        "parameters.depth": {"reason": "is not a known field"},
    }


async def test_who_joins_and_who_asks_over_http_is_told_the_values(ocean: World) -> None:
    universe, ann, _ = await together(ocean)
    await ann.asks("update_tide", universeId=universe, parameters={"height": 2})

    eve = await ocean.client(ocean.name("eve"), gateway=1)
    joined = await eve.joins(universe, "view")
    status, found = await ocean.call("GET", f"/universes/{universe}", eve.user)

    assert joined["parameters"]["tide"] == DEFAULTS | {"height": 2}
    assert (status, found["parameters"]) == (200, joined["parameters"])


async def test_a_viewer_may_not_change_it(ocean: World) -> None:
    universe, _, _ = await together(ocean)
    eve = await ocean.client(ocean.name("eve"))
    await eve.joins(universe, "view")

    refusal = await eve.asks("update_tide", universeId=universe, parameters={"height": 2})

    assert refusal["error"]["details"]["reason"] == "VIEW_ONLY"


async def test_the_same_operation_is_carried_out_once(ocean: World) -> None:
    universe, ann, _ = await together(ocean)
    sent = {"universeId": universe, "opId": "once", "parameters": {"height": 3}}

    acks = [await ann.asks("update_tide", **sent) for _ in range(3)]

    assert acks == [{"ok": True, "seq": 3}] * 3


async def test_who_drops_out_is_told_what_it_missed_on_the_other_gateway(ocean: World) -> None:
    universe, (ann,) = await ocean.together(ocean.name("ann"))
    bob = await ocean.client(ocean.name("bob"), gateway=1, comes_back=True)
    await bob.joins(universe)
    await bob.vanishes()
    for height in (2, 3):
        await ann.asks("update_tide", universeId=universe, parameters={"height": height})

    again = await ocean.client(bob.user, gateway=0, comes_back=True)

    joined = await again.hears("room_joined", universeId=universe)
    assert joined["parameters"]["tide"]["height"] == 3
    assert (await again.hears("tide_updated", current=True))["parameters"]["height"] == 3
    missed = [await again.hears("tide_updated", seq=seq) for seq in (3, 4)]
    assert [event["parameters"]["height"] for event in missed] == [2, 3]
    await again.hears("state_recovered", recovered=True, missed=2, fromSeq=2, toSeq=4)


async def test_it_draws_on_the_allowance_of_parameter_updates(ocean: World) -> None:
    universe, ann, _ = await together(ocean)

    answers = [
        await ann.asks("update_tide", universeId=universe, parameters={"height": n % 12})
        for n in range(LIMIT)
    ]
    over = await ann.asks("update_physics", universeId=universe, parameters={"gravity": 1})

    assert all(answer["ok"] for answer in answers)
    assert over["error"]["code"] == "RATE_LIMITED"
    assert over["error"]["details"]["limit"] == LIMIT


async def test_the_signal_is_heard_by_all_and_stored_nowhere(ocean: World) -> None:
    universe, ann, bob = await together(ocean)

    ack = await ann.asks("move_pointer", universeId=universe, opId="mine", **AT)
    await ann.says("update_tide", universeId=universe, parameters={"height": 1})

    heard = await bob.hears_next("pointer_moved")
    assert await ann.hears_next("pointer_moved") == heard
    assert heard.pop("timestamp").endswith("Z")
    assert heard == {"universeId": universe, "userId": ann.user, **AT}
    assert ack == {"ok": True}
    await bob.hears_next("tide_updated", seq=3)


async def test_both_signals_are_heard_by_their_own_names(ocean: World) -> None:
    universe, ann, bob = await together(ocean)
    heard = {"frequencies": [], "waveform": [], "timestamp": "2024-03-21T10:30:00Z"}

    await ann.says("audio_analysis", universeId=universe, analysis=heard)
    await ann.says("move_pointer", universeId=universe, **AT)

    await bob.hears_next("audio_analyzed", analysis=heard)
    await bob.hears_next("pointer_moved", **AT)


async def test_a_signal_needs_edit_mode_and_right_values(ocean: World) -> None:
    universe, ann, _ = await together(ocean)
    eve = await ocean.client(ocean.name("eve"), gateway=1)
    strange = await eve.asks("move_pointer", universeId=universe, **AT)
    await eve.joins(universe, "view")
    viewing = await eve.asks("move_pointer", universeId=universe, **AT)
    wrong = await ann.asks("move_pointer", universeId=universe, x=2, y=0)

    assert strange["error"]["details"]["reason"] == "NOT_IN_ROOM"
    assert viewing["error"]["details"]["reason"] == "VIEW_ONLY"
    (problem,) = wrong["error"]["details"]["fields"]
    assert problem == {"field": "x", "reason": "must be at most 1", "min": 0, "max": 1}


async def test_a_signal_has_the_rate_of_live_signals(ocean: World) -> None:
    universe, ann, _ = await together(ocean)

    answers = await asyncio.gather(
        *(ann.asks("move_pointer", universeId=universe, **AT) for _ in range(150))
    )

    assert [answer["ok"] for answer in answers[:90]] == [True] * 90
    refused = next(answer["error"] for answer in answers if not answer["ok"])
    assert (refused["code"], refused["details"]["limit"]) == ("RATE_LIMITED", 90)


async def test_the_served_document_tells_of_it(ocean: World) -> None:
    status, document = await ocean.call("GET", "/openapi.json")

    parameters = document["components"]["schemas"]["Parameters"]["properties"]
    assert (status, list(parameters)) == (200, ["physics", "music", "visualization", "tide"])


async def test_values_outlive_owners_that_lack_the_extension(logs: Path) -> None:
    product = started(
        logs,
        gateways=1,
        HARMONIC_SNAPSHOT_EVERY_RECORDS="2",
        HARMONIC_EXTENSIONS=OCEAN,
        PYTHONPATH=str(TESTS),
    )
    async with product as stack, aiohttp.ClientSession() as http:
        world = World(stack, http)
        universe = await world.universe()
        ann = await world.client("ann")
        await ann.joins(universe)
        for height in (7, 8):
            await carried_out(ann, "update_tide", universe, {"height": height})
        (state,) = stack.states

        await restarted(state, HARMONIC_EXTENSIONS="")
        for number in range(1, 6):
            # It decides, numbers and stores snapshots, as it does without that set.
            ack = await carried_out(ann, "update_physics", universe, {"gravity": number})
            assert ack["seq"] == 3 + number

        await restarted(state, HARMONIC_EXTENSIONS=OCEAN)
        ack = await carried_out(ann, "update_tide", universe, {"swellCount": 1})
        await world.close()
        eve = await world.client("eve")
        joined: Any = await eve.joins(universe)
        await world.close()

    assert ack["seq"] == 9
    assert joined["parameters"]["tide"] == {"height": 8, "phase": "flood", "swellCount": 1}


async def restarted(process: Managed, **environment: str) -> None:
    """A service that crashes, and is back with other settings."""
    await process.crash()
    process.environment = {**process.environment, **environment}
    await process.start()


async def carried_out(
    client: Client, command: str, universe: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """The ack of a command, sent again while its owner is away."""
    while True:
        ack = await client.asks(command, universeId=universe, parameters=parameters)
        if ack["ok"]:
            return ack
        assert ack["error"]["code"] == "INTERNAL_ERROR", ack
        await asyncio.sleep(ack["error"]["details"]["retryAfterMs"] / 1000)
