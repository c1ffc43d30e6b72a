"""An owner goes, by a crash or in order: how soon its universes take commands again."""

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.crowd import Person, http_session, leave, together
from chaos.owners import owner_of
from harmonic_local.processes import Managed
from harmonic_local.stack import Stack
from harness.world import World

UNIVERSES = 75
#: Each universe gets a command so often: far below what the machine can do.
PAUSE_S = 0.1
RETRY_PAUSE_S = 0.02
WARM_UP_S = 2.0
#: How long it is looked at after the owner is gone.
LOOKING_S = 4.0


@dataclass(frozen=True)
class Call:
    """One sending of a command."""

    universe: str
    sent_at: float
    answered_at: float
    accepted: bool


@dataclass
class Failover:
    """What the universes of the owner that went saw from then on."""

    universes: int
    again_after_s: list[float] = field(default_factory=list)
    """until the first command was accepted, for each universe"""
    latencies_s: list[float] = field(default_factory=list)
    failures: int = 0


async def failover(stack: Stack, number: signal.Signals) -> Failover:
    """End the owner of most universes by a signal, and start it again afterwards."""
    now = asyncio.get_running_loop().time
    calls: list[Call] = []
    over = asyncio.Event()
    async with http_session() as http:
        world = World(stack, http)
        names = await together(world.universe() for _ in range(UNIVERSES))
        people = await together(
            Person(f"user-{n}").enter(world, n % len(stack.gateways)) for n in range(UNIVERSES)
        )
        await together(person.join(name) for person, name in zip(people, names, strict=True))
        async with asyncio.TaskGroup() as group:
            for person, name in zip(people, names, strict=True):
                group.create_task(_write(person, name, calls, over))
            await asyncio.sleep(WARM_UP_S)
            owner, owned = _busiest(stack, names)
            gone_at = now()
            owner.send_signal(number)
            await asyncio.sleep(LOOKING_S)
            over.set()
        await leave(people)
    await owner.ended()
    await owner.start()
    found = Failover(len(owned))
    for name in owned:
        after = [call for call in calls if call.universe == name and call.answered_at > gone_at]
        accepted = [call.answered_at - gone_at for call in after if call.accepted]
        found.again_after_s.append(min(accepted, default=float("inf")))
        found.latencies_s += [call.answered_at - call.sent_at for call in after]
        found.failures += sum(not call.accepted for call in after)
    return found


async def _write(person: Person, name: str, calls: list[Call], over: asyncio.Event) -> None:
    now = asyncio.get_running_loop().time
    for number in itertools.count():
        update = {
            "universeId": name,
            "opId": f"op-{number}",
            "parameters": {"gravity": number % 20},
        }
        accepted = False
        while not accepted and not over.is_set():
            sent_at = now()
            answer = await person.client.ask("update_physics", **update)
            accepted = answer is not None and bool(answer["ok"])
            calls.append(Call(name, sent_at, now(), accepted))
            await asyncio.sleep(PAUSE_S if accepted else RETRY_PAUSE_S)
        if over.is_set():
            return


def _busiest(stack: Stack, names: Sequence[str]) -> tuple[Managed, list[str]]:
    owners = {name: owner_of(stack, name) for name in names}
    busiest = Counter(owner.name for owner in owners.values()).most_common(1)[0][0]
    owned = [name for name, owner in owners.items() if owner.name == busiest]
    return owners[owned[0]], owned
