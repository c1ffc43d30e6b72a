"""A way to a server that takes time: what either side says arrives later, in its order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

CHUNK_BYTES = 64 * 1024


class _Way:
    """One direction of a connection: what is read on one side is written later on the other."""

    def __init__(self, writer: asyncio.StreamWriter, latency_s: float) -> None:
        self._writer = writer
        self._latency_s = latency_s
        self._under_way: deque[bytes] = deque()

    async def carry(self, reader: asyncio.StreamReader) -> None:
        """Carry all that is read, and then the end."""
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                self._send(data)
        self._send(b"")
        await asyncio.sleep(self._latency_s)

    def _send(self, data: bytes) -> None:
        self._under_way.append(data)
        asyncio.get_running_loop().call_later(self._latency_s, self._arrive)

    def _arrive(self) -> None:
        # Not by the timer's own data: of two timers for the same moment, either may run first.
        data = self._under_way.popleft()
        if self._writer.transport.is_closing():
            return
        if data:
            self._writer.write(data)
        else:
            self._writer.transport.abort()


class _Line:
    """The way to one port."""

    def __init__(self, port: int, latency_s: float) -> None:
        self._port = port
        self._latency_s = latency_s
        self.tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The handshake of TCP: there and back.
        await asyncio.sleep(2 * self._latency_s)
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_Way(requests, self._latency_s).carry(reader))
                ways.create_task(_Way(writer, self._latency_s).carry(answers))
        finally:
            requests.transport.abort()


@asynccontextmanager
async def far_from(ports: Sequence[int], latency_s: float) -> AsyncIterator[list[int]]:
    """Ports that lead to ``ports`` on this machine; each way there or back takes ``latency_s``."""
    async with AsyncExitStack() as lines:
        far: list[int] = []
        for port in ports:
            line = _Line(port, latency_s)
            server = await asyncio.start_server(line.accept, "127.0.0.1")
            lines.push_async_callback(_stop, server, line)
            far.append(server.sockets[0].getsockname()[1])
        yield far


async def _stop(server: asyncio.Server, line: _Line) -> None:
    server.close()
    while line.tasks:
        tasks = list(line.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
