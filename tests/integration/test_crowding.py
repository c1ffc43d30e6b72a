"""A user has so many connections at a gateway, and a broken one keeps nobody out."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from socketio.exceptions import ConnectionError as ConnectionRefused

from harmonic_local.stack import Stack
from harmonic_operator.steering import store_revocation
from harmonic_protocol import subjects
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import PATIENCE_S
from harness.world import World, started

MOST = 3


@pytest.fixture(scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Pings of its own accord come so rarely that no test sees one."""
    async with started(
        tmp_path_factory.mktemp("crowding"),
        HARMONIC_CONNECTIONS_PER_USER=str(MOST),
        HARMONIC_PING_INTERVAL_S="60",
        HARMONIC_PING_TIMEOUT_S="1",
    ) as running:
        yield running


@pytest.fixture
async def world(narrow: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(narrow, http)
        yield view
        await view.close()


async def silent(
    world: World, user: str, **auth: str
) -> tuple[aiohttp.ClientWebSocketResponse, str]:
    """A connection that answers no ping, and its ``pid``."""
    websocket = await world.http.ws_connect(
        f"{world.stack.urls[0]}/socket.io/?EIO=4&transport=websocket",
        headers={"User-Agent": "a browser"},
    )
    await websocket.receive_str()
    await websocket.send_str("40/ws," + json.dumps({"token": world.token(user), **auth}))
    answer = await websocket.receive_str()
    assert answer.startswith("40/ws,"), answer
    return websocket, json.loads(answer.removeprefix("40/ws,"))["pid"]


async def closed(websocket: aiohttp.ClientWebSocketResponse) -> None:
    async with asyncio.timeout(PATIENCE_S):
        async for _ in websocket:
            pass


async def answers_pings(websocket: aiohttp.ClientWebSocketResponse) -> None:
    async for message in websocket:
        if message.data == "2":
            await websocket.send_str("3")


async def counted(world: World, name: str, gateway: int = 1) -> float:
    async with world.http.get(f"{world.stack.ops_urls[f'gateway-{gateway}']}/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"harmonic_{name}"))


async def test_one_connection_too_many_is_refused_at_once(world: World) -> None:
    user = world.name("ann")
    clients = [await world.client(user) for _ in range(MOST)]
    before = await counted(world, "user_connection_refusals_total")

    refusal = await world.refused(world.token(user))

    assert refusal == {
        "message": f"A user has at most {MOST} connections",
        "data": {
            "error": f"A user has at most {MOST} connections",
            "code": "RATE_LIMITED",
            "details": {"reason": "CONNECTIONS", "limit": MOST},
        },
    }
    assert await counted(world, "user_connection_refusals_total") == before + 1
    assert not any(client.gone.is_set() for client in clients)
    # Neither other gateways nor other users are concerned.
    await world.client(user, gateway=1)
    await world.client(world.name("bob"))
    await clients[0].close()
    await world.client(user)


async def test_many_at_once_are_as_many_as_may_be(world: World) -> None:
    user = world.name("ann")

    async def comes() -> bool:
        try:
            await world.client(user)
        except ConnectionRefused:
            return False
        return True

    assert sum(await asyncio.gather(*(comes() for _ in range(5 * MOST)))) == MOST


async def test_who_comes_back_with_its_pid_replaces_its_earlier_connection(world: World) -> None:
    user = world.name("ann")
    others = [await world.client(user) for _ in range(MOST - 1)]
    earlier, pid = await silent(world, user)

    _, kept = await silent(world, user, pid=pid)

    assert kept == pid
    await closed(earlier)
    assert not any(client.gone.is_set() for client in others)
    assert await counted(world, "user_connections_replaced_total") == 1


async def test_a_connection_that_does_not_answer_makes_way(world: World) -> None:
    user = world.name("ann")
    others = [await world.client(user) for _ in range(MOST - 1)]
    broken, _ = await silent(world, user)

    await world.client(user)

    await closed(broken)
    assert not any(client.gone.is_set() for client in others)
    assert (await world.refused(world.token(user)))["data"]["details"]["reason"] == "CONNECTIONS"


async def test_a_return_counts_where_the_earlier_connection_was_the_only_one(logs: Path) -> None:
    async with (
        started(logs, gateways=1, musics=0, HARMONIC_CONNECTIONS_PER_USER="1") as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        earlier, pid = await silent(world, "ann")
        later, _ = await silent(world, "ann", pid=pid)
        await closed(earlier)
        alive = asyncio.create_task(answers_pings(later))
        assert (await world.refused(world.token("ann")))["data"]["code"] == "RATE_LIMITED"
        alive.cancel()


async def test_a_client_that_waits_for_a_place_is_refused_once_its_token_is_revoked(
    world: World,
) -> None:
    user = world.name("ann")
    silents = [(await silent(world, user))[0] for _ in range(MOST)]
    waiting = asyncio.create_task(world.refused(world.token(user)))
    # It waits from now on: the others are asked whether they are there.
    while await silents[0].receive_str() != "2":
        pass
    async with connected_as("operator", world.stack) as bus:
        await store_revocation(Streams(bus), subjects.revoked_user(user), time.time())
    assert (await waiting)["data"]["details"]["reason"] == "REVOKED"
    for websocket in silents:
        await closed(websocket)
