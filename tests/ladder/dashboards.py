"""Rung 4: every panel of every dashboard shows something of a product that is used, and suffers.

Its queries are sent to a live Prometheus that scrapes two of each service, the probe and the
stand-in for the brokers' exporter. Panels of what goes wrong are filled by making it go wrong.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harmonic_local import dashboards
from harmonic_local.dashboards import Dashboard, Panel
from harmonic_state.stream_watch import INTERVAL_S
from harness.faults import down, frozen
from ladder import watching
from ladder.lagging import behind
from ladder.prometheus import SCRAPE_S
from ladder.rungs import Findings
from ladder.stage import Stage, staged

#: Before anything goes wrong, and after each thing.
CALM_S = 20.0
#: Shorter than what has clients connect again, and longer than requests are waited for.
FROZEN_S = 7.0
#: State services look at the queue of jobs now and then: what waits so long is seen, and scraped.
QUEUED_S = INTERVAL_S + 2 * SCRAPE_S
#: How many ask for music at once, how often, and for how long pieces.
CROWD, PIECES, PIECE_S = 32, 3, 300
#: What Grafana puts into the place of this variable: four scrapes.
_INTERVAL = ("$__rate_interval", f"{4 * SCRAPE_S}s")
#: What a bounded buffer of a client may hold here, so that one that does not read is soon closed.
SEND_BUFFER_BYTES = 16 * 1024
#: Records between two snapshots, so that some are stored.
SNAPSHOT_EVERY = 32


def check() -> Findings:
    """Check what the dashboards read, then ask a live Prometheus for all of it."""
    found = Findings()
    for dashboard in dashboards.ALL:
        for panel in dashboard.panels:
            found.count("panels")
            found.faults += [
                f"{dashboard.title}, {panel.title}: nothing gives {name}"
                for expression in panel.queries.values()
                for name in sorted(watching.unknown(expression))
            ]
    with tempfile.TemporaryDirectory(prefix="ladder-") as folder:
        asyncio.run(_asked(Path(folder), found))
    return found


async def _asked(folder: Path, found: Findings) -> None:
    async with staged(
        folder, send_buffer_bytes=SEND_BUFFER_BYTES, snapshot_every=SNAPSHOT_EVERY
    ) as stage:
        began_s = time.time()
        await _suffer(stage)
        ended_s = time.time()
        for dashboard in dashboards.ALL:
            for panel in dashboard.panels:
                await _shows(stage, dashboard, panel, (began_s, ended_s), found)
    found.count("updates acknowledged", stage.traffic.acknowledged)


async def _suffer(stage: Stage) -> None:
    """Have everything happen that a panel shows."""
    await asyncio.sleep(CALM_S)
    async with behind(stage):
        await _many_pieces(stage)
        await asyncio.sleep(CALM_S)
    with frozen(*stage.stack.brokers):
        await asyncio.sleep(FROZEN_S)
    await asyncio.sleep(CALM_S)
    # Its universes go over to the other one.
    async with down(stage.stack.states[0]):
        await asyncio.sleep(CALM_S)
    await asyncio.sleep(CALM_S)


async def _many_pieces(stage: Stage) -> None:
    """Have a crowd ask for more music than can be composed at once, first while nobody composes."""
    world, rooms = stage.world, stage.traffic.universes
    crowd = [await world.client(f"asks-{n}", http=world.http) for n in range(CROWD)]
    for number, member in enumerate(crowd):
        await member.joins(rooms[number % len(rooms)])

    async def ask() -> None:
        asked = (
            member.asks("generate_music", universeId=rooms[number % len(rooms)], duration=PIECE_S)
            for number, member in enumerate(crowd)
        )
        await asyncio.gather(*asked)

    with frozen(*stage.stack.musics):
        await ask()
        await asyncio.sleep(QUEUED_S)
    await asyncio.gather(*(member.hears("music_generated") for member in crowd))
    for _ in range(PIECES - 1):
        await ask()
        # A user may ask for one piece at a time.
        await asyncio.gather(*(member.hears("music_generated") for member in crowd))
    for member in crowd:
        await member.close()


async def _shows(
    stage: Stage, dashboard: Dashboard, panel: Panel, within: tuple[float, float], found: Findings
) -> None:
    """Each query of a panel is answered, and one of them at least is above 0 at some time."""
    began_s, ended_s = within
    highest: list[float] = []
    for legend, expression in panel.queries.items():
        values: Sequence[float] = ()
        with suppress(ValueError):
            values = await stage.watcher.ask(
                expression.replace(*_INTERVAL), began_s=began_s, ended_s=ended_s
            )
        found.count("queries")
        numbers = [abs(value) for value in values if value == value]  # noqa: PLR0124 -- not NaN
        if not values:
            found.faults.append(f"{dashboard.title}, {panel.title}: no answer to {legend}")
        highest += numbers
    if not any(highest):
        found.faults.append(f"{dashboard.title}, {panel.title}: never above 0")
