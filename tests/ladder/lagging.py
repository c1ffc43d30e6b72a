"""A client by polling that opens a session, joins the rooms, and then does not poll."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp

from ladder.stage import Stage

_USER = "the one who does not poll"


@asynccontextmanager
async def behind(stage: Stage) -> AsyncIterator[None]:
    """Have such a client, again and again, while the block runs."""
    task = asyncio.create_task(_again_and_again(stage))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _again_and_again(stage: Stage) -> None:
    while True:
        await _opens_and_waits(stage)


async def _opens_and_waits(stage: Stage) -> None:
    """Be connected and in the rooms, and ask for nothing, until the session is over."""
    http, base = stage.world.http, f"{stage.stack.urls[0]}/socket.io/?EIO=4&transport=polling"
    async with http.get(base) as response:
        opened = json.loads((await response.text())[1:])
    url = f"{base}&sid={opened['sid']}"
    token = json.dumps({"token": stage.world.token(_USER)})
    await _sends(http, url, f"40/ws,{token}")
    async with http.get(url) as response:
        await response.read()
    for universe in stage.traffic.universes:
        asked = json.dumps(["join_room", {"universeId": universe, "mode": "view"}])
        await _sends(http, url, f"42/ws,{asked}")
    await asyncio.sleep((opened["pingInterval"] + opened["pingTimeout"]) / 1000)


async def _sends(http: aiohttp.ClientSession, url: str, packet: str) -> None:
    async with http.post(url, data=packet) as response:
        await response.read()
