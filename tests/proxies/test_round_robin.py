"""Three gateways behind proxies in plain round robin: every request goes to the next one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.javascript import Bridge
from harness.world import World, started
from peers.turns import turn_taker
from proxies.clients import javascript_connects, python_connects
from proxies.proxies import Proxy, in_front_of
from proxies.test_proxies import AT_ONCE

TIMES = 50
PARTS = 16


@pytest.fixture(scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    settings: dict[str, Any] = {"HARMONIC_TRUSTED_PROXIES": "127.0.0.0/8"}
    folder = tmp_path_factory.mktemp("round-robin")
    async with started(folder, gateways=3, musics=0, **settings) as running:
        yield running


@pytest.fixture(scope="module")
async def url(
    product: Stack, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    folder = tmp_path_factory.mktemp(f"plain-{proxy.name}")
    async with in_front_of(product, proxy, folder, plain=True) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def world(product: Stack) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        made = World(product, http)
        yield made
        await made.close()


@pytest.mark.parametrize("version", ["4.8.4", "3.1.3"])
async def test_the_guides_snippet_connects_and_upgrades_every_time(
    world: World, url: str, bridge: Bridge, version: str
) -> None:
    token = world.token("ann")
    turns = asyncio.Semaphore(AT_ONCE)

    async def connects(number: int) -> bool:
        async with turns:
            client = bridge.client(f"ann-{version}-{number}", version)
            return await javascript_connects(client, url, token)

    went_over = await asyncio.gather(*(connects(number) for number in range(TIMES)))
    assert went_over == [True] * TIMES


async def test_the_python_client_connects_and_upgrades_every_time(world: World, url: str) -> None:
    token = world.token("ann")
    turns = asyncio.Semaphore(AT_ONCE)

    async def connects() -> bool:
        async with turns:
            return await python_connects(url, token)

    went_over = await asyncio.gather(*(connects() for _ in range(TIMES)))
    assert went_over == [True] * TIMES


async def test_who_polls_sends_a_mebibyte_and_binary_events_and_gets_compressed_answers(
    world: World, url: str
) -> None:
    universe = await world.universe()
    async with turn_taker([url]) as ann:
        await ann.connects(world.token(world.name("ann")), recovery=0)
        await ann.emits("join_room", {"universeId": universe, "mode": "edit"}, ack="1")
        await ann.until("43/ws,1")
        event = f'42/ws,["{"x" * 60_000}",{{}}]'
        assert await ann.says(*[event] * PARTS) == (200, "ok")
        while sum("UNKNOWN_EVENT" in packet for packet in ann.heard) < PARTS:
            assert (await ann.polls())[0] == 200
        analysis = {
            "frequencies": {"_placeholder": True, "num": 0},
            "waveform": [0.5] * 2048,
            "timestamp": "2024-03-21T10:30:00Z",
        }
        payload = json.dumps(["audio_analysis", {"universeId": universe, "analysis": analysis}])
        assert await ann.says(f"451-/ws,{payload}", "bAQIDBA==") == (200, "ok")
        await ann.until("451-/ws,")
        assert await ann.until("bAQIDBA==") == "bAQIDBA=="
        # aiohttp asks for gzip, and inflates by itself.
        big = {"universeId": universe, "analysis": {**analysis, "frequencies": [0.25] * 2048}}
        await ann.emits("audio_analysis", big)
        while not any(len(packet) > 8000 and "audio_analyzed" in packet for packet in ann.heard):
            assert (await ann.polls())[0] == 200
        assert "gzip" in ann.encodings
