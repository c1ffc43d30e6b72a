"""Audio analysis: a live signal of an editor to everybody in the room."""

import itertools
import struct
from typing import Any

import pytest

from harness.world import World

MOMENT = "2024-03-21T10:30:00Z"


def analysis(**fields: Any) -> dict[str, Any]:
    return {"frequencies": [-20.5, 0], "waveform": [0.1, -0.1], "timestamp": MOMENT, **fields}


async def test_an_analysis_is_heard_by_all_the_sender_included(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    ack = await ann.asks("audio_analysis", universeId=universe, analysis=analysis())

    heard = await bob.hears_next("audio_analyzed")
    assert await ann.hears_next("audio_analyzed") == heard
    assert heard.pop("timestamp") > MOMENT
    assert heard == {"universeId": universe, "userId": "ann", "analysis": analysis()}
    assert ack == {"ok": True}


async def test_silence_is_null_among_the_frequencies(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    silent = analysis(frequencies=[None, -3.5, None])

    await ann.says("audio_analysis", universeId=universe, analysis=silent)

    await bob.hears_next("audio_analyzed", analysis=silent)


@pytest.mark.parametrize("sender", [0, 1])
async def test_typed_arrays_are_relayed_byte_for_byte(world: World, sender: int) -> None:
    universe, clients = await world.together("ann", "bob")
    bytes_array = bytes(range(256))
    float_array = struct.pack("<2048f", *(n / 2048 for n in range(2048)))
    sent = analysis(frequencies=bytes_array, waveform=float_array)

    await clients[sender].says("audio_analysis", universeId=universe, analysis=sent)

    for client in clients:
        await client.hears_next("audio_analyzed", analysis=sent)


async def test_a_typed_array_and_a_list_may_go_together(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    sent = analysis(waveform=b"\x00\xff\x1e")

    await ann.says("audio_analysis", universeId=universe, analysis=sent)

    await bob.hears_next("audio_analyzed", analysis=sent)


async def test_a_polling_client_hears_typed_arrays_too(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    bob = await world.client("bob", transports=["polling"])
    await bob.joins(universe)
    sent = analysis(frequencies=b"\x00\xff", waveform=b"\x1e")

    await ann.says("audio_analysis", universeId=universe, analysis=sent)

    await bob.hears_next("audio_analyzed", analysis=sent)


async def test_two_real_float_arrays_fit_into_one_message(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    numbers = [-100 + n * 0.048828125123 for n in range(2048)]
    sent = analysis(frequencies=numbers, waveform=numbers)

    await ann.says("audio_analysis", universeId=universe, analysis=sent)

    assert (await bob.hears_next("audio_analyzed"))["analysis"] == sent


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        ({"frequencies": [0] * 2049}, "frequencies", "must have at most 2048 entries"),
        ({"waveform": [0] * 2049}, "waveform", "must have at most 2048 entries"),
        ({"waveform": [None]}, "waveform.0", "must be a number"),
        ({"waveform": ["0"]}, "waveform.0", "must be a number"),
        ({"frequencies": "loud"}, "frequencies", "must be a list"),
        ({"frequencies": None}, "frequencies", "must be a list"),
        ({"frequencies": b"x" * 8193}, "frequencies", "must have at most 8192 bytes"),
        ({"waveform": b"x" * 8193}, "waveform", "must have at most 8192 bytes"),
        (
            {"timestamp": "2024-03-21T10:30:00." + "0" * 60},
            "timestamp",
            "must have at most 40 characters",
        ),
        ({"timestamp": 1711017000}, "timestamp", "must be a string"),
        ({"volume": 1}, "volume", "is not a known field"),
    ],
    ids=itertools.count(),
)
async def test_a_wrong_analysis_is_refused_by_field(
    world: World, wrong: dict[str, Any], field: str, reason: str
) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    refusal = await ann.asks("audio_analysis", universeId=universe, analysis=analysis(**wrong))
    await ann.says("audio_analysis", universeId=universe, analysis=analysis())

    (problem,) = refusal["error"]["details"]["fields"]
    assert (problem["field"], problem["reason"]) == (f"analysis.{field}", reason)
    await bob.hears_next("audio_analyzed", analysis=analysis())


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
async def test_a_number_that_json_does_not_know_is_refused(world: World, number: str) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    payload = (
        f'{{"universeId":"{universe}","analysis":'
        f'{{"frequencies":[{number}],"waveform":[],"timestamp":"2024-03-21T10:30:00Z"}}}}'
    )

    await ann.says_raw(f'42/ws,["audio_analysis",{payload}]')
    await ann.says("audio_analysis", universeId=universe, analysis=analysis())

    await ann.hears_next("error", code="INVALID_PARAMETERS")
    await bob.hears_next("audio_analyzed", analysis=analysis())


async def test_an_array_of_8_kib_is_the_largest(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    sent = analysis(frequencies=b"f" * 8192, waveform=b"w" * 8192)

    await ann.says("audio_analysis", universeId=universe, analysis=sent)

    await bob.hears_next("audio_analyzed", analysis=sent)


async def test_who_only_views_sends_none_but_hears_it(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    viewer = await world.client("bob", gateway=1)
    await viewer.joins(universe, "view")

    refusal = await viewer.asks("audio_analysis", universeId=universe, analysis=analysis())
    await ann.says("audio_analysis", universeId=universe, analysis=analysis())

    assert refusal["error"]["code"] == "PERMISSION_DENIED"
    assert refusal["error"]["details"]["reason"] == "VIEW_ONLY"
    await viewer.hears("audio_analyzed", userId="ann")


async def test_who_is_not_in_the_room_neither_sends_nor_hears(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    bob = await world.client("bob")

    refusal = await bob.asks("audio_analysis", universeId=universe, analysis=analysis())
    await ann.asks("audio_analysis", universeId=universe, analysis=analysis())

    assert refusal["error"]["details"]["reason"] == "NOT_IN_ROOM"
    assert not bob.all_heard("audio_analyzed")


async def test_who_went_over_to_viewing_sends_none_any_more(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    await ann.joins(universe, "view")

    refusal = await ann.asks("audio_analysis", universeId=universe, analysis=analysis())

    assert refusal["error"]["details"]["reason"] == "VIEW_ONLY"


async def test_it_takes_no_number_and_is_not_stored(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await ann.says("audio_analysis", universeId=universe, analysis=analysis())
    await ann.says("update_physics", universeId=universe, parameters={"gravity": 1})

    assert "seq" not in await bob.hears("audio_analyzed")
    await bob.hears("physics_updated", seq=3)
