"""Asking for music: the same notes for everybody, in time or not at all."""

import asyncio
import io
from itertools import pairwise
from typing import Any

import mido
import pytest

from harmonic_music.composing import COMPOSER_VERSION
from harness.faults import down, frozen
from harness.world import World


async def test_a_piece_is_heard_by_all_the_requester_included(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    ack = await ann.asks("generate_music", universeId=universe, duration=8)

    piece = await bob.hears_next("music_generated")
    assert await ann.hears_next("music_generated") == piece
    assert ack["ok"] is True
    assert piece["universeId"] == universe
    assert piece["userId"] == "ann"
    assert piece["seq"] == 3
    assert piece["duration"] == 8
    assert piece["key"] == "C"
    assert piece["scale"] == "major"
    assert 40 <= piece["tempo"] <= 200
    assert 0 <= piece["seed"] < 2**53
    assert piece["requestId"]
    assert piece["composerVersion"] == COMPOSER_VERSION
    assert piece["timestamp"].endswith("Z")


@pytest.mark.parametrize("duration", [0.1, 8, 300])
async def test_notes_are_sorted_and_within_their_bounds(world: World, duration: float) -> None:
    universe, (ann,) = await world.together("ann")

    await ann.says("generate_music", universeId=universe, duration=duration)

    notes = (await ann.hears_next("music_generated", duration=duration))["notes"]
    assert notes
    assert all(one["startTime"] <= other["startTime"] for one, other in pairwise(notes))
    for note in notes:
        assert {"pitch", "startTime", "duration", "velocity", "voice"} <= note.keys()
        assert note.keys() <= {"pitch", "startTime", "duration", "velocity", "voice", "section"}
        assert isinstance(note["pitch"], int)
        assert 0 <= note["pitch"] <= 127
        assert isinstance(note["velocity"], int)
        assert 1 <= note["velocity"] <= 127
        assert note["startTime"] >= 0
        assert note["duration"] > 0
        assert note["startTime"] + note["duration"] <= duration


@pytest.mark.parametrize(
    ("duration", "reason"),
    [
        (0, "must be above 0"),
        (-1, "must be above 0"),
        (300.001, "must be at most 300"),
        ("8", "must be a number"),
        (None, "must be a number"),
        (True, "must be a number"),
        (float("nan"), "must be a finite number"),
        (float("inf"), "must be a finite number"),
    ],
)
async def test_a_duration_out_of_bounds_is_refused(
    world: World, duration: Any, reason: str
) -> None:
    universe, (ann,) = await world.together("ann")

    refusal = await ann.asks("generate_music", universeId=universe, duration=duration)

    (problem,) = refusal["error"]["details"]["fields"]
    assert (problem["field"], problem["reason"]) == ("duration", reason)
    await ann.hears_next("error", code="INVALID_PARAMETERS")


async def test_a_missing_duration_is_refused(world: World) -> None:
    universe, (ann,) = await world.together("ann")

    refusal = await ann.asks("generate_music", universeId=universe)

    assert refusal["error"]["message"] == "Invalid parameters: duration is missing"


@pytest.mark.parametrize("seed", [-1, 2**53, 1.5, "1"])
async def test_a_seed_out_of_bounds_is_refused(world: World, seed: Any) -> None:
    universe, (ann,) = await world.together("ann")

    refusal = await ann.asks("generate_music", universeId=universe, duration=1, seed=seed)

    assert [problem["field"] for problem in refusal["error"]["details"]["fields"]] == ["seed"]


async def test_a_seed_repeats_a_piece_note_for_note_on_every_replica(frail: World) -> None:
    universe, (ann,) = await frail.together("ann")
    pieces = []

    for _ in range(6):
        await ann.says("generate_music", universeId=universe, duration=8, seed=2**53 - 1)
        pieces.append(await ann.hears_next("music_generated", seed=2**53 - 1))

    assert all(piece["notes"] == pieces[0]["notes"] for piece in pieces)
    assert len({piece["requestId"] for piece in pieces}) == 6


async def test_a_style_is_made_as_it_is_asked_for(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await ann.says("generate_music", universeId=universe, duration=20, seed=1, style="swing")

    piece = await bob.hears_next("music_generated")
    assert (piece["style"], piece["meter"]) == ("swing", "4/4")
    assert set(piece["instruments"]) == {note["voice"] for note in piece["notes"]}
    starts = [stroke["startTime"] for stroke in piece["drums"]]
    assert starts == sorted(starts)
    assert all(stroke.keys() == {"key", "startTime", "velocity"} for stroke in piece["drums"])


@pytest.mark.parametrize(
    ("field", "value"), [("style", "noise"), ("style", 1), ("after", "a.b"), ("after", "*")]
)
async def test_what_names_no_style_and_no_piece_is_refused(
    world: World, field: str, value: Any
) -> None:
    universe, (ann,) = await world.together("ann")

    refusal = await ann.asks("generate_music", universeId=universe, duration=1, **{field: value})

    assert [problem["field"] for problem in refusal["error"]["details"]["fields"]] == [field]


async def test_a_piece_answers_an_earlier_one(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    await ann.says("generate_music", universeId=universe, duration=20, seed=1)
    first = await ann.hears_next("music_generated")

    pieces = []
    for earlier in (first["requestId"], "unknown"):
        await ann.says("generate_music", universeId=universe, duration=20, seed=2, after=earlier)
        pieces.append(await ann.hears_next("music_generated"))

    answer, alone = pieces
    assert answer["after"] == first["requestId"]
    assert answer["meter"] == first["meter"]
    assert "after" not in alone
    assert answer["notes"] != alone["notes"]


async def test_another_seed_makes_another_piece(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    pieces = []

    for seed in (1, 2):
        await ann.says("generate_music", universeId=universe, duration=8, seed=seed)
        pieces.append((await ann.hears_next("music_generated"))["notes"])

    assert pieces[0] != pieces[1]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("music", {"key": "F#", "scale": "blues", "tempo": 60}),
        ("physics", {"gravity": 20, "friction": 0, "elasticity": 0, "timeScale": 5}),
    ],
)
async def test_a_piece_is_made_from_the_universes_parameters(
    world: World, name: str, parameters: dict[str, Any]
) -> None:
    universe, (ann,) = await world.together("ann")
    request = {"universeId": universe, "duration": 8, "seed": 1}
    await ann.says("generate_music", **request)
    before = await ann.hears_next("music_generated")

    await ann.says(f"update_{name}", universeId=universe, parameters=parameters)
    await ann.says("generate_music", **request)

    piece = await ann.hears("music_generated")
    assert piece["notes"] != before["notes"]
    assert piece["key"] == parameters.get("key", "C")
    assert piece["scale"] == parameters.get("scale", "major")


async def test_who_only_views_may_ask(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    viewer = await world.client("bob", gateway=1)
    await viewer.joins(universe, "view")

    await viewer.says("generate_music", universeId=universe, duration=1)

    await ann.hears("music_generated", userId="bob")


async def test_who_is_not_in_the_room_may_not_ask(world: World) -> None:
    universe = await world.universe()
    ann = await world.client("ann")

    await ann.says("generate_music", universeId=universe, duration=1)

    error = await ann.hears("error", code="PERMISSION_DENIED")
    assert error["details"]["reason"] == "NOT_IN_ROOM"


async def test_two_users_may_ask_at_once(world: World) -> None:
    universe, clients = await world.together("ann", "bob")

    answers = await asyncio.gather(
        *(client.asks("generate_music", universeId=universe, duration=20) for client in clients)
    )

    assert all(answer["ok"] for answer in answers)
    pieces = [await clients[0].hears_next("music_generated") for _ in clients]
    assert {piece["userId"] for piece in pieces} == {"ann", "bob"}
    assert [piece["seq"] for piece in pieces] == [3, 4]


async def test_a_second_request_of_a_user_is_busy_until_the_first_is_done(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    tab = await world.client("ann", gateway=1)
    await tab.joins(universe)
    request = {"universeId": universe, "duration": 1}

    with frozen(*world.stack.musics):
        assert (await ann.asks("generate_music", **request))["ok"]
        refusals = [await client.asks("generate_music", **request) for client in (ann, tab)]
        assert (await bob.asks("generate_music", **request))["ok"]

    for refusal in refusals:
        assert refusal["error"]["code"] == "RATE_LIMITED"
        assert refusal["error"]["details"]["reason"] == "BUSY"
        assert 0 < refusal["error"]["details"]["retryAfterMs"] <= 5000
    await ann.hears("music_generated", userId="ann")
    assert (await tab.asks("generate_music", **request))["ok"]


async def test_nobody_to_make_music_is_an_error_in_time_for_the_requester_alone(
    frail: World,
) -> None:
    universe, (ann, bob) = await frail.together("ann", "bob")

    async with down(*frail.stack.musics):
        await ann.asks("generate_music", universeId=universe, duration=1, opId="op-1")
        error = await ann.hears_next("error", code="INTERNAL_ERROR")

    assert error["message"] == "The music could not be made in time"
    assert error["details"]["event"] == "generate_music"
    assert error["details"]["universeId"] == universe
    assert error["details"]["opId"] == "op-1"
    assert error["details"]["retryAfterMs"] > 0
    await frail.logged(error["details"]["errorId"])
    # The late piece is dropped, and the next one is made.
    ack = await ann.asks("generate_music", universeId=universe, duration=2)
    assert ack["ok"]
    await bob.hears_next("music_generated", duration=2, seq=3)


async def test_a_request_outlives_the_owner_that_took_it(frail: World) -> None:
    universe, (ann,) = await frail.together("ann")

    async with down(*frail.stack.musics):
        await ann.asks("generate_music", universeId=universe, duration=1)
        async with down(*frail.stack.states):
            pass
        refusal = await ann.asks("generate_music", universeId=universe, duration=1)
        assert refusal["error"]["details"]["reason"] == "BUSY"
        await ann.hears("error", code="INTERNAL_ERROR")


async def test_the_pieces_of_a_killed_replica_are_made_by_another(frail: World) -> None:
    universe, clients = await frail.together("ann", "bob", "cem", "dan")
    doomed, _ = frail.stack.musics

    with frozen(doomed):
        for client in clients:
            await client.asks("generate_music", universeId=universe, duration=1)
        async with down(doomed):
            pieces = [await clients[0].hears_next("music_generated") for _ in clients]

    assert {piece["userId"] for piece in pieces} == {"ann", "bob", "cem", "dan"}


async def test_a_hundred_requests_at_once_are_all_answered_and_universes_take_turns(
    frail: World,
) -> None:
    universes = [await frail.universe() for _ in range(5)]
    clients = [await frail.client(f"user-{number}") for number in range(20)]
    for client in clients:
        for universe in universes:
            await client.joins(universe)

    with frozen(*frail.stack.musics):
        for universe in universes:
            for client in clients:
                await client.asks("generate_music", universeId=universe, duration=20)

    heard = [await clients[0].hears("music_generated") for _ in range(100)]
    assert len({(piece["universeId"], piece["userId"]) for piece in heard}) == 100
    assert clients[0].all_heard("error") == []
    # In the order of asking, the last universe would come after eighty pieces.
    assert {piece["universeId"] for piece in heard[:60]} == set(universes)


async def test_a_universe_that_asks_for_much_does_not_hold_up_the_others(frail: World) -> None:
    busy, quiet = await frail.universe(), await frail.universe()
    crowd = [await frail.client(f"user-{number}") for number in range(24)]
    for client in crowd:
        await client.joins(busy)
    await crowd[0].joins(quiet)

    with frozen(*frail.stack.musics):
        for client in crowd:
            assert (await client.asks("generate_music", universeId=busy, duration=120))["ok"]
        await crowd[0].asks("generate_music", universeId=quiet, duration=1)

    heard = [(await crowd[0].hears("music_generated"))["universeId"] for _ in range(25)]
    assert heard.index(quiet) < 12


async def test_a_replica_that_stops_leaves_its_jobs_to_another_at_once(frail: World) -> None:
    universe, clients = await frail.together("ann", "bob", "cem", "dan")
    stopping, _ = frail.stack.musics

    for client in clients:
        await client.says("generate_music", universeId=universe, duration=120)
    await stopping.stop()
    try:
        pieces = [await clients[0].hears_next("music_generated") for _ in clients]
    finally:
        await stopping.start()

    assert {piece["userId"] for piece in pieces} == {"ann", "bob", "cem", "dan"}


async def test_a_piece_is_a_midi_file_with_the_same_notes(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    await ann.says("generate_music", universeId=universe, duration=8)
    piece = await ann.hears("music_generated")
    path = f"/universes/{universe}/music/{piece['requestId']}.mid"

    answers = [await world.call("GET", path, "bob", gateway=gateway) for gateway in (0, 1)]

    assert [status for status, _ in answers] == [200, 200]
    assert answers[0] == answers[1]
    file = mido.MidiFile(file=io.BytesIO(answers[0][1]))
    struck = [
        message.note
        for track in file.tracks
        for message in track
        if message.type == "note_on" and message.velocity
    ]
    # The drums' keys are no pitches, and stand apart.
    keys = [stroke["key"] for stroke in piece.get("drums", ())]
    assert sorted(struck) == sorted([*(note["pitch"] for note in piece["notes"]), *keys])


async def test_midi_is_served_as_what_it_is(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    await ann.says("generate_music", universeId=universe, duration=1)
    piece = await ann.hears("music_generated")
    url = f"{world.stack.urls[0]}/api/v1/universes/{universe}/music/{piece['requestId']}.mid"

    headers = {"Authorization": f"Bearer {world.token('ann')}"}
    async with world.http.get(url, headers=headers) as response:
        assert response.content_type == "audio/midi"


async def test_midi_of_a_piece_that_was_not_made_is_not_found(world: World) -> None:
    universe = await world.universe()

    status, answer = await world.call("GET", f"/universes/{universe}/music/never.mid", "ann")

    assert status == 404
    assert answer["error"]["code"] == "NOT_FOUND"


async def test_midi_is_hidden_with_its_universe(world: World) -> None:
    universe = await world.universe("ann", visibility="private")
    ann = await world.client("ann")
    await ann.joins(universe)
    await ann.says("generate_music", universeId=universe, duration=1)
    piece = await ann.hears("music_generated")
    path = f"/universes/{universe}/music/{piece['requestId']}.mid"

    assert (await world.call("GET", path, "ann"))[0] == 200
    assert (await world.call("GET", path, "bob"))[0] == 404
