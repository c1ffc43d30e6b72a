"""Rung 8: what was saved under load is there again on other brokers, with its members and numbers.

What was stored after a backup may have been seen and is lost. So a restored universe goes on with
numbers 1,000,000 later: its ``seq`` is the saved one plus that.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

from harness.operator import harmonic
from harness.world import World
from ladder.rungs import Findings
from operate.saved import SEQ_JUMP, Saved, listed, other_brokers, saved_under_load, settled

UNIVERSES = 30
BROKERS, STATES = 3, 2


def check() -> Findings:
    """Save a product under load, lose it, and restore it on other brokers."""
    folder = Path(tempfile.mkdtemp(prefix="ladder-backup-"))
    try:
        return asyncio.run(_check(folder))
    finally:
        shutil.rmtree(folder)


async def _check(folder: Path) -> Findings:
    found, backup = Findings(), folder / "backup"
    saved = await saved_under_load(
        folder / "first", backup, universes=UNIVERSES, brokers=BROKERS, states=STATES
    )
    await asyncio.to_thread(shutil.rmtree, folder / "first")
    async with (
        other_brokers(folder / "second", brokers=BROKERS) as stack,
        aiohttp.ClientSession() as http,
    ):
        ran = await harmonic(stack, "restore", str(backup), "--json")
        if ran.status:
            found.faults.append(f"restore: {ran.errors.strip()}")
            return found
        await asyncio.gather(*(process.start() for process in stack.services))
        await _compare(World(stack, http), saved, found)
    return found


async def _compare(world: World, saved: Saved, found: Findings) -> None:
    """Hold what is there against what clients were told before it was lost."""
    for universe, known in saved.described.items():
        status, restored = await world.call("GET", f"/universes/{universe}", "owner")
        if status != 200:
            found.faults.append(f"{universe} is lost: {status}")
            continue
        found.count("universes")
        found.count("members", len(restored["members"]))
        if settled(restored) != settled(known):
            found.faults.append(f"{universe} is {settled(restored)}, and was {settled(known)}")
        seq = restored["seq"] - SEQ_JUMP
        if universe == saved.private:
            granted: dict[Any, Any] = {known["seq"]: known["parameters"]}
            value, least = restored["parameters"], known["seq"]
        else:
            granted = dict(saved.granted[universe])
            value, least = restored["parameters"]["physics"]["gravity"], saved.before[universe]
            found.count("updates acknowledged", len(granted))
            found.count("of them after they were saved", sum(number > seq for number in granted))
        if not isinstance(least, int) or seq < least:
            found.faults.append(f"{universe} lost {least} to {seq}, granted before the backup")
        elif granted.get(seq) != value:
            found.faults.append(f"{universe} has {value} at {seq}, which nobody was told")
    if [settled(each) for each in await listed(world)] != list(map(settled, saved.listed)):
        found.faults.append("the listing is another one")
    found.count("of them while it was saved", saved.meanwhile)
    if not saved.meanwhile:
        found.faults.append("nothing was written while it was saved: it was under no load")
    if not found.looked_at.get("of them after they were saved"):
        found.faults.append("nothing was lost: all that was written was saved")
