"""The endless piece over real sockets: started, heard by all alike, ended."""

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chaos.owners import owner_of
from harness.client import Client
from harness.faults import down
from harness.wire import Wire
from harness.world import World, started

#: What rounding to a millisecond may make of two times' distance, in seconds.
ROUNDED_S = 0.0011


def begins_s(bar: dict[str, Any]) -> float:
    """When a bar begins, in Unix time."""
    return datetime.fromisoformat(bar["startsAt"]).timestamp()


async def bars(client: Client, count: int) -> list[dict[str, Any]]:
    """The next bars that a client hears."""
    return [await client.hears("music_bar") for _ in range(count)]


def follow_one_another(heard: list[dict[str, Any]]) -> None:
    """Each bar has the next number, and begins where the one before ends."""
    for one, after in pairwise(heard):
        assert after["bar"] == one["bar"] + 1
        assert begins_s(after) == pytest.approx(begins_s(one) + one["duration"], abs=ROUNDED_S)


async def playing(world: World, *users: str, **wish: Any) -> tuple[str, list[Client]]:
    """A universe that plays as fast as it can, and those in its room."""
    universe, clients = await world.together(*users)
    ack = await clients[0].asks(
        "update_music", universeId=universe, parameters={"tempo": 200, "harmony": 1}
    )
    assert ack["ok"], ack
    ack = await clients[0].asks("start_music", universeId=universe, **wish)
    assert ack["ok"], ack
    return universe, clients


async def test_all_hear_the_same_bars_one_after_the_other(world: World) -> None:
    universe, (ann, bob) = await playing(world, "ann", "bob", style="waltz", seed=7)
    started = await bob.hears("music_started")
    assert (started["userId"], started["style"], started["seed"]) == ("ann", "waltz", 7)

    heard = await bars(bob, 4)

    assert await bars(ann, 4) == heard
    follow_one_another(heard)
    for bar in heard:
        assert (bar["universeId"], bar["streamId"]) == (universe, started["streamId"])
        assert (bar["style"], bar["meter"], bar["asOf"]) == ("waltz", "3/4", started["seq"])
        assert bar["notes"]
        assert "seq" not in bar
    assert heard[0]["bar"] == 0


async def test_what_is_changed_is_heard_from_a_bar_that_was_not_recorded(world: World) -> None:
    universe, (ann, bob) = await playing(world, "ann", "bob", style="waltz")
    await bars(bob, 2)
    ack = await ann.asks("update_music", universeId=universe, parameters={"tempo": 100})

    before, heard = None, await bob.hears("music_bar")
    while heard["asOf"] < ack["seq"]:
        before, heard = heard, await bob.hears("music_bar")

    assert heard["asOf"] == ack["seq"]
    if before is not None:
        assert before["tempo"] > heard["tempo"]
    later = await bob.hears("music_bar")
    assert later["duration"] > 1.7


async def test_who_enters_is_told_of_the_piece_and_sent_the_bars_that_have_not_ended(
    world: World,
) -> None:
    universe, (ann,) = await playing(world, "ann", style="waltz")
    sent = await bars(ann, 3)
    for gateway in (0, 1):
        newcomer = await world.client(world.name("new"), gateway=gateway)
        room = await newcomer.joins(universe)
        sent = ann.all_heard("music_bar")
        assert room["endlessPiece"]["streamId"] == sent[0]["streamId"]
        heard = await bars(newcomer, 4)
        follow_one_another(heard)
        # Sent before it came.
        assert heard[0] in sent


async def test_a_client_that_returns_is_sent_again_what_has_not_ended(world: World) -> None:
    universe, (ann,) = await playing(world, "ann", style="waltz")
    away = await Wire.open(world, world.name("cem"))
    await away.joins(universe)
    (_, before) = (await away.until("music_bar"))[-1]
    away.cut()
    away = await away.again(world, gateway=1)
    await away.until("state_recovered")
    again = [(await away.until("music_bar"))[-1][1] for _ in range(3)]
    follow_one_another(again)
    assert again[0]["bar"] >= before["bar"]
    assert again[0] in ann.all_heard("music_bar")
    await away.says_goodbye(41)


async def test_a_second_start_and_an_end_that_is_none_are_refused(world: World) -> None:
    universe, (ann, bob) = await playing(world, "ann", "bob")
    refused = await bob.asks("start_music", universeId=universe)
    assert refused["error"]["details"]["reason"] == "PLAYING"
    ack = await bob.asks("stop_music", universeId=universe)
    assert ack["ok"], ack
    for client in (ann, bob):
        stopped = await client.hears("music_stopped")
        assert (stopped["reason"], stopped["userId"]) == ("stopped", "bob")
    refused = await bob.asks("stop_music", universeId=universe)
    assert refused["error"]["code"] == "NOT_FOUND"
    newcomer = await world.client(world.name("new"))
    assert "endlessPiece" not in await newcomer.joins(universe)


@pytest.mark.parametrize(
    "wish",
    [
        {"seed": 10**400},
        {"seed": -1},
        {"seed": 0.5},
        {"style": "x" * 10_000},
        {"style": "no-style"},
    ],
    ids=["huge seed", "negative seed", "broken seed", "long style", "unknown style"],
)
async def test_a_wish_that_cannot_be_is_refused(world: World, wish: dict[str, Any]) -> None:
    universe, (ann,) = await world.together(world.name("ann"))
    refused = await ann.asks("start_music", universeId=universe, **wish)
    assert refused["error"]["code"] == "INVALID_PARAMETERS"
    assert [fault["field"] for fault in refused["error"]["details"]["fields"]] == [*wish]


async def test_a_piece_is_made_beside_it(world: World) -> None:
    universe, (ann,) = await playing(world, "ann")
    ack = await ann.asks("generate_music", universeId=universe, duration=2)
    assert ack["ok"], ack
    await ann.hears("music_generated")


async def test_it_goes_on_without_a_gap_when_its_owner_or_a_composer_is_killed(
    frail: World,
) -> None:
    universe, (ann, bob) = await playing(frail, "ann", "bob", style="march", seed=3)
    heard = await bars(bob, 3)
    for doomed in (owner_of(frail.stack, universe), frail.stack.musics[0]):
        async with down(doomed):
            heard += await bars(bob, 4)
        heard += await bars(bob, 2)
    follow_one_another(heard)
    assert await bars(ann, len(heard)) == heard


async def test_pieces_are_refused_where_earlier_versions_may_run(tmp_path: Path) -> None:
    async with (
        started(tmp_path / "unprepared", HARMONIC_STORES_BARS="false") as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        universe, (ann,) = await world.together("ann")
        refused = await ann.asks("start_music", universeId=universe)
        assert refused["error"]["details"]["reason"] == "SWITCHED_OFF"
        await world.close()


async def test_no_more_pieces_begin_than_a_replica_may_record_until_one_has_ended(
    tmp_path: Path,
) -> None:
    async with (
        started(tmp_path / "bounded", gateways=1, musics=0, HARMONIC_ENDLESS_PIECES="1") as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        first, (ann,) = await world.together("ann")
        second, (bob,) = await world.together("bob")
        assert (await ann.asks("start_music", universeId=first))["ok"]
        refused = (await bob.asks("start_music", universeId=second))["error"]
        assert (refused["code"], refused["details"]["reason"]) == ("RATE_LIMITED", "BUSY")
        assert refused["details"]["retryAfterMs"] > 0
        assert (await ann.asks("stop_music", universeId=first))["ok"]
        assert (await bob.asks("start_music", universeId=second))["ok"]
        await world.close()
