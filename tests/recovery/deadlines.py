"""Commands that wait while their universe's owner is silent: none is carried out late."""

import asyncio
from contextlib import nullcontext
from typing import Any

from harness.faults import frozen
from recovery.tries import DEADLINE_S, Try

COMMANDS = 10
#: Longer than the first two of the commands take together, if each waits for the one before it.
SILENCE_S = 2.5 * DEADLINE_S


async def stale_commands(attempt: Try) -> str | None:
    """Several commands reach a gateway while nobody answers: all are refused before somebody does.

    The owners are stopped before the commands are sent, and go on after all deadlines. So none may
    be carried out.
    """
    client, universe, other = await attempt.enters()
    await other.hears("participant_joined")
    since = len(other.heard)

    async def asks(number: int) -> dict[str, Any]:
        changed = {"universeId": universe, "parameters": {"gravity": number}}
        return await client.asks("update_physics", changed)

    is_first = await attempt.barrier.wait() == 0
    with frozen(*attempt.world.stack.states) if is_first else nullcontext():
        await attempt.barrier.wait()
        asked = [asyncio.create_task(asks(number)) for number in range(COMMANDS)]
        await asyncio.sleep(SILENCE_S)
        in_time = [task.done() for task in asked]
    acks = await asyncio.gather(*asked)
    after = await other.asks("update_physics", universeId=universe, parameters={"gravity": 20})
    await other.hears("physics_updated", universeId=universe, seq=after["seq"])
    late = [data for name, data in other.heard[since:] if name == "physics_updated"][:-1]
    if late or any(ack["ok"] for ack in acks):
        return "carried out late"
    return None if all(in_time) else "refused late"
