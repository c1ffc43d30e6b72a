"""``python -m ladder.crowded PORT CLIENTS``: so many clients, who all hear one another's updates.

Exit status 0 if none was refused, dropped, or left without an update.
"""

import asyncio
import resource
import sys

import aiohttp

from harmonic_local.tokens import make_token
from harmonic_protocol.messages.declaration import API_PREFIX
from harness.world import SECRET
from load.crowd import gathered

ROOM = 50
TIMES = 3


async def universes(port: int, count: int) -> list[str]:
    """So many new universes that anyone may edit."""
    made = []
    headers = {"Authorization": f"Bearer {make_token(SECRET, 'owner')}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for number in range(count):
            body = {"name": f"Crowded {number}", "visibility": "public", "publicMode": "edit"}
            url = f"http://127.0.0.1:{port}{API_PREFIX}/universes"
            async with http.post(url, json={**body, "maxParticipants": ROOM}) as answer:
                made.append((await answer.json())["id"])
    return made


async def crowd(port: int, clients: int) -> None:
    """Let them all in, have each room updated, and let them go."""
    rooms = await universes(port, clients // ROOM)
    async with gathered(port, rooms, ROOM) as come:
        await come.update(TIMES)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(crowd(int(sys.argv[1]), int(sys.argv[2])))
