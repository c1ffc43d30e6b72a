"""Links by which a browser's ``EventSource`` follows a universe: whose they are, and until when."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import jwt
import pytest

from harmonic_operator.steering import store_revocation
from harmonic_protocol import subjects
from harmonic_protocol.export import prose
from harmonic_runtime.bus.streams import Streams
from harness.broker import connected_as
from harness.client import PATIENCE_S
from harness.event_source import MAX_LINE_BYTES, EventSource
from harness.node import run
from harness.world import SECRET, World


def token(user: str, lifetime_s: float = 3600) -> str:
    """A token that can be revoked by itself."""
    claims = {"sub": user, "jti": f"of-{user}", "exp": int(time.time() + lifetime_s)}
    return jwt.encode(claims, SECRET, "HS256")


async def address(world: World, universe: str, bearer: str) -> str:
    """Where the bearer of a token may follow a universe without it."""
    headers = {"Authorization": f"Bearer {bearer}"}
    path = f"/universes/{universe}/stream/link"
    status, answer = await world.call("GET", path, headers=headers)
    assert status == 200, answer
    return str(answer["stream"])


@asynccontextmanager
async def followed(world: World, address: str, gateway: int = 1) -> AsyncIterator[EventSource]:
    """A stream that a link begins."""
    url = world.stack.urls[gateway] + address
    async with world.http.get(url, read_bufsize=MAX_LINE_BYTES) as response:
        assert response.status == 200, await response.text()
        stream = EventSource(response)
        await stream.hears("universe_state")
        yield stream


async def test_a_page_follows_by_a_link_as_the_document_says(world: World, tmp_path: Path) -> None:
    universe, (ann,) = await world.together("ann")
    gateway = world.stack.urls[1]
    by_link = (
        prose.STREAM_BY_LINK.replace("universe-123", universe)
        .replace("fetch('", f"fetch('{gateway}")
        .replace("EventSource(stream", f"EventSource('{gateway}' + stream")
        .replace("'physics_updated'", "'universe_state'")
    )
    program = tmp_path / "page.mjs"
    program.write_text(f"""
        const token = '{world.token("reader")}';
        const hear = (name, data) => {{
          console.log(JSON.stringify([name, data.universeId]));
          process.exit();
        }};
        {by_link}
        follow();
    """)
    status, output = await run(
        tmp_path, "--no-warnings", "--experimental-eventsource", program, timeout_s=PATIENCE_S
    )
    assert (status, json.loads(output)) == (0, ["universe_state", universe])
    assert ann.heard


async def test_a_stream_by_a_link_goes_on_from_the_last_event(world: World) -> None:
    universe, (ann,) = await world.together("ann")
    link = await address(world, universe, token("reader"))
    async with followed(world, link) as stream:
        for gravity in (1, 2):
            await ann.asks("update_physics", universeId=universe, parameters={"gravity": gravity})
        await stream.hears("physics_updated")
        place, numbers = stream.last_id, stream.numbers()
    async with world.http.get(f"{world.stack.urls[0]}{link}&lastEventId={place}") as response:
        again = await EventSource(response).next()
    assert again is not None
    assert (again.name, again.data["seq"]) == ("physics_updated", numbers[-1] + 1)


@pytest.mark.parametrize("what", ["user", "token", "expired"])
async def test_a_stream_by_a_link_ends_with_the_token_that_asked_for_it(
    world: World, what: str
) -> None:
    user = world.name("reader")
    universe = await world.universe()
    link = await address(world, universe, token(user, 2 if what == "expired" else 3600))
    subject = (
        subjects.revoked_token(f"of-{user}") if what == "token" else subjects.revoked_user(user)
    )
    async with followed(world, link) as stream:
        if what != "expired":
            async with connected_as("operator", world.stack) as bus:
                await store_revocation(Streams(bus), subject, time.time())
        told = await stream.ends()
    reason = "EXPIRED" if what == "expired" else "REVOKED"
    assert (told["code"], told["details"]["reason"]) == ("AUTH_ERROR", reason)
    if what != "expired":
        async with world.http.get(world.stack.urls[1] + link) as response:
            assert (response.status, "REVOKED" in await response.text()) == (401, True)


async def test_a_link_is_for_one_stream_and_nothing_else(world: World) -> None:
    universe, other = await world.universe(), await world.universe()
    link = (await address(world, universe, token("reader"))).partition("?")[2]
    for path in (f"{other}/stream", f"{universe}", f"{universe}/participants", f"{universe}/music"):
        status, _ = await world.call("GET", f"/universes/{path}?{link}")
        assert status in {400, 401}, path
    status, answer = await world.call("GET", f"/universes/{universe}/stream?link=nonsense")
    assert (status, answer["error"]["details"]["reason"]) == (401, "INVALID")


async def test_who_may_not_see_a_universe_is_given_no_link_and_loses_by_one(world: World) -> None:
    universe = await world.universe("owner", visibility="private")
    path = f"/universes/{universe}"
    assert (await world.call("GET", f"{path}/stream/link", "stranger"))[0] == 404
    assert (await world.call("GET", f"{path}/stream/link"))[0] == 401
    await world.call("PUT", f"{path}/members/reader", "owner", {"role": "view"})
    link = await address(world, universe, token("reader"))
    async with followed(world, link) as stream:
        await world.call("DELETE", f"{path}/members/reader", "owner")
        assert (await stream.ends())["code"] == "NOT_FOUND"
    async with aiohttp.ClientSession() as http, http.get(world.stack.urls[0] + link) as response:
        assert response.status == 404
