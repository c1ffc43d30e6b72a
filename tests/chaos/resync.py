"""A gateway with very many rooms loses its broker: what it, and others for it, ask for then."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from chaos.cluster import cluster_of
from chaos.crowd import Person, http_session, leave, together
from harmonic_local.stack import Stack
from harmonic_runtime.bus.wire import Message
from harmonic_state.stream_watch import INTERVAL_S
from harness.world import World

UNIVERSES, ROOMS_OF_A_PERSON = 2000, 100
SETTINGS: Mapping[str, str] = {"HARMONIC_ROOMS_PER_CONNECTION": str(ROOMS_OF_A_PERSON)}
DOWN_S = 1.0
#: Whatever is asked for after the return, is asked for in this time.
AFTERMATH_S = 6.0
#: For how long it is counted what replicas ask anyway, as they look at their streams in turn.
CALM_S = 30.0
_API = "$JS.API."


@dataclass(frozen=True)
class Resync:
    """What one broker's restart made others ask, besides what they ask anyway."""

    head_questions: int
    api_calls: Counter[str]


async def resyncs(stack: Stack) -> list[Resync]:
    """Restart each broker in turn: the gateway is connected to one of them."""
    async with http_session() as http, cluster_of(stack) as cluster:
        world = World(stack, http)
        calls: Counter[str] = Counter()

        def count(message: Message) -> None:
            calls[".".join(message.subject.removeprefix(_API).split(".")[:2])] += 1

        await cluster.bus.subscribe(f"{_API}>", count)
        names = await together(world.universe() for _ in range(UNIVERSES))
        # A universe is looked for before it is made: so what is asked is counted here.
        assert calls.total() >= UNIVERSES, calls
        people = await together(
            Person(f"user-{number}").enter(world, 0)
            for number in range(0, UNIVERSES, ROOMS_OF_A_PERSON)
        )
        await together(
            people[number // ROOMS_OF_A_PERSON].join(name) for number, name in enumerate(names)
        )
        await cluster.healthy()
        calls.clear()
        await asyncio.sleep(CALM_S)
        usual = {kind: count / CALM_S for kind, count in calls.items()}
        found, now = [], asyncio.get_running_loop().time
        for broker in stack.brokers:
            asked = await _questions(http, stack)
            calls.clear()
            began_s = now()
            await broker.stop()
            await asyncio.sleep(DOWN_S)
            await broker.start()
            await asyncio.sleep(AFTERMATH_S)
            # Each replica may have looked at its streams once more than on average.
            lasted_s = now() - began_s + INTERVAL_S
            besides = Counter(
                {kind: n - round(usual.get(kind, 0) * lasted_s) for kind, n in calls.items()}
            )
            found.append(Resync(await _questions(http, stack) - asked, +besides))
            await cluster.healthy()
        await leave(people)
    return found


async def _questions(http: aiohttp.ClientSession, stack: Stack) -> int:
    async with http.get(f"{stack.ops_urls['gateway-1']}/metrics") as response:
        lines = (await response.text()).splitlines()
    name = "harmonic_head_questions_total"
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(name))
