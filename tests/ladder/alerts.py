"""Rung 3: each alert is tested and explained, and tells of a fault that is made, and little else.

The live part divides every duration of the rules by 20: what is to be told of within an hour is
told of within minutes. A stand-in for the brokers' exporter is ``ladder.exporter``.
"""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ladder import prometheus, watching
from ladder.faults import FAULTS, Fault
from ladder.programs import Program
from ladder.rungs import Findings
from ladder.stage import Stage, staged

#: What the rung runs.
PROGRAMS = (*prometheus.PROGRAMS, Program("faketime", "faketime"))
#: How long nothing may fire while all is well.
HEALTHY_S = 600.0
#: By when an alert must fire after its fault was made, and be over after it was mended.
FIRES_S, CLEARS_S = 180.0, 180.0
#: How long others are still looked for once it has fired.
OTHERS_S = 15.0
MOST_OTHERS = 2
#: What is recorded over minutes must hold some values before it says anything.
SETTLED_S = 30.0
POLL_S = 1.0


def check() -> Findings:
    """Check the files, then make every fault on a running product."""
    found = Findings()
    check_files(found)
    with tempfile.TemporaryDirectory(prefix="ladder-") as folder:
        asyncio.run(_watched(Path(folder), found))
    return found


def check_files(found: Findings) -> None:
    """What promtool and amtool say, and what each alert must have."""
    for command in watching.CHECKS:
        said = subprocess.run(command, check=False, capture_output=True, text=True)
        if said.returncode:
            found.faults += (said.stdout + said.stderr).splitlines()
    for rule in watching.alerts():
        found.count("alerts")
        found.faults += watching.faults_of(rule)


async def _watched(folder: Path, found: Findings) -> None:
    async with staged(folder) as stage:
        await asyncio.sleep(SETTLED_S)
        await _healthy(stage, found)
        for fault in FAULTS:
            await _told(stage, fault, found)
    found.count("updates acknowledged", stage.traffic.acknowledged)
    found.count("clients that came back", stage.traffic.returns)


async def _healthy(stage: Stage, found: Findings) -> None:
    """Nothing fires while nothing is wrong."""
    fired = await _seen(stage, HEALTHY_S, lambda _: False)
    found.count("minutes of health", int(HEALTHY_S / 60))
    found.faults += [f"{name} fired although nothing was wrong" for name in sorted(fired)]


async def _told(stage: Stage, fault: Fault, found: Findings) -> None:
    """A fault's alert fires in time, with few others, and is over once the fault is mended."""
    began_s = time.monotonic()
    async with fault.made(stage):
        fired = await _seen(stage, FIRES_S, lambda names: fault.alert in names)
        took_s = time.monotonic() - began_s
        if fault.alert in fired:
            fired |= await _seen(stage, OTHERS_S, lambda _: False)
    others = sorted(fired - {fault.alert})
    found.count("faults")
    found.notes.append(f"{fault.what}: {fault.alert} after {took_s:.0f} s, others: {others or 0}")
    if fault.alert not in fired:
        found.faults.append(f"{fault.what}: {fault.alert} did not fire in {FIRES_S:.0f} s")
    if len(others) > MOST_OTHERS:
        found.faults.append(f"{fault.what}: {', '.join(others)} fired, too")
    left = await _until_silent(stage)
    if left:
        found.faults.append(f"{fault.what}: {', '.join(left)} still fired after it was mended")


async def _seen(stage: Stage, for_s: float, enough: Callable[[set[str]], bool]) -> set[str]:
    """All alerts that fire in a time, or until they are enough."""
    seen: set[str] = set()
    ends_s = time.monotonic() + for_s
    while time.monotonic() < ends_s and not enough(seen):
        seen |= await stage.watcher.firing()
        await asyncio.sleep(POLL_S)
    return seen


async def _until_silent(stage: Stage) -> list[str]:
    """Wait until nothing fires; what still does when that takes too long."""
    ends_s = time.monotonic() + CLEARS_S
    while True:
        left = sorted(await stage.watcher.firing())
        if not left or time.monotonic() > ends_s:
            return left
        await asyncio.sleep(POLL_S)
