"""The playground's files as a gateway serves them, and that guests are for development alone."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from harness.world import World, started

KEY = "a-key-of-22-characters"
#: What may be loaded for the page, compressed, in bytes.
MAX_BYTES = 200_000


@pytest.fixture(scope="module")
async def guests(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A product in which anybody is a guest, and nobody is shown the page."""
    product = started(
        tmp_path_factory.mktemp("guests"),
        gateways=1,
        HARMONIC_GUEST_TOKENS="true",
        HARMONIC_PLAYGROUND="false",
        HARMONIC_CONNECTS_PER_S="0.001",
        HARMONIC_CONNECTS_BURST="12",
    )
    async with (
        product as stack,
        aiohttp.ClientSession() as http,
    ):
        yield World(stack, http)


async def get(world: World, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    # As it is sent: not decompressed.
    async with (
        aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": ""}) as http,
        http.get(f"{world.stack.urls[0]}{path}", headers=headers) as answer,
    ):
        return answer, await answer.read()


async def assets(world: World) -> list[str]:
    """The addresses of all files that the page and its scripts name."""
    _, page = await get(world, "/")
    found = re.findall(r"/assets/[\w.-]+", page.decode())
    for script in [path for path in found if path.endswith(".js")]:
        _, body = await get(world, script)
        found += [f"/assets/{name}" for name in re.findall(r"\./([\w-]+\.js)", body.decode())]
    return sorted(set(found))


async def test_the_page_may_use_what_comes_from_its_gateway_alone(world: World) -> None:
    answer, page = await get(world, "/")

    assert answer.status == 200
    assert answer.content_type == "text/html"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Permissions-Policy"] == "camera=(), geolocation=(), microphone=(self)"
    # No code and no style stands in it, and it names no other host.
    assert not re.search(rb"<script(?![^>]* src=)|<style| style=| on\w+=|https?:", page)


async def test_the_page_is_asked_for_anew_and_its_files_never_are(world: World) -> None:
    answer, page = await get(world, "/")
    assert answer.headers["Cache-Control"] == "no-cache"
    again, nothing = await get(world, "/", **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status, nothing) == (304, b"")
    assert again.headers["Content-Security-Policy"] == answer.headers["Content-Security-Policy"]
    other, same = await get(world, "/", **{"If-None-Match": '"another"'})
    assert (other.status, same) == (200, page)

    files = await assets(world)
    assert {Path(path).suffix for path in files} == {".js", ".css", ".svg"}
    for path in files:
        answer, body = await get(world, path)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert body


async def test_all_of_it_takes_little_when_it_is_compressed(world: World) -> None:
    total = 0
    for path in ["/", *await assets(world)]:
        _, plain = await get(world, path)
        packed, body = await get(world, path, **{"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert gzip.decompress(body) == plain
        total += len(body)

    assert total <= MAX_BYTES


async def test_nothing_else_is_to_be_had_beside_the_page(world: World) -> None:
    for path in ("/index.html", "/assets/", "/assets/../index.html", "/playground/index.html"):
        answer, _ = await get(world, path)
        assert answer.status == 404


async def test_a_gateway_that_is_not_for_development_has_no_guests(world: World) -> None:
    async with world.http.post(
        f"{world.stack.urls[0]}/guest-tokens", json={"name": "Ann", "key": KEY}
    ) as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "NOT_FOUND"


async def test_one_setting_switches_the_page_off(guests: World) -> None:
    answer, _ = await get(guests, "/")

    assert answer.status == 404


async def test_guests_are_users_as_often_as_an_address_may_connect(guests: World) -> None:
    url = f"{guests.stack.urls[0]}/guest-tokens"
    async with guests.http.post(url, json={"name": "Ann", "key": KEY}) as answer:
        token = (await answer.json())["token"]
    alice = await guests.client("a guest", token=token)
    assert (await alice.hears("connect_success"))["userId"].startswith("guest-")

    refused = []
    for body in ({"name": "Ann"}, {"name": "Ann", "key": KEY, "sub": "owner"}, {"name": 1}):
        async with guests.http.post(url, json=body) as answer:
            refused.append((answer.status, (await answer.json())["error"]["code"]))
    assert refused == [(400, "INVALID_PARAMETERS")] * 3

    statuses = []
    for _ in range(12):
        async with guests.http.post(url, json={"name": "Ann", "key": KEY}) as answer:
            statuses.append(answer.status)
    assert statuses[-1] == 429
    assert await guests.logged("guest_tokens_on")
    await alice.close()
