"""Tokens that end, and packets that come twice, while a client is on its way in."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
import socketio

from harmonic_gateway.sockets.limits import LATE_TIMEOUT_S
from harmonic_local.stack import Stack
from harmonic_operator.steering import store_revocation
from harmonic_protocol import subjects
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import PATIENCE_S
from harness.javascript import VERSIONS, Bridge, javascript
from harness.world import SECRET, World, started

#: Tries of each race.
TRIES = 200
#: Tries that are under way at the same time.
AT_ONCE = 20
#: Revocations are heard within this time of a connect's beginning, before or after.
WITHIN_S = 0.012
SOCKET = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/socket.io/?EIO=4&transport=polling"
AGENT = {"User-Agent": "a browser"}


@pytest.fixture(scope="module")
async def racing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with started(
        tmp_path_factory.mktemp("racing"),
        musics=0,
        HARMONIC_EVENTS_PER_S="50",
        HARMONIC_EVENTS_BURST="100",
    ) as running:
        yield running


@pytest.fixture
async def world(racing: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(racing, http)
        yield view
        await view.close()


@pytest.fixture(scope="module")
async def bridge() -> AsyncIterator[Bridge]:
    async with javascript() as running:
        yield running


@pytest.fixture
async def streams(racing: Stack) -> AsyncIterator[Streams]:
    """The revocations' stream, as an operator writes to it."""
    async with connected_as("operator", racing) as bus:
        yield Streams(bus)


def token(user: str) -> str:
    now = time.time()
    return jwt.encode({"sub": user, "iat": int(now) - 10, "exp": int(now) + 3600}, SECRET, "HS256")


async def revoked(streams: Streams, user: str) -> None:
    await store_revocation(streams, subjects.revoked_user(user), time.time())


async def opened(world: World) -> Any:
    """A WebSocket that has no namespace yet."""
    websocket = await world.http.ws_connect(world.stack.urls[0] + SOCKET, headers=AGENT)
    await websocket.receive_str()
    return websocket


async def asked(websocket: Any, user: str) -> str:
    """How the wish for a namespace is answered."""
    await websocket.send_str("40/ws," + json.dumps({"token": token(user)}))
    return str((await websocket.receive(PATIENCE_S)).data)


async def is_there(websocket: Any) -> bool:
    """Whether a client is still connected, and hears: it may well be refused what it asks for."""
    if websocket.closed:
        return False
    try:
        await websocket.send_str('42/ws,77["time_sync",{"t0":1}]')
        async with asyncio.timeout(PATIENCE_S):
            async for message in websocket:
                if message.data.startswith("43/ws,77"):
                    return True
    except ConnectionError:
        pass
    return False


async def tried(one: Any) -> int:
    """How many of the tries of a race went wrong."""
    wrong = 0
    for _ in range(TRIES // AT_ONCE):
        wrong += sum(await asyncio.gather(*(one() for _ in range(AT_ONCE))))
    return wrong


async def test_no_client_stays_whose_token_is_revoked_while_it_connects(
    world: World, streams: Streams
) -> None:
    async def one() -> bool:
        user = world.name("ann")
        websocket = await opened(world)
        lead_s = random.uniform(-WITHIN_S, WITHIN_S)

        async def revokes() -> None:
            await asyncio.sleep(max(lead_s, 0))
            await revoked(streams, user)

        async def connects() -> None:
            await asyncio.sleep(max(-lead_s, 0))
            await asked(websocket, user)

        await asyncio.gather(connects(), revokes())
        await asyncio.sleep(1)
        stays = await is_there(websocket)
        await websocket.close()
        return stays

    assert await tried(one) == 0


async def test_no_client_of_python_stays_whose_token_is_revoked_while_it_connects(
    world: World, streams: Streams
) -> None:
    async def one() -> bool:
        user = world.name("ann")
        client = socketio.AsyncClient(reconnection=False)

        async def connects() -> None:
            with contextlib.suppress(socketio.exceptions.ConnectionError):
                await client.connect(
                    world.stack.urls[0],
                    auth={"token": token(user)},
                    namespaces=["/ws"],
                    transports=["websocket"],
                    wait_timeout=PATIENCE_S,
                )

        async def revokes() -> None:
            await asyncio.sleep(random.uniform(0, WITHIN_S))
            await revoked(streams, user)

        await asyncio.gather(connects(), revokes())
        await asyncio.sleep(1)
        stays = "/ws" in client.namespaces and client.connected
        await client.disconnect()
        return stays

    assert await tried(one) == 0


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_client_of_javascript_stays_whose_token_is_revoked_while_it_connects(
    world: World, streams: Streams, bridge: Bridge, version: str
) -> None:
    async def one() -> bool:
        user = world.name("ann")
        client = bridge.client(user, version)

        async def revokes() -> None:
            await asyncio.sleep(random.uniform(0, 2 * WITHIN_S))
            await revoked(streams, user)

        code = f"""
            const socket = io('{world.stack.urls[0]}/ws', {{
              forceNew: true, reconnection: false, transports: ['websocket'],
              auth: {{ token: '{token(user)}' }},
            }});
        """
        await asyncio.gather(client.opens(code), revokes())
        await asyncio.sleep(1)
        stays: bool = await client.runs("return socket.connected;")
        await client.runs("socket.disconnect();")
        return stays

    assert await tried(one) == 0


async def test_two_posts_with_the_same_connect_admit_one_client(world: World) -> None:
    async def one() -> bool:
        user = world.name("ann")
        async with world.http.get(world.stack.urls[0] + POLLING, headers=AGENT) as response:
            sid = json.loads((await response.text())[1:])["sid"]
        url = f"{world.stack.urls[0]}{POLLING}&sid={sid}"
        packet = "40/ws," + json.dumps({"token": token(user)})

        async def posts() -> int:
            async with world.http.post(url, data=packet, headers=AGENT) as response:
                return response.status

        first, second = await asyncio.gather(posts(), posts())
        async with world.http.get(url, headers=AGENT) as response:
            heard = await response.text()
        async with world.http.post(url, data="1"):
            pass
        return first == second == 200 or heard.count("40/ws,{") > 1

    wrong = await tried(one)
    counted = await gauge(world, "connections")
    assert (wrong, counted) == (0, 0)


async def gauge(world: World, name: str) -> float:
    """A gauge of the first gateway, once nobody is under way any more."""
    await asyncio.sleep(1)
    async with world.http.get(f"{world.stack.ops_urls['gateway-1']}/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"harmonic_{name} "))


async def test_no_body_is_acted_on_that_ends_after_its_token(
    world: World, streams: Streams
) -> None:
    async def one() -> bool:
        user = world.name("ann")
        universe = await world.universe(user)
        revocation = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b'{"name":'
            await revocation.wait()
            yield b'"A newer name"}'

        async def changes() -> int:
            async with world.http.patch(
                f"{world.stack.urls[0]}/api/v1/universes/{universe}",
                data=body(),
                headers={
                    "Authorization": f"Bearer {token(user)}",
                    "Content-Type": "application/json",
                },
            ) as response:
                return response.status

        change = asyncio.create_task(changes())
        await asyncio.sleep(0.05)
        await revoked(streams, user)
        await asyncio.sleep(0.3)
        revocation.set()
        return await change != 401

    assert await tried(one) == 0


async def test_connects_on_one_socket_are_counted(world: World) -> None:
    user = world.name("ann")
    websocket = await opened(world)
    answer = await asked(websocket, user)
    admitted = 0
    while answer.startswith("40/ws,") and admitted < 1000:
        admitted += 1
        await websocket.send_str("41/ws,")
        await websocket.send_str("40/ws," + json.dumps({"token": token(user)}))
        answer = "42"
        while answer.startswith("42") or answer == "2":
            answer = str((await websocket.receive(PATIENCE_S)).data)
    # A burst of a hundred events, of which each connect counts as ten, and what a second gives.
    assert admitted < 100
    assert websocket.closed


async def test_sockets_whose_last_namespace_ended_are_not_kept(racing: Stack) -> None:
    async def is_closed(websocket: Any) -> bool:
        """Whether it is closed in time though it answers its pings."""
        try:
            async with asyncio.timeout(LATE_TIMEOUT_S + PATIENCE_S):
                async for message in websocket:
                    if message.data == "2":
                        await websocket.send_str("3")
        except TimeoutError:
            return False
        return True

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        world = World(racing, http)
        websockets = [await opened(world) for _ in range(TRIES)]
        for websocket in websockets:
            assert (await asked(websocket, world.name("ann"))).startswith("40/ws,")
            await websocket.send_str("41/ws,")
        closed = await asyncio.gather(*(is_closed(websocket) for websocket in websockets))
    assert closed.count(False) == 0
