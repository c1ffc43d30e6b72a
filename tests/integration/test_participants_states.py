"""What participants show of themselves: to those who are there, and to those who come later."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from harness.client import PATIENCE_S, Client
from harness.wire import Wire
from harness.world import World, started

MEMBERS = 12


@pytest.fixture(scope="module")
async def three(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A product of three gateways."""
    async with (
        started(tmp_path_factory.mktemp("three"), gateways=3) as stack,
        aiohttp.ClientSession() as http,
    ):
        made = World(stack, http)
        yield made
        await made.close()


async def shows(client: Client, universe: str, **state: Any) -> None:
    ack = await client.asks("update_presence", universeId=universe, state=state)
    assert ack == {"ok": True}, ack


async def sees(client: Client, universe: str, users: set[str]) -> dict[str, Any]:
    """What a client was shown of all these users, once it is."""
    async with asyncio.timeout(PATIENCE_S), client._news:
        while not (known := shown(client, universe)).keys() >= users:
            await client._news.wait()
    return known


def shown(client: Client, universe: str) -> dict[str, Any]:
    """All states that a client knows by now, as a client keeps them."""
    states: dict[str, Any] = {}
    for name, data in client.heard:
        if not isinstance(data, dict) or data.get("universeId") != universe:
            continue
        if name == "presence_states":
            states.update({each["userId"]: each["state"] for each in data["states"]})
        elif name == "presence_updated":
            states[data["userId"]] = data["state"]
        elif name == "participant_left":
            states.pop(data["userId"], None)
    return states


async def test_the_others_see_it_at_once(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")

    await shows(ann, universe, cursor={"x": 1, "y": [2.5]}, color="red")

    told = await bob.hears_next("presence_updated")
    assert told.pop("timestamp")
    assert told == {
        "universeId": universe,
        "userId": "ann",
        "state": {"cursor": {"x": 1, "y": [2.5]}, "color": "red"},
    }
    assert not ann.all_heard("presence_updated")


async def test_a_newcomer_at_any_gateway_is_shown_all_of_it(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    await shows(ann, universe, x=1)
    await shows(ann, universe, x=2)
    await shows(bob, universe, x=3)
    await ann.hears("presence_updated", state={"x": 3})

    for gateway in (0, 1):
        newcomer = await world.client(world.name("newcomer"), gateway=gateway)
        await newcomer.joins(universe)
        told = await newcomer.hears_next("presence_states", universeId=universe)
        states = {each["userId"]: each["state"] for each in told["states"]}
        assert states == {"ann": {"x": 2}, "bob": {"x": 3}}


async def test_it_is_asked_of_gateways_that_the_newcomers_has_nobody_of(three: World) -> None:
    universe, clients = await three.together(*(f"user-{number}" for number in range(2)))
    for number, client in enumerate(clients):
        await shows(client, universe, number=number)
    await clients[0].hears("presence_updated", userId="user-1")

    newcomer = await three.client("newcomer", gateway=2)
    await newcomer.joins(universe)

    states = await sees(newcomer, universe, {"user-0", "user-1"})
    assert states == {"user-0": {"number": 0}, "user-1": {"number": 1}}


async def test_who_left_is_not_shown_any_more(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    for client in (ann, bob):
        await shows(client, universe, here=True)
    await bob.hears("presence_updated", userId="ann")
    await ann.asks("leave_room", universeId=universe)
    await bob.hears("participant_left", userId="ann")

    newcomer = await world.client("newcomer")
    await newcomer.joins(universe)

    # What bob showed may come once more before it, if it was on its way.
    told = await newcomer.hears("presence_states")
    assert [each["userId"] for each in told["states"]] == ["bob"]
    # Whoever comes back begins with nothing.
    await ann.joins(universe)
    assert [each["userId"] for each in (await ann.hears("presence_states"))["states"]] == ["bob"]


async def test_viewers_show_something_and_strangers_nothing(world: World) -> None:
    universe = await world.universe(visibility="public", publicMode="view")
    _, (ann,) = await world.together("owner", universe=universe)
    viewer, stranger = await world.client("viewer", gateway=1), await world.client("stranger")
    await viewer.joins(universe, "view")

    await shows(viewer, universe, looking=True)
    ack = await stranger.asks("update_presence", universeId=universe, state={})

    await ann.hears("presence_updated", userId="viewer")
    assert ack["error"]["code"] == "PERMISSION_DENIED"
    assert ack["error"]["details"]["reason"] == "NOT_IN_ROOM"


@pytest.mark.parametrize(
    "state",
    [
        "text",
        ["list"],
        None,
        {"text": "x" * 1024},
        {"a": {"b": {"c": {"d": {}}}}},
    ],
)
async def test_a_state_beyond_the_bounds_is_refused(world: World, state: object) -> None:
    universe, (ann,) = await world.together("ann")

    ack = await ann.asks("update_presence", universeId=universe, state=state)

    assert ack["error"]["code"] == "INVALID_PARAMETERS"
    assert ack["error"]["details"]["fields"][0]["field"] == "state"


async def test_a_state_of_many_kilobytes_is_too_large(world: World) -> None:
    universe, (ann,) = await world.together("ann")

    ack = await ann.asks("update_presence", universeId=universe, state={"text": "x" * 9000})

    assert ack["error"]["details"]["reason"] == "TOO_LARGE"


async def test_all_tabs_of_a_user_show_one_state_which_outlives_the_first(world: World) -> None:
    universe, (ann, bob) = await world.together("ann", "bob")
    tab = await world.client("ann", gateway=1)
    await tab.joins(universe)
    await shows(ann, universe, x=1)
    for client in (tab, bob):
        await client.hears("presence_updated", userId="ann")

    await ann.close()

    newcomer = await world.client("newcomer", gateway=1)
    await newcomer.joins(universe)
    assert (await newcomer.hears("presence_states"))["states"] == [
        {"userId": "ann", "state": {"x": 1}}
    ]


async def test_who_is_cut_off_and_returns_elsewhere_shows_the_same(world: World) -> None:
    universe = await world.universe()
    user = world.name("ann")
    away = await Wire.open(world, user)
    await away.joins(universe)
    await away.says("update_presence", universeId=universe, state={"x": 1})
    # Nobody else is there once it is cut off: no other gateway has heard of it.
    await away.says("update_physics", universeId=universe, parameters={"gravity": 1})
    await away.until("physics_updated")
    away.cut()

    back = await away.again(world, gateway=1)

    told = await back.until("presence_states")
    assert told[-1][1]["states"] == [{"userId": user, "state": {"x": 1}}]


async def test_presence_of_many_outlives_the_restart_of_every_gateway(three: World) -> None:
    universe = await three.universe()
    users = {f"member-{number}" for number in range(MEMBERS)}
    members = [await three.client(user, gateway=n % 3) for n, user in enumerate(sorted(users))]
    for number, member in enumerate(members):
        await member.joins(universe)
        await shows(member, universe, number=number)
    expected = await sees(members[0], universe, users - {members[0].user})
    expected[members[0].user] = {"number": 0}

    at = {member: n % 3 for n, member in enumerate(members)}
    for gateway in range(3):
        process = next(one for one in three.stack.services if one.name == f"gateway-{gateway + 1}")
        await process.stop()
        for member in [one for one, where in at.items() if where == gateway]:
            await member.gone.wait()
            del at[member]
            back = await three.client(member.user, gateway=(gateway + 1) % 3)
            await back.joins(universe)
            at[back] = (gateway + 1) % 3
        await process.start()

        newcomer = await three.client(three.name("newcomer"), gateway=gateway)
        await newcomer.joins(universe)
        assert await sees(newcomer, universe, users) == expected
