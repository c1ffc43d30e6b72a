"""What official clients see when their token ends, and what the others in the room see."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import jwt
import pytest

from harmonic_local.stack import Stack
from harmonic_operator.steering import store_revocation
from harmonic_protocol import subjects
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import PATIENCE_S
from harness.javascript import VERSIONS, Bridge, JavascriptClient, javascript
from harness.world import SECRET, World, started

#: Longer than anybody here waits: who leaves within the tests' patience left at once.
DEPARTURE_GRACE_S = 60


@pytest.fixture(scope="module")
async def brief_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with started(
        tmp_path_factory.mktemp("ends"),
        musics=0,
        HARMONIC_TOKEN_WARNING_S="1",
        HARMONIC_TOKEN_GRACE_S="1",
        HARMONIC_DEPARTURE_GRACE_S=str(DEPARTURE_GRACE_S),
    ) as running:
        yield running


@pytest.fixture
async def world(brief_stack: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(brief_stack, http)
        yield view
        await view.close()


@pytest.fixture(scope="module")
async def bridge() -> AsyncIterator[Bridge]:
    async with javascript() as running:
        yield running


def token(user: str, lifetime_s: float = 3600, **claims: object) -> str:
    now = time.time()
    known = {"sub": user, "iat": int(now) - 10, "exp": int(now + lifetime_s), **claims}
    return jwt.encode(known, SECRET, "HS256")


async def opens(
    world: World, bridge: Bridge, version: str, user: str, *tokens: str
) -> JavascriptClient:
    """A client that brings these tokens one after the other, the last one for ever."""
    client = bridge.client(user, version)
    await client.opens(f"""
        const tokens = {list(tokens)};
        const socket = io('{world.stack.urls[0]}/ws', {{
          forceNew: true,
          reconnectionDelay: 100,
          auth: callback => callback({{ token: tokens.length > 1 ? tokens.shift() : tokens[0] }}),
        }});
    """)
    await client.hears("connect_success")
    return client


async def joins(client: JavascriptClient, universe: str) -> None:
    await client.runs(f"socket.emit('join_room', {{ universeId: '{universe}', mode: 'edit' }});")
    await client.hears("room_joined", universeId=universe)


async def revoked(world: World, user: str) -> None:
    async with connected_as("operator", world.stack) as bus:
        await store_revocation(Streams(bus), subjects.revoked_user(user), time.time())


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_whose_token_expires_is_told_and_comes_back_with_another(
    world: World, bridge: Bridge, version: str
) -> None:
    user, universe = world.name("ann"), await world.universe()
    ben = await world.client(world.name("ben"))
    await ben.joins(universe)
    ann = await opens(world, bridge, version, user, token(user, 3), token(user))
    await joins(ann, universe)
    error = await ann.hears("error")
    assert (error["code"], error["details"]["reason"]) == ("AUTH_ERROR", "EXPIRED")
    await ann.hears("disconnect")
    greeting = await ann.hears("connect_success")
    assert greeting["recovered"]
    await ann.hears("room_joined", universeId=universe)
    # It was never gone: its seat was kept for the grace.
    assert ben.all_heard("participant_left") == []
    await ann.runs("socket.disconnect();")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_with_an_expired_token_alone_is_told_so(
    world: World, bridge: Bridge, version: str
) -> None:
    user = world.name("ann")
    ann = await opens(world, bridge, version, user, token(user, 2))
    await ann.hears("error")
    await ann.hears("disconnect")
    refusal = await ann.hears("connect_error")
    assert "expired" in str(refusal)
    await ann.runs("socket.disconnect();")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_whose_token_is_revoked_leaves_at_once_and_only_its_pid_brings_it_back(
    world: World, bridge: Bridge, version: str
) -> None:
    user, universe = world.name("ann"), await world.universe()
    ben = await world.client(world.name("ben"), gateway=1)
    await ben.joins(universe)
    later = token(user, iat=time.time() + 60)
    ann = await opens(world, bridge, version, user, token(user), later)
    await joins(ann, universe)
    await revoked(world, user)
    error = await ann.hears("error")
    assert (error["code"], error["details"]["reason"]) == ("AUTH_ERROR", "REVOKED")
    await ben.hears("participant_left", userId=user)
    await ann.hears("disconnect")
    greeting = await ann.hears("connect_success")
    knows_its_pid = version == "4.8.4"
    if knows_its_pid:
        await ann.hears("state_recovered", universeId=universe)
    else:
        assert not greeting["recovered"]
        await ann.runs("await new Promise(resolve => setTimeout(resolve, 300));")
        assert len(ann.all_heard("room_joined")) == 1
    await ann.runs("socket.disconnect();")


async def test_python_clients_are_told_and_closed_by_their_transport(world: World) -> None:
    user = world.name("ann")
    ann = await world.client(user, token=token(user, 2))
    error = await ann.hears("error")
    assert (error["code"], error["details"]["reason"]) == ("AUTH_ERROR", "EXPIRED")
    async with asyncio.timeout(PATIENCE_S):
        await ann.gone.wait()
    assert ann.all_heard("error") == [error]
