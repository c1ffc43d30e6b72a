"""A balancer in front of the gateways whose connections can be cut at any byte.

Who comes without a session id goes to the gateways in turn, and on to the next one where one
cannot be reached or takes nobody in; who has one goes to the gateway whose name it begins with,
or in plain round robin to the next one as well.
A connection carries one WebSocket or one request of HTTP polling, as a balancer's that closes
after each.
"""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: A request's head, as long as gateways take it.
MAX_HEAD_BYTES = 16 * 1024
CHUNK_BYTES = 64 * 1024
_HEAD_ENDS = b"\r\n\r\n"
_SID = re.compile(rb"[?&]sid=([^&. ]+)\.")
_UNAVAILABLE = b"HTTP/1.1 503"
_NOBODY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Kind(StrEnum):
    """What a connection is for."""

    WEBSOCKET = "websocket"
    UPGRADE = "upgrade"
    """a WebSocket, after a beginning by polling"""
    HANDSHAKE = "polling handshake"
    POLL = "poll"
    POST = "post"
    STREAM = "stream of events"


class Direction(StrEnum):
    UP = "to the gateway"
    DOWN = "to the client"


class Loss(StrEnum):
    """How a connection ends that is cut."""

    CUT = "cut"
    """for both sides at once"""
    HALF_OPEN = "half-open"
    """for the client; the gateway is not told"""
    HANG = "hang"
    """nothing gets through any more, and nobody is told"""


@dataclass(eq=False, slots=True)
class Link:
    """A connection of a client, and its continuation to a gateway."""

    kind: Kind
    gateway: int
    client: asyncio.StreamWriter
    upstream: asyncio.StreamWriter
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    _loss: Loss | None = None
    _direction: Direction | None = None
    _left_bytes: int = 0
    _held: bytes | None = None
    _more_held: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is to happen to it yet."""
        return self._loss is None

    def lose(self, loss: Loss, direction: Direction, after_bytes: int) -> None:
        """Have it cut once so many more bytes have passed in a direction."""
        self._loss, self._direction, self._left_bytes = loss, direction, after_bytes

    def lose_now(self) -> None:
        """Do not wait for more bytes."""
        if self._loss in (Loss.CUT, Loss.HALF_OPEN):
            self.client.transport.abort()
        if self._loss is Loss.CUT:
            self.upstream.transport.abort()
        self.lost.set()

    def hold(self) -> None:
        """Hold back what goes to the client from now on."""
        self._held = b""

    async def holds(self, text: bytes) -> None:
        """Return once this is held back."""
        while self._held is not None and text not in self._held:
            self._more_held.clear()
            await self._more_held.wait()

    def release(self, before: bytes | None = None) -> None:
        """Send what is held back in one piece: what is ``before`` a text, or all."""
        held, self._held = self._held or b"", None
        if before is not None:
            place = held.index(before)
            held, self._held = held[:place], held[place:]
        self.client.write(held)

    def take(self, direction: Direction, data: bytes) -> tuple[bytes, bool]:
        """What still gets through of some bytes, and whether more will after it."""
        if self.lost.is_set():
            return b"", False
        if direction is Direction.DOWN and self._held is not None:
            self._held += data
            self._more_held.set()
            return b"", True
        if direction is not self._direction:
            return data, True
        passed = data[: self._left_bytes]
        self._left_bytes -= len(passed)
        return passed, self._left_bytes > 0


#: Turns of the event loop from a connection's acceptance to its task, and some more.
TURNS_TO_ACCEPT = 10


class Proxy:
    """The balancer. ``links`` are the connections at the moment; ``on_link`` is told of new ones.

    A link that hangs, or is half open, is ended ``linger_s`` later. While it does not
    ``takes_in`` anybody, new connections end at once; upgrades wait while it does not let them go
    on (``lets_upgrade``). It ``is_used`` while there are links.
    """

    def __init__(
        self, ports: Sequence[int], names: Sequence[str], linger_s: float, *, plain: bool = False
    ) -> None:
        self.links: set[Link] = set()
        self.on_link: Callable[[Link], None] = lambda _link: None
        self.takes_in = True
        #: In plain round robin, which gateway a kind of connection goes to if it can.
        self.prefers: Callable[[Kind], int] | None = None
        self.is_used = asyncio.Event()
        self.lets_upgrade = asyncio.Event()
        self.lets_upgrade.set()
        self.url = ""
        self._ports = ports
        self._names = [name.encode() for name in names]
        self._linger_s = linger_s
        self._plain = plain
        self._turns = itertools.count()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        if not self.takes_in:
            writer.transport.abort()
            return
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(_HEAD_ENDS)
            kind = _kind(head)
            if kind is Kind.UPGRADE:
                await self.lets_upgrade.wait()
            await self._carry(kind, _closing(head), reader, writer)

    async def _carry(
        self, kind: Kind, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        sid = _SID.search(head.partition(b"\r\n")[0])
        for gateway in self._candidates(kind, sid[1] if sid else None):
            try:
                upstream = await asyncio.open_connection("127.0.0.1", self._ports[gateway])
            except OSError:
                continue
            link = Link(kind, gateway, writer, upstream[1])
            try:
                if await self._bridge(link, head, reader, upstream, may_move=sid is None):
                    return
            finally:
                self._forget(link)
                upstream[1].transport.abort()
        writer.write(_NOBODY)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _forget(self, link: Link) -> None:
        self.links.discard(link)
        if not self.links:
            self.is_used.clear()

    def _candidates(self, kind: Kind, name: bytes | None) -> list[int]:
        if name is not None and not self._plain:
            return [self._names.index(name)] if name in self._names else []
        count = len(self._ports)
        first = next(self._turns) if self.prefers is None else self.prefers(kind)
        return [(first + offset) % count for offset in range(count)]

    async def _bridge(
        self,
        link: Link,
        head: bytes,
        reader: asyncio.StreamReader,
        upstream: Streams,
        *,
        may_move: bool,
    ) -> bool:
        """Carry on with a gateway; ``False`` if it takes nobody in, and another one might."""
        self.links.add(link)
        self.is_used.set()
        self.on_link(link)
        answers, requests = upstream
        if not await _forward(link, Direction.UP, head, requests):
            return await self._linger(link)
        sending = asyncio.create_task(_pump(link, Direction.UP, reader, requests))
        try:
            if may_move:
                first = await answers.read(CHUNK_BYTES)
                if first.startswith(_UNAVAILABLE):
                    return False
                if not await _forward(link, Direction.DOWN, first, link.client):
                    return await self._linger(link)
            await self._until_an_end(link, sending, answers)
            if link.lost.is_set():
                return await self._linger(link)
            # It carries nothing more. What was on its way still arrives.
            self._forget(link)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._linger_s):
                    for end in (link.client, requests):
                        end.close()
                        await end.wait_closed()
            return True
        finally:
            await _stop(sending)

    async def _until_an_end(
        self, link: Link, sending: asyncio.Task[None], answers: asyncio.StreamReader
    ) -> None:
        receiving = asyncio.create_task(_pump(link, Direction.DOWN, answers, link.client))
        losing = asyncio.create_task(link.lost.wait())
        try:
            await asyncio.wait({sending, receiving, losing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _stop(receiving, losing)

    async def _linger(self, link: Link) -> bool:
        self._forget(link)
        if not link.upstream.transport.is_closing():
            await asyncio.sleep(self._linger_s)
        return True


async def _pump(
    link: Link, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            if not await _forward(link, direction, data, writer):
                return


async def _forward(
    link: Link, direction: Direction, data: bytes, writer: asyncio.StreamWriter
) -> bool:
    passed, goes_on = link.take(direction, data)
    if passed:
        writer.write(passed)
        await writer.drain()
    if not goes_on:
        link.lose_now()
    return goes_on


async def _stop(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _kind(head: bytes) -> Kind:
    line, _, fields = head.partition(b"\r\n")
    has_sid = b"sid=" in line
    if b"upgrade: websocket" in fields.lower():
        return Kind.UPGRADE if has_sid else Kind.WEBSOCKET
    if line.startswith(b"POST"):
        return Kind.POST
    if b"/stream " in line:
        return Kind.STREAM
    return Kind.POLL if has_sid else Kind.HANDSHAKE


def _closing(head: bytes) -> bytes:
    """The request of a client whose connection ends with the answer, unless it is a WebSocket."""
    if b"upgrade: websocket" in head.lower():
        return head
    line, *fields = head.removesuffix(_HEAD_ENDS).split(b"\r\n")
    kept = [field for field in fields if not field.lower().startswith(b"connection:")]
    return b"\r\n".join((line, *kept, b"Connection: close")) + _HEAD_ENDS


@asynccontextmanager
async def proxy(
    ports: Sequence[int], names: Sequence[str], *, linger_s: float, plain: bool = False
) -> AsyncIterator[Proxy]:
    """A balancer that listens while the block runs; a ``plain`` one knows of no sessions."""
    balancer = Proxy(ports, names, linger_s, plain=plain)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(balancer.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        # Even if it is cancelled before it began.
        task.add_done_callback(lambda _: writer.transport.abort())

    server = await asyncio.start_server(accept, "127.0.0.1", limit=MAX_HEAD_BYTES)
    balancer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield balancer
    finally:
        # Those that were accepted just now have their task a few turns of the loop later. asyncio
        # forgets, unclosed, what a server has accepted that is closed meanwhile.
        asyncio.get_running_loop().remove_reader(server.sockets[0].fileno())
        for _ in range(TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        server.close()
        while tasks:
            await _stop(*tasks)
