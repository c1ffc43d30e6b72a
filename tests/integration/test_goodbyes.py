"""Clients that close their WebSockets and are gone at once, as pages that are left do."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.client import PATIENCE_S
from harness.world import World, started

TRIES = 20
SOCKET = "/socket.io/?EIO=4&transport=websocket"


@pytest.fixture(scope="module")
async def patient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Who leaves within the tests' patience left at once, and not after the grace."""
    folder = tmp_path_factory.mktemp("goodbyes")
    async with started(folder, musics=0, HARMONIC_DEPARTURE_GRACE_S="60") as running:
        yield running


@pytest.fixture
async def world(patient: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(patient, http)
        yield view
        await view.close()


async def joined(world: World, user: str, universe: str) -> Any:
    """A WebSocket of a user that is in a room."""
    websocket = await world.http.ws_connect(world.stack.urls[0] + SOCKET)
    await websocket.receive_str()
    await websocket.send_str("40/ws," + json.dumps({"token": world.token(user)}))
    join = json.dumps(["join_room", {"universeId": universe, "mode": "edit"}])
    await websocket.send_str("42/ws," + join)
    while '"room_joined"' not in await websocket.receive_str(timeout=PATIENCE_S):
        pass
    return websocket


@pytest.mark.parametrize("code", [None, 1000, 1001])
async def test_a_page_that_is_left_leaves_its_rooms_at_once(world: World, code: int | None) -> None:
    universe = await world.universe()
    ben = await world.client(world.name("ben"), gateway=1)
    await ben.joins(universe)
    for _ in range(TRIES):
        user = world.name("ann")
        websocket = await joined(world, user, universe)
        payload = b"" if code is None else code.to_bytes(2)
        transport = websocket._response.connection.transport
        # A close frame, masked with zeros, and the end of the connection right behind it.
        transport.write(bytes((0x88, 0x80 | len(payload))) + bytes(4) + payload)
        transport.close()
        await ben.hears("participant_left", userId=user)
