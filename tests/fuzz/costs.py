"""What hostile inputs cost the gateway: CPU seconds of its process, an input at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from fuzz.expensive import EVENTS, FLOODS, LIVE, PLAIN, REQUESTS, TOKEN, ZIPPED
from fuzz.packets import frame
from fuzz.payloads import ROOM
from harness.world import World
from load.servers import cpu_clock_s

#: What a message may cost to read, validate and refuse.
MAX_MESSAGE_S = 0.002
#: A compressed body may cost so many times what the same bytes cost.
MAX_COMPRESSED_RATIO = 1.1
#: A connection's, and a user's, share of a core; measured with what belongs to no message.
CONNECTION_SHARE, USER_SHARE = 0.05, 0.10
#: Shares are measured that exactly, beside other work on the machine.
MEASURED_WITHIN = 1.1
#: What garbage that was left before, and is collected meanwhile, may take.
TICK_S = 0.01
#: Inputs of a kind, and those of them on one connection: fewer than it would be slowed down for.
INPUTS, INPUTS_PER_CONNECTION = 120, 40
#: For how long a flood lasts before its share is taken, and while it is.
FLOOD_BEGINS_S, FLOOD_S = 6.0, 8.0
USERS_CONNECTIONS = 6
#: For how long it is measured what the gateway takes while nobody asks for anything.
REST_S = 8.0
_UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nUser-Agent: Mozilla/5.0\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_LAST = b'42/ws,1["time_sync",{"t0":1}]'
_JOIN = frame(f'42/ws,["join_room",{{"universeId":"{ROOM}","mode":"edit"}}]'.encode())
_PATIENCE_S = 60.0
#: The events of which there are floods of their own.
FLOODED = ("4,096 right numbers", "60 KiB of unknown fields", "an unknown event")


@dataclass
class Costs:
    """CPU seconds for one input of each kind, and the shares of a core that floods took."""

    inputs_s: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Meter:
    """The CPU time of a gateway, without what it takes anyway."""

    def __init__(self, world: World) -> None:
        gateway = next(each for each in world.stack.processes if each.name == "gateway-1")
        self._pid = gateway.pid
        self.idle_share = 0.0

    def cpu_s(self) -> float:
        """CPU seconds so far, to the nanosecond."""
        return cpu_clock_s(self._pid)

    def begin(self) -> tuple[float, float]:
        """CPU seconds so far, and when that was."""
        return self.cpu_s(), time.monotonic()

    def rests(self, began: tuple[float, float]) -> None:
        """What the gateway took since then is what it takes anyway."""
        cpu_s, at_s = began
        self.idle_share = (self.cpu_s() - cpu_s) / (time.monotonic() - at_s)

    def since(self, began: tuple[float, float]) -> float:
        """CPU seconds since then, besides."""
        cpu_s, at_s = began
        return self.cpu_s() - cpu_s - self.idle_share * (time.monotonic() - at_s)

    async def of(self, work: Coroutine[Any, Any, None]) -> float:
        """CPU seconds that work takes besides."""
        began = self.begin()
        await work
        return self.since(began)


async def costs(world: World) -> Costs:
    """Measure all kinds on a product of which the gateway does nothing else."""
    meter, found = Meter(world), Costs()
    began = meter.begin()
    await asyncio.sleep(REST_S)
    meter.rests(began)
    for name, data in {**EVENTS, **FLOODS}.items():
        spent_s = await meter.of(_repeat(world, data))
        each_s = found.inputs_s[name] = spent_s / INPUTS
        if (spent_s - TICK_S) / INPUTS > MAX_MESSAGE_S * (200 if name in FLOODS else 1):
            found.faults.append(f"{name} cost {each_s * 1000:.2f} ms each")
    for name, data in REQUESTS.items():
        spent_s = await meter.of(_ask(world, data, INPUTS))
        each_s = found.inputs_s[name] = spent_s / INPUTS
        if (spent_s - TICK_S) / INPUTS > MAX_MESSAGE_S:
            found.faults.append(f"{name} cost {each_s * 1000:.2f} ms each")
    await _compare(world, meter, found)
    await _flood(world, meter, found)
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


async def _flood(world: World, meter: Meter, found: Costs) -> None:
    """What connections that never stop take of a core, once they had their bursts."""
    await world.universe(id=ROOM, maxParticipants=1000)
    chosen = {name: EVENTS[name] for name in FLOODED}
    for number, (name, data) in enumerate({**chosen, **LIVE}.items()):
        for connections, most in ((1, CONNECTION_SHARE), (USERS_CONNECTIONS, USER_SHARE)):
            user = f"flooder-{number}-{connections}"
            opens = _JOIN if name in LIVE else b""
            tasks = [
                asyncio.create_task(_endless(world, user, data, opens)) for _ in range(connections)
            ]
            await asyncio.sleep(FLOOD_BEGINS_S)
            spent_s = await meter.of(asyncio.sleep(FLOOD_S))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            share = spent_s / FLOOD_S
            found.shares[f"{name} without end, over {connections} connections"] = share
            if spent_s - TICK_S > MEASURED_WITHIN * most * FLOOD_S:
                found.faults.append(f"{connections} connections with {name} took {share:.1%}")


async def _repeat(world: World, data: bytes) -> None:
    for number in range(INPUTS // INPUTS_PER_CONNECTION):
        async with _connected(world, f"expensive-{number}") as (reader, writer):
            for _ in range(INPUTS_PER_CONNECTION):
                writer.write(data)
                await writer.drain()
            writer.write(frame(_LAST))
            # What never ends a message ends its connection, or has it closed.
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                async with asyncio.timeout(_PATIENCE_S):
                    await _read_until(reader, b"43/ws,1")


async def _endless(world: World, user: str, data: bytes, opens: bytes) -> None:
    while True:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            async with _connected(world, user) as (reader, writer):
                writer.write(opens)
                reading = asyncio.create_task(_read_until(reader, None))
                try:
                    while not reading.done():
                        writer.write(data)
                        await writer.drain()
                        await asyncio.sleep(0)
                finally:
                    reading.cancel()
                    await asyncio.wait([reading])
        # As clients do that were closed.
        await asyncio.sleep(1)


async def _ask(world: World, data: bytes, times: int) -> None:
    data = data.replace(TOKEN.encode(), world.token("expensive").encode())
    for _ in range(times):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.stack.gateway_ports[0])
        with suppress(ConnectionError):
            writer.write(data)
            await reader.read(100)
        writer.close()


@asynccontextmanager
async def _connected(
    world: World, user: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.stack.gateway_ports[0])
    try:
        writer.write(_UPGRADE)
        await _read_until(reader, b'"sid"')
        writer.write(frame(f'40/ws,{{"recovery":0,"token":"{world.token(user)}"}}'.encode()))
        await _read_until(reader, b"connect_success")
        yield reader, writer
    finally:
        writer.transport.abort()


async def _read_until(reader: asyncio.StreamReader, sign: bytes | None) -> None:
    tail = b""
    while sign is None or sign not in tail:
        data = await reader.read(65_536)
        if not data:
            raise asyncio.IncompleteReadError(tail, None)
        tail = tail[-100:] + data
