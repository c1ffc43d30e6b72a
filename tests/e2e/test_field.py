"""What official clients do in the field, besides what the guide shows."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
import socketio

from e2e.conftest import Visitors
from e2e.test_connecting import opening
from gateway.door import PATIENCE_S
from harness.world import World, started


async def test_an_empty_token_in_auth_falls_through_to_the_query(visitors: Visitors) -> None:
    token, url = visitors.world.token("ann"), visitors.world.stack.urls[0]
    options = f"auth: {{ token: '' }}, query: {{ token: '{token}' }}"
    ann = await visitors.opens("ann", opening(url, options))
    await ann.hears("connect_success", userId="ann")


async def test_what_a_wrapper_sends_behind_the_payload_is_passed_over(visitors: Visitors) -> None:
    """``emit(name, data, undefined)`` comes as a trailing ``null``."""
    ann = await visitors.connects("ann")
    room = f"{{ universeId: '{visitors.universe}', mode: 'edit' }}"
    await ann.runs(f"socket.emit('join_room', {room}, undefined, undefined);")
    await ann.hears("room_joined")
    values = f"{{ universeId: '{visitors.universe}', parameters: {{ gravity: 3 }} }}"
    await ann.runs(f"socket.emit('update_physics', {values}, null);")
    await ann.hears("physics_updated")
    assert ann.all_heard("error") == []


@pytest.mark.parametrize("path", ["/socket.io", "/ws"])
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_path_without_its_last_slash_is_the_same(
    visitors: Visitors, path: str, transport: str
) -> None:
    token, url = visitors.world.token("ann"), visitors.world.stack.urls[0]
    options = (
        f"path: '{path}', addTrailingSlash: false, transports: ['{transport}'],"
        f" auth: {{ token: '{token}' }}"
    )
    ann = await visitors.opens("ann", opening(url, options))
    await ann.hears("connect_success", userId="ann")


async def test_a_program_that_says_the_gateways_own_address_as_its_origin_is_let_in(
    logs: Path,
) -> None:
    """python-socketio's synchronous client does, and others."""
    own = "https://live.example"
    async with (
        started(logs, gateways=1, musics=0, HARMONIC_PUBLIC_URLS=own) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        client = socketio.SimpleClient()
        for origin, is_let_in in ((own, True), ("https://live.example.evil", False)):
            connecting = asyncio.to_thread(
                client.connect,
                stack.urls[0],
                auth={"token": world.token("ann")},
                headers={"Origin": origin},
                namespace="/ws",
            )
            if is_let_in:
                await connecting
                greeting = await asyncio.to_thread(client.receive, PATIENCE_S)
                assert greeting[0] == "connect_success"
                await asyncio.to_thread(client.disconnect)
            else:
                with pytest.raises(socketio.exceptions.ConnectionError):
                    await connecting


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
async def test_one_address_to_listen_on_serves_both_families(logs: Path, address: str) -> None:
    async with (
        started(logs, gateways=1, musics=0, HARMONIC_HOST="::") as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        client = socketio.AsyncSimpleClient()
        url = f"http://{address}:{stack.gateway_ports[0]}"
        await client.connect(url, auth={"token": world.token("ann")}, namespace="/ws")
        assert (await client.receive(PATIENCE_S))[0] == "connect_success"
        await client.disconnect()
