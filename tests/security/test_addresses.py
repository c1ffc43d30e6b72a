"""Where clients come from counts, and cannot be made up."""

from pathlib import Path
from typing import Any

import aiohttp

from harmonic_local.stack import Stack
from harness.world import World, started

BURST = 3
#: So many connects of an address, and then none for the rest of a test.
BURST_ONLY: dict[str, Any] = {
    "HARMONIC_CONNECTS_PER_S": "0.001",
    "HARMONIC_CONNECTS_BURST": str(BURST),
}


async def connects(stack: Stack, times: int = 1, **forwarded: str) -> list[int]:
    """How a gateway answers to new connections."""
    url = f"{stack.urls[0]}/socket.io/?EIO=4&transport=polling"
    headers = {"X-Forwarded-For": forwarded["by"]} if forwarded else {}
    answers = []
    async with aiohttp.ClientSession(headers=headers) as http:
        for _ in range(times):
            async with http.get(url) as answer:
                answers.append(answer.status)
    return answers


async def test_an_address_connects_so_often_and_no_more(logs: Path) -> None:
    async with started(logs, gateways=1, musics=0, **BURST_ONLY) as stack:
        address = f"{stack.urls[0]}/api/v1/universes/any/stream"
        async with aiohttp.ClientSession() as http, http.get(address) as answer:
            # A stream of events is a connection as well.
            assert answer.status == 401
        assert await connects(stack, BURST) == [200] * (BURST - 1) + [429]
        assert await connects(stack, by="1.2.3.4") == [429]
        async with aiohttp.ClientSession() as http, http.get(address) as answer:
            assert answer.status == 429


async def test_behind_a_trusted_proxy_each_client_has_an_address(logs: Path) -> None:
    trusted: dict[str, Any] = {**BURST_ONLY, "HARMONIC_TRUSTED_PROXIES": "127.0.0.0/8"}
    async with started(logs, gateways=1, musics=0, **trusted) as stack:
        assert await connects(stack, BURST + 1, by="1.2.3.4") == [200] * BURST + [429]
        assert await connects(stack, by="5.6.7.8") == [200]
        assert await connects(stack, by="9.9.9.9, 1.2.3.4") == [429]


async def test_calls_without_a_good_token_are_counted_by_address(logs: Path) -> None:
    few: dict[str, Any] = {
        "HARMONIC_FAILED_CALLS_PER_S": "0.001",
        "HARMONIC_FAILED_CALLS_BURST": str(BURST),
        "HARMONIC_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    async with (
        started(logs, gateways=1, musics=0, **few) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)

        async def calls(user: str | None, address: str, times: int = 1) -> list[int]:
            forwarded = {"X-Forwarded-For": address}
            return [
                (await world.call("GET", "/universes", user, headers=forwarded))[0]
                for _ in range(times)
            ]

        assert await calls("ann", "1.2.3.4", BURST + 2) == [200] * (BURST + 2)
        assert await calls(None, "1.2.3.4", BURST + 1) == [401] * BURST + [429]
        assert await calls("ann", "1.2.3.4") == [429]
        assert await calls("ann", "5.6.7.8") == [200]


async def test_an_empty_session_id_is_none(logs: Path) -> None:
    async with started(logs, gateways=1, musics=0, **BURST_ONLY) as stack:
        url = f"{stack.urls[0]}/socket.io/?EIO=4&transport=polling&sid="
        async with aiohttp.ClientSession() as http:
            answers = [(await http.get(url)).status for _ in range(BURST + 1)]
        assert answers == [200] * BURST + [429]


async def test_requests_for_sessions_that_there_are_not_are_counted_by_address(logs: Path) -> None:
    trusted: dict[str, Any] = {**BURST_ONLY, "HARMONIC_TRUSTED_PROXIES": "127.0.0.0/8"}
    async with (
        started(logs, gateways=2, musics=0, **trusted) as stack,
        aiohttp.ClientSession() as http,
    ):
        polling = "/socket.io/?EIO=4&transport=polling"
        async with http.get(stack.urls[1] + polling) as opened:
            sid = (await opened.text()).split('"sid":"')[1].split('"')[0]
        name, replica, secret, proof = sid.split(".")
        of_nobody = f"{name}.nobody.{secret}.{proof}"
        of_the_other = f"{name}.{replica}.made-up.{proof}"

        async def asks(unknown: str, address: str, times: int = 1) -> list[int]:
            headers = {"X-Forwarded-For": address}
            answers = []
            for _ in range(times):
                url = f"{stack.urls[0]}{polling}&sid={unknown}"
                async with http.get(url, headers=headers) as answer:
                    answers.append(answer.status)
            return answers

        assert await asks(of_nobody, "1.2.3.4", BURST + 1) == [400] * BURST + [429]
        assert await asks(of_the_other, "5.6.7.8", BURST + 1) == [400] * BURST + [429]
        # What an address asked in vain for keeps it from no session of its own.
        assert await connects(stack, by="1.2.3.4") == [200]
        assert await asks(of_nobody, "9.9.9.9") == [400]
