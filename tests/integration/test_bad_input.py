"""Whatever a client sends: an answer that a person can act on, and no harm to anybody."""

import json
from typing import Any

import pytest

from harness.client import Client
from harness.faults import frozen
from harness.world import World

LARGE_BYTES = 70 * 1024
LARGE_AUDIO_BYTES = 130 * 1024


def physics(value: str) -> str:
    """The text of an update whose gravity is ``value``, JSON or not."""
    return f'["update_physics",{{"universeId":"UNIVERSE","parameters":{{"gravity":{value}}}}}]'


def nested(depth: int) -> str:
    return physics("[" * depth + "]" * depth)


NUMBER = "Invalid parameters: parameters.gravity must be a number"
FINITE = "Invalid parameters: parameters.gravity must be a finite number"
NOT_AN_OBJECT = "The event takes one argument, an object"

BAD_PACKETS = {
    "NaN": (physics("NaN"), FINITE),
    "Infinity": (physics("Infinity"), FINITE),
    "minus Infinity": (physics("-Infinity"), FINITE),
    "1e400": (physics("1e400"), FINITE),
    "a number of 5,000 digits": (physics("9" * 5000), FINITE),
    "a string for a number": (physics('"9.81"'), NUMBER),
    "true for a number": (physics("true"), NUMBER),
    "null for a number": (physics("null"), NUMBER),
    "a list for a number": (physics("[1]"), NUMBER),
    "an object for a number": (physics("{}"), NUMBER),
    "an attachment's placeholder": (physics('{"_placeholder":true,"num":0}'), NUMBER),
    "out of range": (physics("1e9"), "Invalid parameters: parameters.gravity must be at most 20"),
    "a missing field": (
        '["update_physics",{"universeId":"UNIVERSE"}]',
        "Invalid parameters: parameters is missing",
    ),
    "no universe": (
        '["update_physics",{"parameters":{"gravity":1}}]',
        "Invalid parameters: universeId is missing",
    ),
    "another universe's form": (
        '["update_physics",{"universeId":"a.b*>","parameters":{"gravity":1}}]',
        "Invalid parameters: universeId must match ^[A-Za-z0-9_-]{1,64}$",
    ),
    "an extra field": (
        '["update_physics",{"universeId":"UNIVERSE","parameters":{"gravity":1},"userId":"bob"}]',
        "Invalid parameters: userId is not a known field",
    ),
    "an unknown parameter": (
        '["update_physics",{"universeId":"UNIVERSE","parameters":{"mass":1}}]',
        "Invalid parameters: parameters.mass is not a known field",
    ),
    "snake case": (
        '["update_physics",{"universeId":"UNIVERSE","parameters":{"time_scale":1}}]',
        "Invalid parameters: parameters.time_scale is not a known field",
    ),
    "no parameters": (
        '["update_physics",{"universeId":"UNIVERSE","parameters":{}}]',
        "Invalid parameters: parameters must name at least one parameter",
    ),
    "null for an object": (
        '["update_physics",{"universeId":"UNIVERSE","parameters":null}]',
        "Invalid parameters: parameters must be an object",
    ),
    "a prototype's name": (
        '["update_physics",{"universeId":"UNIVERSE","__proto__":{"gravity":1},"parameters":{"gravity":1}}]',
        "Invalid parameters: __proto__ is not a known field",
    ),
    "null": ('["update_physics",null]', NOT_AN_OBJECT),
    "a list": ('["update_physics",[1,2]]', NOT_AN_OBJECT),
    "a string": ('["update_physics","gravity"]', NOT_AN_OBJECT),
    "no payload": ('["update_physics"]', NOT_AN_OBJECT),
    "two arguments": ('["update_physics",{},{}]', NOT_AN_OBJECT),
    "an unknown event": ('["self_destruct",{"universeId":"UNIVERSE"}]', "Unknown event"),
    "no event's name": ('["",{}]', "Unknown event"),
    "a server's event": ('["physics_updated",{"universeId":"UNIVERSE"}]', "Unknown event"),
    "the library's connect": ('["connect",{}]', "Unknown event"),
    "the library's disconnect": ('["disconnect","x"]', "Unknown event"),
    "depth 50": (nested(50), "The message nests deeper than 16 levels"),
    # Brackets are counted before anything is read.
    "depth 30,000": (
        nested(30_000),
        "The message has more than 64 fields in one object, or 8192 values",
    ),
}


async def hears_error(client: Client) -> dict[str, Any]:
    """The very next event, an error as the guide has it, without a word of our code."""
    error = await client.hears_next("error")
    assert error.keys() == {"code", "message", "details"}
    text = json.dumps(error)
    assert not any(word in text for word in ("Traceback", "pydantic", "Exception", "Error:", ".py"))
    return error


@pytest.mark.parametrize("name", BAD_PACKETS)
async def test_a_bad_packet_is_answered_and_seen_by_nobody_else(world: World, name: str) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    packet, message = BAD_PACKETS[name]

    await ann.says_raw("42/ws," + packet.replace("UNIVERSE", universe))

    error = await hears_error(ann)
    assert error["code"] == "INVALID_PARAMETERS"
    assert error["message"] == message
    assert await world.logged(error["details"]["errorId"])
    # The connection is kept, and the room did not notice.
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})
    await ann.hears_next("physics_updated", seq=3)
    await bob.hears_next("physics_updated", seq=3)


async def test_an_ack_says_what_the_error_says(world: World) -> None:
    universe, (ann,) = await world.together("ann")

    ack = await ann.asks("update_physics", universeId=universe, opId="op-1", parameters={"mass": 1})

    error = await hears_error(ann)
    assert ack == {"ok": False, "error": error}
    assert error["details"]["event"] == "update_physics"
    assert error["details"]["universeId"] == universe
    assert error["details"]["opId"] == "op-1"
    assert error["details"]["fields"] == [
        {"field": "parameters.mass", "reason": "is not a known field"}
    ]


async def test_every_wrong_field_is_named_with_its_range(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    wrong = {"gravity": -1, "friction": "high", "mass": 3}

    ack = await ann.asks("update_physics", universeId=universe, parameters=wrong)

    fields = {field.pop("field"): field for field in ack["error"]["details"]["fields"]}
    assert fields == {
        "parameters.gravity": {"reason": "must be at least 0", "min": 0, "max": 20},
        "parameters.friction": {"reason": "must be a number", "min": 0, "max": 1},
        "parameters.mass": {"reason": "is not a known field"},
    }


async def test_a_thousand_wrong_fields_are_not_all_named(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    wrong = {f"{'x' * 20}{n}": n for n in range(1000)}
    few = dict(list(wrong.items())[:60])

    many = await ann.asks("update_physics", universeId=universe, parameters=wrong)
    ack = await ann.asks("update_physics", universeId=universe, parameters=few)

    assert many["error"]["details"]["reason"] == "TOO_MANY_VALUES"
    assert len(ack["error"]["details"]["fields"]) == 20


async def test_an_unknown_event_is_named(world: World) -> None:
    ann = await world.client("ann")
    await ann.hears("connect_success")

    await ann.says("self_destruct", delay=3)

    error = await hears_error(ann)
    assert error["details"]["reason"] == "UNKNOWN_EVENT"
    assert error["details"]["event"] == "self_destruct"


@pytest.mark.parametrize("event", ["update_physics", "join_room", "self_destruct"])
async def test_more_than_64_kib_are_too_large_whatever_the_event(world: World, event: str) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await ann.says(event, universeId=universe, padding="x" * LARGE_BYTES)

    error = await hears_error(ann)
    assert error["code"] == "INVALID_PARAMETERS"
    assert error["details"]["reason"] == "TOO_LARGE"
    assert error["details"]["limitBytes"] == 65536
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})
    await bob.hears_next("physics_updated", seq=3)


async def test_audio_of_more_than_128_kib_is_too_large(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    ack = await ann.asks("audio_analysis", universeId=universe, analysis="x" * LARGE_AUDIO_BYTES)

    error = await hears_error(ann)
    assert error["details"]["reason"] == "TOO_LARGE"
    assert error["details"]["limitBytes"] == 131072
    assert error["details"]["event"] == "audio_analysis"
    assert ack["ok"] is False
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})
    await bob.hears_next("physics_updated", seq=3)


@pytest.mark.parametrize(
    ("event", "payload", "field"),
    [
        ("join_room", {"universeId": 7, "mode": "edit"}, "universeId"),
        ("join_room", {"universeId": "u", "mode": "edit", "admin": True}, "admin"),
        ("leave_room", {}, "universeId"),
        ("leave_room", {"universeId": "u", "mode": "edit"}, "mode"),
    ],
)
async def test_joining_and_leaving_are_refused_by_room_error(
    world: World, event: str, payload: dict[str, Any], field: str
) -> None:
    ann = await world.client("ann")
    await ann.hears("connect_success")

    await ann.says(event, payload)

    refusal = await ann.hears_next("room_error", code="INVALID_PARAMETERS")
    assert refusal["error"] == refusal["message"]
    assert [problem["field"] for problem in refusal["details"]["fields"]] == [field]


async def test_more_commands_than_may_wait_are_refused_and_no_others(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    with frozen(*world.stack.states):
        for _ in range(300):
            await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})
        # All that is refused is refused before anything is carried out that would make room.
        for _ in range(300 - 257):
            refusal = await ann.hears_next("error", code="RATE_LIMITED")

    assert refusal["details"]["reason"] == "QUEUE_FULL"
    assert refusal["details"]["limit"] == 256
    assert refusal["details"]["retryAfterMs"] > 0
    # One was being carried out, and so many waited.
    await bob.hears_up_to(2 + 1 + 256)
    await ann.hears_up_to(2 + 1 + 256)
    assert len(ann.all_heard("error")) == 300 - 257


async def test_an_unknown_namespace_is_refused_and_the_connection_kept(world: World) -> None:
    universe, (ann,) = await world.together("ann")

    await ann.says_raw("40/elsewhere,")
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})

    await ann.hears_next("physics_updated")


async def test_names_in_payloads_never_reach_a_log(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    secret = "what-nobody-should-read"

    await ann.says("update_physics", universeId=universe, parameters={secret: secret})

    error = await hears_error(ann)
    await world.logged(error["details"]["errorId"])
    assert secret not in world.logs()


async def test_text_in_names_stays_text(world: World) -> None:
    universe = await world.universe()
    markup = "<script>alert(1)</script>"
    ann = await world.client("ann", token=world.token("ann", name=markup))

    joined = await ann.joins(universe)

    assert joined["participants"][0]["username"] == markup
