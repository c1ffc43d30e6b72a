"""A token's life over a connection: warned of, refreshed, expired, revoked."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest

from harmonic_local.stack import Stack
from harness.client import PATIENCE_S, Client
from harness.world import SECRET, World, started


@pytest.fixture(scope="module")
async def brief_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product that warns two seconds ahead, and lets go after one."""
    async with started(
        tmp_path_factory.mktemp("brief"),
        HARMONIC_TOKEN_WARNING_S="2",
        HARMONIC_TOKEN_GRACE_S="1",
    ) as running:
        yield running


@pytest.fixture
async def brief(brief_stack: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        view = World(brief_stack, http)
        yield view
        await view.close()


def token(user: str, lifetime_s: float, **claims: object) -> str:
    now = time.time()
    known = {"sub": user, "iat": int(now), "exp": int(now + lifetime_s), **claims}
    return jwt.encode(known, SECRET, "HS256")


async def refused_at_last(client: Client) -> dict[str, Any]:
    """What the client is told once its token has expired."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await client.asks("time_sync", t0=1)
            if "error" in answer:
                return answer
            await asyncio.sleep(0.05)


async def revoke(world: World, *which: str) -> None:
    """Do it as an operator does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "harmonic_operator", "revoke", *which),
        env={**os.environ, **world.stack.bus_user("operator")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def test_who_is_warned_and_refreshes_stays(brief: World) -> None:
    user = brief.name("ann")
    ann = await brief.client(user, token=token(user, 3))
    warning = await ann.hears("token_expiring")
    assert warning["expiresAt"].endswith("Z")
    await ann.says("refresh_token", token=token(user, 3600))
    refreshed = await ann.hears("token_refreshed")
    assert refreshed["expiresAt"] > warning["expiresAt"]
    await asyncio.sleep(3)
    answer = await ann.asks("time_sync", t0=1)
    assert answer["t0"] == 1
    assert not ann.gone.is_set()


async def test_who_comes_with_a_token_that_expires_soon_is_warned_at_once(brief: World) -> None:
    user = brief.name("ann")
    ann = await brief.client(user, token=token(user, 2))
    await ann.asks("time_sync", t0=1)
    assert [event for event, _ in ann.heard] == ["connect_success", "token_expiring"]


async def test_who_does_not_is_refused_and_then_let_go(brief: World) -> None:
    user = brief.name("ann")
    ann = await brief.client(user, token=token(user, 2))
    await ann.hears("token_expiring")
    answer = await refused_at_last(ann)
    assert answer["error"]["code"] == "AUTH_ERROR"
    assert answer["error"]["details"]["reason"] == "EXPIRED"
    async with asyncio.timeout(PATIENCE_S):
        await ann.gone.wait()


async def test_a_late_refresh_within_the_grace_is_taken(brief: World) -> None:
    user = brief.name("ann")
    ann = await brief.client(user, token=token(user, 2))
    await refused_at_last(ann)
    assert (await ann.asks("refresh_token", token=token(user, 3600)))["ok"]
    assert "t1" in await ann.asks("time_sync", t0=1)


@pytest.mark.parametrize("wrong", ["another user", "garbage", "expired"])
async def test_a_refresh_that_proves_nothing_is_refused(brief: World, wrong: str) -> None:
    user = brief.name("ann")
    ann = await brief.client(user, token=token(user, 3600))
    brought = {
        "another user": token("somebody", 3600),
        "garbage": "garbage",
        "expired": token(user, -3600),
    }[wrong]
    answer = await ann.asks("refresh_token", token=brought)
    assert answer["error"]["code"] == "AUTH_ERROR"
    assert "t1" in await ann.asks("time_sync", t0=1)


@pytest.mark.parametrize("by", ["user", "token"])
async def test_a_revocation_counts_on_every_gateway(brief: World, by: str) -> None:
    user, other = brief.name("ann"), brief.name("bob")
    theirs = token(user, 3600, jti=f"jti-{user}", iat=int(time.time()) - 10)
    tabs = [await brief.client(user, token=theirs, gateway=n) for n in range(2)]
    bob = await brief.client(other)
    await revoke(brief, *(("--user", user) if by == "user" else ("--jti", f"jti-{user}")))
    for tab in tabs:
        error = await tab.hears("error")
        assert (error["code"], error["details"]["reason"]) == ("AUTH_ERROR", "REVOKED")
        async with asyncio.timeout(PATIENCE_S):
            await tab.gone.wait()
    refusal = await brief.refused(theirs, gateway=1)
    assert refusal["data"]["details"]["reason"] == "REVOKED"
    url = f"{brief.stack.urls[0]}/api/v1/universes"
    headers = {"Authorization": f"Bearer {theirs}"}
    async with brief.http.get(url, headers=headers) as response:
        assert response.status == 401
    assert "t1" in await bob.asks("time_sync", t0=1)
    # A token that is issued later is none of those.
    later = token(user, 3600, jti="another", iat=time.time() + 2)
    newer = await brief.client(user, token=later)
    assert "t1" in await newer.asks("time_sync", t0=1)


async def test_a_revocation_outlives_a_restart_of_the_gateway(brief: World) -> None:
    user = brief.name("ann")
    theirs = token(user, 3600, iat=int(time.time()) - 10)
    await revoke(brief, "--user", user)
    gateway = brief.stack.gateways[0]
    await gateway.stop()
    await gateway.start()
    refusal = await brief.refused(theirs)
    assert refusal["data"]["details"]["reason"] == "REVOKED"
