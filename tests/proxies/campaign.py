"""``python -m proxies.campaign``: plain round robin behind haproxy and nginx, at length.

The guide's snippet, so many times with each client; and clients that only poll, for minutes.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import structlog
import uvloop

from chaos.promises import say
from harmonic_local.stack import Stack
from harness.javascript import VERSIONS, Bridge, javascript
from harness.world import World, started
from proxies.clients import javascript_connects, python_connects
from proxies.proxies import HAPROXY, NGINX, Proxy, in_front_of
from recovery.checker import check, read_notes
from recovery.members import Member, Members
from recovery.scene import POLLING, read_logs

GATEWAYS = 3
AT_ONCE = 10
#: Clients that only poll, of each version; one update a second is sent to them.
POLLERS, UPDATE_PAUSE_S = 4, 1.0
CALM_TIMEOUT_S = 60.0


async def snippets(world: World, bridge: Bridge, url: str, times: int) -> dict[str, int]:
    """How often each client connected and went over, of so many times."""
    turns, token = asyncio.Semaphore(AT_ONCE), world.token("ann")

    async def of_javascript(version: str, number: int) -> bool:
        async with turns:
            client = bridge.client(f"{url}-{version}-{number}", version)
            return await javascript_connects(client, url, token)

    async def of_python() -> bool:
        async with turns:
            return await python_connects(url, token)

    found = {
        version: sum(
            await asyncio.gather(*(of_javascript(version, number) for number in range(times)))
        )
        for version in VERSIONS
    }
    return {**found, "python": sum(await asyncio.gather(*(of_python() for _ in range(times))))}


async def stays(stack: Stack, bridge: Bridge, url: str, minutes: float) -> str:
    """Clients that only poll: what they noted in so many minutes, in words."""
    async with aiohttp.ClientSession() as http:
        world = World(stack, http)
        universe = await world.universe(maxParticipants=100)
        crowds = [Members(bridge, url, version) for version in VERSIONS]
        for crowd in crowds:
            for _ in range(POLLERS):
                user = world.name("poller")
                await crowd.open(Member(user, world.token(user), [universe], POLLING))
        writer = await world.client("owner")
        await writer.joins(universe)
        loop = asyncio.get_running_loop()
        until_s, number = loop.time() + 60 * minutes, 0
        while loop.time() < until_s:
            number += 1
            parameters = {"gravity": number % 20}
            await writer.asks("update_physics", universeId=universe, parameters=parameters)
            writer.heard.clear()
            await asyncio.sleep(UPDATE_PAUSE_S)
        logs = await read_logs(stack, [universe])
        words = []
        for crowd in crowds:
            await crowd.wait_for({universe: logs[universe][-1].seq}, CALM_TIMEOUT_S)
            stays_seen, ends = [], 0
            for member in crowd.members:
                notes = await crowd.notes(member)
                ends += sum(what == "disconnect" for _, what, *_ in notes)
                stays_seen += read_notes(member.name, notes).stays
            verdict = check(logs, stays_seen)
            words.append(f"{ends} disconnects, {dict(verdict.counts)}")
        await crowds[0].close()
        await world.close()
    return "; ".join(words)


async def behind(stack: Stack, proxy: Proxy, folder: Path, times: int, minutes: float) -> None:
    """All of it behind one proxy."""
    async with (
        in_front_of(stack, proxy, folder, plain=True) as port,
        javascript() as bridge,
        aiohttp.ClientSession() as http,
    ):
        url = f"http://127.0.0.1:{port}"
        if times:
            found = await snippets(World(stack, http), bridge, url, times)
            say(f"{proxy.name}: connected and went over {found} of {times} each")
        if minutes:
            seen = await stays(stack, bridge, url, minutes)
            say(f"{proxy.name}: polled for {minutes:g} min: {seen}")


async def campaign(folder: Path, times: int, minutes: float) -> None:
    """Both proxies at the same time."""
    settings: dict[str, Any] = {"HARMONIC_TRUSTED_PROXIES": "127.0.0.0/8"}
    async with (
        started(folder, gateways=GATEWAYS, musics=0, **settings) as stack,
        asyncio.TaskGroup() as group,
    ):
        for proxy in (HAPROXY, NGINX):
            own = folder / proxy.name
            own.mkdir()
            group.create_task(behind(stack, proxy, own, times, minutes))


def main() -> int:
    """The exit status: 0 once all is said."""
    parser = argparse.ArgumentParser(prog="proxies.campaign", description=__doc__)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10.0)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = Path(tempfile.mkdtemp(prefix="behind-proxies-"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(campaign(folder, chosen.times, chosen.minutes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
