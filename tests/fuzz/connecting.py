"""Connections to a gateway that are written to without asking whether it still reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fuzz.packets import frame
from harness.world import World

_UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nUser-Agent: Mozilla/5.0\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP connection, reset in the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.stack.gateway_ports[0])
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@asynccontextmanager
async def connected(
    world: World, user: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A WebSocket of a user's client that was let in."""
    async with opened(world) as (reader, writer):
        writer.write(_UPGRADE)
        await read_until(reader, b'"sid"')
        writer.write(frame(connect(world.token(user))))
        await read_until(reader, b"connect_success")
        yield reader, writer


def connect(token: str) -> bytes:
    """The packet by which a client asks to be let in."""
    return f'40/ws,{{"recovery":0,"token":"{token}"}}'.encode()


async def read_until(reader: asyncio.StreamReader, sign: bytes | None) -> bytes:
    """Read on until a sign; return the end of what was read. Without a sign, read for ever.

    Raise ``IncompleteReadError`` if the connection ends before.
    """
    tail = b""
    while sign is None or sign not in tail:
        data = await reader.read(65_536)
        if not data:
            raise asyncio.IncompleteReadError(tail, None)
        tail = tail[-300:] + data
    return tail
