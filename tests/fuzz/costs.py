"""What hostile inputs cost the gateway: CPU seconds of its process, an input at a time."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from fuzz.connecting import connected, read_until
from fuzz.expensive import EVENTS, FRAMES, PLAIN, REQUESTS, TOKEN, ZIPPED
from fuzz.flooding import FloodShare, flooded
from fuzz.meter import Meter
from fuzz.packets import frame
from harness.world import World

#: What a message may cost to read, validate and refuse.
MAX_MESSAGE_S = 0.002
#: A compressed body may cost so many times what the same bytes cost.
MAX_COMPRESSED_RATIO = 1.1
#: What garbage that was left before, and is collected meanwhile, may take.
TICK_S = 0.01
#: Inputs of a kind, and those of them on one connection: fewer than it would be slowed down for.
INPUTS, INPUTS_PER_CONNECTION = 120, 40
_LAST = b'42/ws,1["time_sync",{"t0":1}]'
_PATIENCE_S = 60.0


@dataclass
class Costs:
    """CPU seconds for one input of each kind, and the shares of a core that floods took."""

    inputs_s: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    floods: list[FloodShare] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def costs(world: World) -> Costs:
    """Measure all kinds on a product of which the gateway does nothing else."""
    meter, found = Meter(world), Costs()
    await meter.rest()
    for name, data in {**EVENTS, **FRAMES}.items():
        spent_s = await meter.of(_repeat(world, data))
        each_s = found.inputs_s[name] = spent_s / INPUTS
        if (spent_s - TICK_S) / INPUTS > MAX_MESSAGE_S * (200 if name in FRAMES else 1):
            found.faults.append(f"{name} cost {each_s * 1000:.2f} ms each")
    for name, data in REQUESTS.items():
        spent_s = await meter.of(_ask(world, data, INPUTS))
        each_s = found.inputs_s[name] = spent_s / INPUTS
        if (spent_s - TICK_S) / INPUTS > MAX_MESSAGE_S:
            found.faults.append(f"{name} cost {each_s * 1000:.2f} ms each")
    await _compare(world, meter, found)
    found.floods, faults = await flooded(world, meter)
    found.faults += faults
    return found


async def _compare(world: World, meter: Meter, found: Costs) -> None:
    """Compressed bodies beside the same bytes, in turn."""
    zipped_s = plain_s = 0.0
    for _ in range(6):
        zipped_s += await meter.of(_ask(world, ZIPPED, INPUTS // 2))
        plain_s += await meter.of(_ask(world, PLAIN, INPUTS // 2))
    found.shares["a compressed body, in the same bytes' cost"] = zipped_s / plain_s
    if zipped_s > MAX_COMPRESSED_RATIO * plain_s + TICK_S:
        found.faults.append(f"compressed bodies cost {zipped_s / plain_s:.2f} times the same bytes")


async def _repeat(world: World, data: bytes) -> None:
    for number in range(INPUTS // INPUTS_PER_CONNECTION):
        async with connected(world, f"expensive-{number}") as (reader, writer):
            for _ in range(INPUTS_PER_CONNECTION):
                writer.write(data)
                await writer.drain()
            writer.write(frame(_LAST))
            # What never ends a message ends its connection, or has it closed.
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                async with asyncio.timeout(_PATIENCE_S):
                    await read_until(reader, b"43/ws,1")


async def _ask(world: World, data: bytes, times: int) -> None:
    data = data.replace(TOKEN.encode(), world.token("expensive").encode())
    for _ in range(times):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.stack.gateway_ports[0])
        with suppress(ConnectionError):
            writer.write(data)
            await reader.read(100)
        writer.close()
