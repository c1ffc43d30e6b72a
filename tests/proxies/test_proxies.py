"""Two gateways behind the proxies' configurations that are shipped."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harmonic_local.stack import Stack
from harness.javascript import Bridge
from harness.world import World, started
from proxies.clients import javascript_connects
from proxies.proxies import HAPROXY, Proxy, in_front_of

TIMES = 50
AT_ONCE = 10
BURST = 5
POLL = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture(scope="module")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    settings: dict[str, Any] = {"HARMONIC_TRUSTED_PROXIES": "127.0.0.0/8"}
    folder = tmp_path_factory.mktemp("behind-proxies")
    async with started(folder, gateways=2, musics=0, **settings) as running:
        yield running


@pytest.fixture(scope="module")
async def port(
    product: Stack, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[int]:
    async with in_front_of(product, proxy, tmp_path_factory.mktemp(proxy.name)) as found:
        yield found


@pytest.mark.parametrize("version", ["4.8.4", "3.1.3"])
async def test_the_guides_snippet_connects_and_upgrades_every_time(
    product: Stack, port: int, bridge: Bridge, version: str
) -> None:
    async with aiohttp.ClientSession() as http:
        world = World(product, http)
        url, token = f"http://127.0.0.1:{port}", world.token("ann")
        turns = asyncio.Semaphore(AT_ONCE)

        async def connects(number: int) -> bool:
            async with turns:
                return await javascript_connects(
                    bridge.client(f"ann-{number}", version), url, token
                )

        went_over = await asyncio.gather(*(connects(number) for number in range(TIMES)))

    assert went_over == [True] * TIMES


async def test_events_pass_both_ways_and_a_piece_of_a_mebibyte_too(
    product: Stack, port: int
) -> None:
    async with aiohttp.ClientSession() as http:
        world = World(product, http)
        universe = await world.universe()
        async with http.get(f"http://127.0.0.1:{port}{POLL}") as opened:
            sid = (await opened.text()).split('"sid":"')[1].split('"')[0]
        url = f"http://127.0.0.1:{port}{POLL}&sid={sid}"
        hello = f'40/ws,{{"token":"{world.token("ann")}","recovery":0}}'
        join = f'42/ws,["join_room",{{"universeId":"{universe}","mode":"edit"}}]'
        # One packet is at most 64 KiB, but a body may hold many.
        large = "\x1e".join(f'42/ws,["{"x" * 60_000}",{{}}]' for _ in range(16))
        for body in (hello, join, large):
            async with http.post(url, data=body) as answer:
                assert (answer.status, await answer.text()) == (200, "ok")
        heard = ""
        while "room_joined" not in heard or heard.count("UNKNOWN_EVENT") < 16:
            async with http.get(url) as answer:
                assert answer.status == 200
                heard += await answer.text()


@pytest.fixture(scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    settings: dict[str, Any] = {
        "HARMONIC_TRUSTED_PROXIES": "127.0.0.0/8",
        "HARMONIC_CONNECTS_PER_S": "0.001",
        "HARMONIC_CONNECTS_BURST": str(BURST),
    }
    folder = tmp_path_factory.mktemp("strict-behind-proxies")
    async with started(folder, gateways=2, musics=0, **settings) as running:
        yield running


async def opens_sessions(port: int, times: int, *, local: str, **headers: str) -> list[int]:
    """How a product answers to new sessions from an address of this machine."""
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    connector = aiohttp.TCPConnector(local_addr=(local, 0), family=family)
    host = "[::1]" if ":" in local else "127.0.0.1"
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession(connector=connector, headers=said) as http:
        statuses = []
        for _ in range(times):
            async with http.get(f"http://{host}:{port}{POLL}") as answer:
                statuses.append(answer.status)
        return statuses


async def test_each_client_is_counted_by_its_own_address(
    strict: Stack, proxy: Proxy, tmp_path: Path
) -> None:
    # The gateways remember: each proxy's clients come from addresses of their own.
    ours, another = ("127.0.1.2", "127.0.1.3") if proxy is HAPROXY else ("127.0.2.2", "127.0.2.3")
    async with in_front_of(strict, proxy, tmp_path) as port:
        # Two gateways count for themselves.
        once = await opens_sessions(port, 2 * BURST + 2, local=ours)
        assert once.count(200) == 2 * BURST
        assert once[-2:] == [429, 429]
        # What a client says of itself changes nothing.
        forged = await opens_sessions(port, 2, local=ours, X_Forwarded_For="9.9.9.9")
        assert forged == [429, 429]
        assert await opens_sessions(port, 2, local=another) == [200, 200]
        assert await opens_sessions(port, 2, local="::1") == [200, 200]
