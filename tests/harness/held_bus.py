"""A way to the broker on which messages can be held: so that a test sets the order of events.

A :class:`HeldBus` passes on all that one process and the broker say to one another. While a
subject is held, its messages wait, in both directions, and others overtake them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

#: Operations of NATS's protocol with a payload, and which of their words is its size.
_WITH_PAYLOAD = frozenset({b"PUB", b"HPUB", b"MSG", b"HMSG"})


@dataclass
class Held:
    """Messages that wait; ``arrived`` is set once there is one."""

    is_held: Callable[[str], bool]
    #: Of those subjects' messages, the ones that are meant.
    means: Callable[[bytes], bool]
    waiting: list[tuple[asyncio.StreamWriter, bytes]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let those go on that wait, and hold no more."""
        self.is_held = lambda _subject: False
        waiting, self.waiting = self.waiting, []
        for writer, message in waiting:
            # Whoever it was for may be gone.
            if not writer.is_closing():
                writer.write(message)


class HeldBus:
    """The way of one process to the broker."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._held: Held | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    @contextmanager
    def hold(
        self,
        is_held: Callable[[str], bool],
        means: Callable[[bytes], bool] = lambda _message: True,
    ) -> Iterator[Held]:
        """Hold the messages of some subjects until the block ends, or those that are meant."""
        self._held = held = Held(is_held, means)
        try:
            yield held
        finally:
            self._held = None
            held.release()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what is said over one connection, until either side closes it."""
        upstream = await asyncio.open_connection("127.0.0.1", self._broker_port)
        ways = (self._pass(reader, upstream[1]), self._pass(upstream[0], writer))
        tasks = [asyncio.ensure_future(way) for way in ways]
        self._tasks.update(tasks)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in (writer, upstream[1]):
            each.close()
        self._tasks.difference_update(tasks)

    def close(self) -> None:
        """Cut all connections."""
        for task in self._tasks:
            task.cancel()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while line := await reader.readline():
                words = line.split()
                message, subject = line, ""
                if words and words[0].upper() in _WITH_PAYLOAD:
                    message += await reader.readexactly(int(words[-1]) + 2)
                    subject = words[1].decode()
                held = self._held
                is_held = held is not None and subject and held.is_held(subject)
                if held is not None and is_held and held.means(message):
                    held.waiting.append((writer, message))
                    held.arrived.set()
                else:
                    writer.write(message)
                    await writer.drain()


@asynccontextmanager
async def held_bus(broker_url: str) -> AsyncIterator[HeldBus]:
    """A way to a broker, until the block ends."""
    bus = HeldBus(int(broker_url.rpartition(":")[2]))
    server = await asyncio.start_server(bus.serve, "127.0.0.1", 0, limit=2**20)
    bus.url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield bus
    finally:
        server.close()
        bus.close()
