"""Reading a universe over HTTP: who is there, what happened, and the pieces that were composed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harness.client import Client
from harness.world import World, started

SHOWN = (
    *("participant_joined", "participant_left", "universe_updated", "music_generated"),
    *("physics_updated", "music_updated", "visualization_updated"),
)


async def pages(world: World, universe: str, *, limit: int = 100, after: int = 0) -> list[Any]:
    """All events after a number, read page by page at one gateway and the other in turn."""
    found: list[Any] = []
    for number in range(1000):
        path = f"/universes/{universe}/events?after={after}&limit={limit}"
        status, page = await world.call("GET", path, "reader", gateway=number % 2)
        assert status == 200, page
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["lastSeq"] == after:
            return found
        after = page["lastSeq"]
    raise AssertionError("the pages never end")


def heard_by(client: Client, universe: str) -> list[Any]:
    """The numbered events that a client heard, as pages tell them."""
    return [
        {"event": name, "data": data}
        for name, data in client.heard
        if name in SHOWN and data.get("universeId") == universe and "seq" in data
    ]


async def test_participants_are_those_in_the_room_in_their_modes(world: World) -> None:
    universe, (ann, _) = await world.together("ann", "bob")
    tab = await world.client("cem", gateway=1)
    await tab.joins(universe, "view")
    path = f"/universes/{universe}/participants"

    status, told = await world.call("GET", path, "stranger")

    assert status == 200
    assert told == {
        "items": [
            {"userId": "ann", "username": "ann", "mode": "edit"},
            {"userId": "bob", "username": "bob", "mode": "edit"},
            {"userId": "cem", "username": "cem", "mode": "view"},
        ]
    }
    await ann.asks("leave_room", universeId=universe)
    _, told = await world.call("GET", path, "stranger", gateway=1)
    assert [each["userId"] for each in told["items"]] == ["bob", "cem"]


async def test_participants_come_with_what_they_show_of_themselves(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    path = f"/universes/{universe}/participants"
    for client, state in ((ann, {"cursor": [1, 2]}), (bob, {"colour": "red"})):
        assert (await client.asks("update_presence", universeId=universe, state=state))["ok"]
    await ann.hears("presence_updated", userId="bob")
    await bob.hears("presence_updated", userId="ann")

    for gateway in (0, 1):
        _, told = await world.call("GET", path, "stranger", gateway=gateway)
        states = {each["userId"]: each.get("state") for each in told["items"]}
        assert states == {"ann": {"cursor": [1, 2]}, "bob": {"colour": "red"}}

    await ann.asks("leave_room", universeId=universe)
    await ann.joins(universe)
    await bob.hears("participant_left", userId="ann")
    _, told = await world.call("GET", path, "stranger")
    assert [(each["userId"], each.get("state")) for each in told["items"]] == [
        ("bob", {"colour": "red"}),
        ("ann", None),
    ]


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_events_are_what_the_room_was_sent(world: World, limit: int) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    batch = {"physics": {"friction": 0.25}, "music": {"tempo": 92}}
    for name, fields in (
        ("update_physics", {"parameters": {"gravity": 1}}),
        ("update_parameters", batch),
        ("update_visualization", {"parameters": {"colorScheme": "ocean"}}),
        ("generate_music", {"duration": 1}),
    ):
        assert (await ann.asks(name, universeId=universe, **fields))["ok"]
    await ann.hears("music_generated")
    await world.call("PATCH", f"/universes/{universe}", "owner", {"name": "Another"})
    await bob.asks("leave_room", universeId=universe)
    left = await ann.hears("participant_left")

    told = await pages(world, universe, limit=limit)

    assert [each["data"]["seq"] for each in told] == list(range(1, left["seq"] + 1))
    assert told[-len(heard_by(ann, universe)) :] == heard_by(ann, universe)


async def test_a_page_says_from_where_and_up_to_where_it_reaches(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    for gravity in range(4):
        await ann.asks("update_physics", universeId=universe, parameters={"gravity": gravity})
    path = f"/universes/{universe}/events"

    _, page = await world.call("GET", f"{path}?after=2&limit=2", "ann")
    assert [each["data"]["seq"] for each in page["items"]] == [3, 4]
    assert (page["firstSeq"], page["lastSeq"]) == (1, 4)
    for after in (5, 6, 10**9):
        _, page = await world.call("GET", f"{path}?after={after}", "ann", gateway=1)
        assert page == {"items": [], "firstSeq": 1, "lastSeq": 5}


async def test_a_universe_without_events_has_a_page_without_any(world: World) -> None:
    universe = await world.universe()

    told = await world.call("GET", f"/universes/{universe}/events", "ann")

    assert told == (200, {"items": [], "firstSeq": 1, "lastSeq": 0})


async def test_whoever_reads_while_others_write_misses_nothing(world: World) -> None:
    universe, clients = await world.together("ann", "bob")
    read: list[int] = []

    async def writes(client: Client) -> int:
        last = 0
        for number in range(60):
            parameters = {"gravity": number % 20}
            ack = await client.asks("update_physics", universeId=universe, parameters=parameters)
            last = ack["seq"]
        return last

    async def reads(until: "asyncio.Future[list[int]]") -> None:
        while not until.done() or read[-1] < max(until.result()):
            after = read[-1] if read else 0
            told = await pages(world, universe, limit=7, after=after)
            read.extend(each["data"]["seq"] for each in told)

    writing = asyncio.ensure_future(asyncio.gather(*map(writes, clients)))
    await reads(writing)

    assert read == list(range(1, max(writing.result()) + 1))


@pytest.fixture
async def forgetful(tmp_path: Path) -> AsyncIterator[World]:
    """A product whose logs are kept for a few records only."""
    async with (
        started(
            tmp_path / "forgetful",
            HARMONIC_SNAPSHOT_EVERY_RECORDS="4",
            HARMONIC_HISTORY_SNAPSHOTS="2",
        ) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        yield world
        await world.close()


async def test_events_are_told_as_far_as_the_log_goes_back(forgetful: World) -> None:
    world = forgetful
    universe, (ann,) = await world.together("ann")
    for number in range(40):
        parameters = {"gravity": number % 20}
        await ann.asks("update_physics", universeId=universe, parameters=parameters)

    _, page = await world.call("GET", f"/universes/{universe}/events?limit=100", "ann")

    first = page["firstSeq"]
    assert first > 20
    assert [each["data"]["seq"] for each in page["items"]] == list(range(first, 42))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=-1", "after"),
        ("after=9007199254740992", "after"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("before=3", "before"),
    ],
)
async def test_a_page_that_there_cannot_be_is_refused(world: World, query: str, field: str) -> None:
    universe = await world.universe()

    status, answer = await world.call("GET", f"/universes/{universe}/events?{query}", "ann")

    assert status == 400
    assert [each["field"] for each in answer["error"]["details"]["fields"]] == [field]


async def composed(world: World, universe: str, client: Client, number: int) -> list[Any]:
    pieces = []
    for _ in range(number):
        await client.says("generate_music", universeId=universe, duration=1)
        pieces.append(await client.hears_next("music_generated"))
    return pieces


async def followed(world: World, address: str, *, gateway: int = 0) -> tuple[int, Any, Any]:
    """What a browser is given for a link: status, headers and body."""
    async with world.http.get(world.stack.urls[gateway] + address) as response:
        return response.status, response.headers, await response.read()


async def test_recent_pieces_have_links_that_need_no_token(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    pieces = await composed(world, universe, ann, 2)

    status, told = await world.call("GET", f"/universes/{universe}/music", "bob")

    assert status == 200
    assert [each["requestId"] for each in told["items"]] == [
        piece["requestId"] for piece in reversed(pieces)
    ]
    for item, piece in zip(told["items"], reversed(pieces), strict=True):
        known = item.keys() - {"midi"}
        assert {name: item[name] for name in known} == {name: piece[name] for name in known}
        path = f"/universes/{universe}/music/{piece['requestId']}.mid"
        _, file = await world.call("GET", path, "ann")
        for gateway in (0, 1):
            status, headers, body = await followed(world, item["midi"], gateway=gateway)
            assert (status, body) == (200, file)
            name = f'attachment; filename="{piece["requestId"]}.mid"'
            assert headers["Content-Disposition"] == name


async def test_a_link_is_to_one_piece_and_nothing_else(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    await composed(world, universe, ann, 2)
    _, told = await world.call("GET", f"/universes/{universe}/music", "ann")
    one, other = (each["midi"] for each in told["items"])
    link = one.partition("?")[2]
    for address in (
        f"{other.partition('?')[0]}?{link}",
        one[:-1] + ("A" if one[-1] != "A" else "B"),
        f"{one.partition('?')[0]}?link=",
    ):
        assert (await followed(world, address))[0] == 401, address
    assert (await followed(world, f"/api/v1/universes/{universe}?{link}"))[0] == 401


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_a_link_ends_with_the_access_of_its_user(world: World, visibility: str) -> None:
    owner, bob = world.name("owner"), world.name("bob")
    universe = await world.universe(owner, visibility=visibility)
    member = f"/universes/{universe}/members/{bob}"
    await world.call("PUT", member, owner, {"role": "view"})
    maker = await world.client(owner)
    await maker.joins(universe)
    await composed(world, universe, maker, 1)
    _, told = await world.call("GET", f"/universes/{universe}/music", bob)
    (item,) = told["items"]
    assert (await followed(world, item["midi"]))[0] == 200

    await world.call("PUT", f"/universes/{universe}/bans/{bob}", owner)

    status = (await followed(world, item["midi"]))[0]
    assert status == (403 if visibility == "public" else 404)


async def test_what_else_an_address_of_a_file_says_is_passed_over(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    (piece,) = await composed(world, universe, ann, 1)
    path = f"/universes/{universe}/music/{piece['requestId']}.mid?t=17"
    assert (await world.call("GET", path, "ann"))[0] == 200
