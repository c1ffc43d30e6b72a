"""What floods take of a core: of one connection, and of several of one user."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from fuzz.connecting import connect, connected, opened, read_until
from fuzz.expensive import request
from fuzz.floods import FLOODS, CallFlood, FrameFlood, PostFlood
from fuzz.meter import Meter
from fuzz.packets import frame
from fuzz.payloads import ROOM
from harness.world import World

#: A connection's, and a user's, share of a core; measured with what belongs to no message.
CONNECTION_SHARE, USER_SHARE = 0.05, 0.10
#: Shares are measured that exactly, beside other work on the machine.
MEASURED_WITHIN = 1.1
#: What garbage that was left before, and is collected meanwhile, may take.
TICK_S = 0.01
USERS_CONNECTIONS = 6
#: For how long a flood lasts before its share is taken, and while it is.
FLOOD_BEGINS_S, FLOOD_S = 5.0, 3.0
#: As clients do that were closed.
RECONNECTS_AFTER_S = 1.0
_JOIN = f'42/ws,["join_room",{{"universeId":"{ROOM}","mode":"edit"}}]'.encode()
_POLLING = "/socket.io/?EIO=4&transport=polling"


@dataclass(frozen=True)
class FloodShare:
    """The shares of a core that a flood took, over one connection and over all of a user."""

    name: str
    of_one: float
    of_user: float


async def flooded(
    world: World,
    meter: Meter,
    only: str = "",
    *,
    on_share: Callable[[FloodShare], None] = lambda _: None,
) -> tuple[list[FloodShare], list[str]]:
    """What connections that never stop take of a core, once they had their bursts, and faults."""
    await world.universe(id=ROOM, maxParticipants=1000)
    shares, faults = [], []
    for number, flood in enumerate(each for each in FLOODS if only in each.name):
        taken = []
        # Calls are charged to their user alone.
        of_one = USER_SHARE if isinstance(flood, CallFlood) else CONNECTION_SHARE
        for connections, most in ((1, of_one), (USERS_CONNECTIONS, USER_SHARE)):
            user = f"flooder-{number}-{connections}"
            tasks = [asyncio.create_task(_endless(world, user, flood)) for _ in range(connections)]
            await asyncio.sleep(FLOOD_BEGINS_S)
            began = meter.begin()
            await asyncio.sleep(FLOOD_S)
            taken.append(meter.share_since(began))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if taken[-1] - TICK_S / FLOOD_S > MEASURED_WITHIN * most:
                faults.append(f"{connections} connections with {flood.name} took {taken[-1]:.1%}")
        shares.append(FloodShare(flood.name, *taken))
        on_share(shares[-1])
    return shares, faults


async def _endless(world: World, user: str, flood: FrameFlood | CallFlood | PostFlood) -> None:
    while True:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            match flood:
                case FrameFlood():
                    await _write(world, user, flood)
                case CallFlood():
                    await _call(world, flood.request(world.token(user)))
                case PostFlood():
                    await _post(world, user, flood.body)
        await asyncio.sleep(RECONNECTS_AFTER_S)


async def _write(world: World, user: str, flood: FrameFlood) -> None:
    data = flood.data(world.token(user))
    async with connected(world, user) as (reader, writer):
        if flood.joins:
            writer.write(frame(_JOIN))
        reading = asyncio.create_task(read_until(reader, None))
        try:
            while not reading.done():
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(flood.pause_s)
        finally:
            reading.cancel()
            await asyncio.wait([reading])


async def _call(world: World, asked: bytes) -> None:
    async with opened(world) as (reader, writer):
        while True:
            writer.write(asked)
            if not await reader.read(65_536):
                return


async def _post(world: World, user: str, body: bytes) -> None:
    async with opened(world) as (reader, writer), opened(world) as (polls, polling):
        polling.write(request(_POLLING, keeps=True))
        said = await read_until(polls, b'"upgrades"')
        sid = said.split(b'"sid":"')[1].split(b'"')[0].decode()
        target = f"{_POLLING}&sid={sid}"
        for packet in (connect(world.token(user)), _JOIN):
            writer.write(request(target, body=packet, keeps=True))
            await read_until(reader, b"ok")
        poll = asyncio.create_task(_poll(polls, polling, request(target, keeps=True)))
        try:
            while not poll.done():
                writer.write(request(target, body=body, keeps=True))
                if b"200" not in await reader.read(65_536):
                    return
        finally:
            poll.cancel()
            await asyncio.wait([poll])


async def _poll(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytes) -> None:
    while True:
        writer.write(asked)
        if not await reader.read(65_536):
            return
