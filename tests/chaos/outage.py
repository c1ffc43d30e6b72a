"""The only broker is away for a while: what is lost, who leaves, and when all goes on."""

from dataclasses import dataclass

from chaos.campaign import OUTAGE_S, Campaign, run
from harmonic_local.stack import Stack

#: Before the outage, and after it.
AROUND_S = 8.0


@dataclass(frozen=True)
class Outage:
    """What came of it.

    ``again_after_s`` is from the broker's return to the next acknowledgement.
    """

    violations: list[str]
    again_after_s: float
    departures: int
    restarts: int
    acknowledged: int


async def outage(stack: Stack, seed: int) -> Outage:
    """Restart the broker in the midst of everything."""
    before = {process.name: process.pid for process in stack.services}
    campaign = Campaign(
        seed=seed, duration_s=OUTAGE_S + AROUND_S, victims=("outage",), writers=8, universes=20
    )
    verdict = await run(campaign, stack)
    ((_, back_at),) = verdict.killed
    acknowledged = [
        attempt.answered_at
        for operation in verdict.history.operations
        for attempt in operation.acknowledged
    ]
    departures = [
        data
        for records in verdict.history.logs.values()
        for record in records
        for name, data in record.events
        if name == "participant_left"
    ]
    alive = {process.name: process.pid for process in stack.services if process.runs}
    return Outage(
        verdict.violations,
        min(at - back_at for at in acknowledged if at > back_at),
        len(departures),
        sum(alive.get(name) != pid for name, pid in before.items()),
        verdict.counts["acknowledged"],
    )
