"""Gateways that die, stop or are replaced, and how long it takes clients to be back elsewhere."""

import asyncio
import signal
from collections.abc import Iterable, Sequence
from typing import Any

from harmonic_local.processes import Managed
from recovery.scene import Scene

#: Between two replicas of a rolling restart, as an orchestrator lets each become ready.
ROLLING_PAUSE_S = 3.0
#: So long both before and after a gateway goes, everybody is there.
CALM_S = 2.0
BACK_TIMEOUT_S = 60.0


async def gone(scene: Scene, gateway: Managed, number: signal.Signals) -> None:
    """End a gateway, wait until all are back elsewhere, and start it again."""
    await asyncio.sleep(CALM_S)
    gateway.send_signal(number)
    await gateway.ended()
    await asyncio.sleep(CALM_S)
    await scene.members.all_there(BACK_TIMEOUT_S, beyond={})
    await gateway.start()


async def rolled(processes: Sequence[Managed]) -> None:
    """Replace processes, one after the other."""
    for process in processes:
        await process.stop()
        await process.start()
        await asyncio.sleep(ROLLING_PAUSE_S)


def ways_back(everybody: Iterable[Iterable[Sequence[Any]]]) -> list[float]:
    """From each loss of a connection until the client was in its rooms again, in seconds."""
    found: list[float] = []
    for notes in everybody:
        lost_ms: float | None = None
        for at_ms, what, *_ in notes:
            if what == "disconnect" and lost_ms is None:
                lost_ms = at_ms
            elif what == "state_recovered" and lost_ms is not None:
                found.append((at_ms - lost_ms) / 1000)
                lost_ms = None
    return found
