"""``python -m load.compression``: what compressing large messages costs, and what it saves."""

import argparse
import asyncio
import resource
import sys
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median

import psutil
import uvloop

from harmonic_local.processes import Managed, free_port
from load.large import PING_INTERVAL_S, READY, TIMES, piece
from load.servers import process_cpu_s

MEMBERS = 50
ROUNDS = 5
CONNECTIONS = 1000
IDLE_ROUNDS = 3
#: Longer than a heartbeat: all that a connection does while idle has been done once.
SETTLE_S = PING_INTERVAL_S + 1
#: A part of the bytes, of the CPU of compressing for each, and more memory at rest.
BYTES_TARGET, CPU_TARGET, IDLE_TARGET_KIB = 1 / 3, 1.0, 5.0
SIZES = (512, 1024, 2048, 4096, 8192, 16384, 65536)
TIMEOUT_S = 60.0
KIB = 1024

_OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
_REQUEST = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
    "User-Agent: Mozilla/5.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{}"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_DONE = b'42["done",1]'


class Client:
    """A WebSocket by hand. One that ``compresses`` does so with all it says, as browsers do."""

    def __init__(self, *, compresses: bool) -> None:
        self._compresses = compresses
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def join(self, port: int) -> None:
        """Come in."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        request = _REQUEST.format(_OFFER if self._compresses else "")
        self._writer.write(request.encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert (b"permessage-deflate" in head) is self._compresses
        self.say("40")
        await self._until(b"connect_success")

    def say(self, text: str) -> None:
        """Send a short packet."""
        payload = text.encode()
        opcode = 0x81
        if self._compresses:
            deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            payload = deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH)
            payload, opcode = payload[:-4], 0xC1
        self._writer.write(bytes((opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    async def take_pieces(self) -> int:
        """Read up to the end of what is sent; how many bytes that was."""
        return await self._until(_DONE)

    async def beat(self) -> None:
        """Answer pings for ever."""
        while await self._reader.read(KIB):
            self.say("3")

    def leave(self) -> None:
        """Go at once."""
        self._writer.transport.abort()

    async def _until(self, end: bytes) -> int:
        size = 0
        last = b""
        async with asyncio.timeout(TIMEOUT_S):
            while end not in last:
                data = await self._reader.read(256 * KIB)
                size += len(data)
                last = (last + data)[-256:]
        return size


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Managed, int]]:
    """A fresh server process and its port."""
    port = free_port()
    process = Managed(
        name="large",
        command=[sys.executable, "-m", "load.large", "--port", str(port)],
        environment={},
        output=lambda _, line: None if line == READY else say(line),
        sign=lambda line: line == READY,
    )
    try:
        await process.start()
        yield process, port
    finally:
        process.kill()
        await process.stop()


@asynccontextmanager
async def joined(port: int, count: int, *, compresses: bool) -> AsyncIterator[list[Client]]:
    """So many clients."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            client = Client(compresses=compresses)
            await client.join(port)
            stack.callback(client.leave)
            clients.append(client)
        yield clients


async def send(how: str, *, compresses: bool) -> tuple[float, float]:
    """The CPU milliseconds and the bytes that one piece takes for each of its rooms' members."""
    async with (
        served() as (process, port),
        joined(port, MEMBERS, compresses=compresses) as clients,
    ):
        before_s = process_cpu_s(process)
        clients[0].say(f'42["{how}"]')
        sizes = await asyncio.gather(*[client.take_pieces() for client in clients])
        used_s = process_cpu_s(process) - before_s
    return 1000 * used_s / TIMES, sum(sizes) / TIMES


async def idle_kib(*, compresses: bool) -> float:
    """What an idle connection has in memory."""
    async with served() as (process, port):
        async with joined(port, 1, compresses=compresses):
            pass
        watched = psutil.Process(process.pid)
        before: int = watched.memory_full_info().uss
        async with (
            joined(port, CONNECTIONS, compresses=compresses) as clients,
            asyncio.TaskGroup() as beating,
        ):
            tasks = [beating.create_task(client.beat()) for client in clients]
            await asyncio.sleep(SETTLE_S)
            after: int = watched.memory_full_info().uss
            for task in tasks:
                task.cancel()
    return (after - before) / CONNECTIONS / KIB


def compressing(data: bytes) -> tuple[float, float]:
    """The microseconds that deflating takes, and what is left of the bytes."""
    times = max(20, 2_000_000 // len(data))
    began_s = time.process_time()
    for _ in range(times):
        deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
        result = deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH)
    return 1e6 * (time.process_time() - began_s) / times, len(result) / len(data)


async def measure() -> bool:
    """All of it; whether all targets were met."""
    whole = piece()
    say("Deflating the beginning of a piece, µs and what is left of the bytes:")
    for size in (*SIZES, len(whole)):
        took_us, left = compressing(whole[:size])
        say(f"  {size:>7,} bytes: {took_us:6.0f} µs, {left:.2f}")
    say(f"A piece of {len(whole):,} bytes to {MEMBERS} members, CPU ms and KiB, by round:")
    seen: dict[str, list[tuple[float, float]]] = {"plain": [], "once": [], "each": []}
    for _ in range(ROUNDS):
        seen["plain"].append(await send("send_once", compresses=False))
        seen["once"].append(await send("send_once", compresses=True))
        seen["each"].append(await send("send_each", compresses=True))
    for name, rounds in seen.items():
        say(f"  {name:5}: " + ", ".join(f"{ms:.1f} ms {b / KIB:,.0f} KiB" for ms, b in rounds))
    rests: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(IDLE_ROUNDS):
        for compresses, values in rests.items():
            values.append(await idle_kib(compresses=compresses))
    say(f"An idle connection, KiB: without {rests[False]}, with compression {rests[True]}")
    of_bytes = median(
        once[1] / all_[1] for once, all_ in zip(seen["once"], seen["plain"], strict=True)
    )
    of_cpu = median(
        once[0] / each[0] for once, each in zip(seen["once"], seen["each"], strict=True)
    )
    more_kib = median(rests[True]) - median(rests[False])
    return all(
        [
            _judge("of the bytes without compression", of_bytes, BYTES_TARGET),
            _judge("of the CPU of compressing for each", of_cpu, CPU_TARGET),
            _judge("KiB more for an idle connection", more_kib, IDLE_TARGET_KIB),
        ]
    )


def _judge(what: str, seen: float, most: float) -> bool:
    say(f"{'met   ' if seen <= most else 'MISSED'} {seen:.3f} {what}, at most {most:.3f}")
    return seen <= most


def say(line: str) -> None:
    """Tell whoever reads."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Measure; 1 if a target is missed."""
    argparse.ArgumentParser(prog="load.compression", description=__doc__).parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return int(not runner.run(measure()))


if __name__ == "__main__":
    sys.exit(main())
