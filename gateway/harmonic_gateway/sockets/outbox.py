"""Sends packets to one client: in order, within bounds, and with care for slow clients.

Packets for a WebSocket are written directly to its transport, so none overtakes another, and a
frame for many members has the same bytes for all. Packets that cannot be written yet, because the
client polls, is about to upgrade or does not keep up, wait in a backlog.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from engineio.packet import PING

from harmonic_gateway.sockets.backlog import Backlog
from harmonic_gateway.sockets.frames import Encoded, close_frame
from harmonic_gateway.sockets.kernel import reset
from harmonic_gateway.sockets.limits import (
    BEHIND_BYTES,
    CONFLATED_ABOVE_SHARE,
    MAX_OWED_BYTES,
    MAX_PACKETS_PER_POLL,
    WATCHED_ABOVE_BYTES,
    SocketLimits,
)
from harmonic_gateway.sockets.lingering import part
from harmonic_gateway.sockets.watching import ReadingWatch

#: Bytes that are collected before they are written. More would hide how far a client is behind.
HELD_BYTES = 16 * 1024
PING_FRAME = Encoded.of([f"{PING}"])


class Reader(Protocol):
    """The client of an outbox."""

    def spared(self, events: int, signals: int) -> None:
        """The client is behind: superseded events and live signals are not sent to it."""

    def overflowed(self) -> None:
        """Too many bytes wait for the client: it is to be given up."""

    def stalled(self) -> None:
        """The client reads nothing of the waiting bytes: it is to be given up."""


class Writer(Protocol):
    """Tells when the client has read."""

    async def drain(self) -> None:
        """Wait until the client has read; raise ``ConnectionError`` if it is gone."""


class Outbox:
    """All packets to one client, in order. ``send`` never raises and never waits."""

    __slots__ = (
        "_backlog",
        "_deflates",
        "_held",
        "_is_open",
        "_limits",
        "_parted",
        "_ping_waits",
        "_poll",
        "_reader",
        "_transport",
        "_watch",
        "_writer",
        "_writing",
        "direct",
    )

    def __init__(self, reader: Reader, limits: SocketLimits) -> None:
        self._reader = reader
        self._limits = limits
        self._is_open = True
        self._deflates = False
        self._held: _Unwritten | None = None
        self._ping_waits = False
        self._backlog: Backlog | None = None
        self._transport: asyncio.Transport | None = None
        #: The transport, if packets can be written to it at once; ``None`` if earlier ones wait.
        self.direct: asyncio.Transport | None = None
        #: The transport after the close frame: nothing more may be written to it.
        self._parted: asyncio.Transport | None = None
        self._writer: Writer | None = None
        self._writing: asyncio.Task[None] | None = None
        self._watch: ReadingWatch | None = None
        self._poll: asyncio.Future[None] | None = None

    @property
    def backlog_bytes(self) -> int:
        """Bytes that wait here, without those in the transport."""
        return 0 if self._backlog is None else self._backlog.bytes

    @property
    def is_owing(self) -> bool:
        """Whether missed events wait."""
        return self._backlog is not None and self._backlog.is_owing

    @property
    def is_polled(self) -> bool:
        """Whether a poll waits for packets."""
        return self._poll is not None

    def ping_pending_until_s(self, timeout_s: float) -> float | None:
        """Until when a ping may wait to be sent, by the loop's clock; ``None`` once it is sent.

        It may wait for ``timeout_s`` after the client last read anything.
        """
        if not self._ping_waits or self._backlog is None:
            return None
        reads = self._backlog if self._watch is None else self._watch.intake
        return reads.moved_at_s + timeout_s

    def send(self, encoded: Encoded, *, owed: bool = False) -> None:
        """Send a packet after all earlier ones.

        If the client does not keep up, the packet waits. Unless it is ``owed``, it may then be left
        out, as its frame allows. A client with too many unread bytes is given up.
        """
        transport = self._transport
        if transport is None or self._backlog is not None:
            self._keep(encoded, owed=owed)
        elif not transport.is_closing():
            behind_bytes = transport.get_write_buffer_size()
            if behind_bytes > WATCHED_ABOVE_BYTES:
                if self._watch is None:
                    self._watch = ReadingWatch(
                        self, self._reader, transport, self._limits.ping_timeout_s
                    )
                if behind_bytes > BEHIND_BYTES:
                    self._keep(encoded, owed=owed)
                    return
            compresses = self._deflates and encoded.compressible
            wire = encoded.compressed if compresses else encoded.raw
            if self._held is None:
                transport.write(wire)
            else:
                self._held.add(wire)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write all packets of the block with one system call. The block must not await."""
        if self._held is not None or self._transport is None:
            yield
            return
        held = self._held = _Unwritten(self._transport)
        self.direct = None
        try:
            yield
        finally:
            self._held = None
            held.write()
            self.direct = self._transport if self._backlog is None else None

    def go_over(
        self, transport: asyncio.Transport | None, writer: Writer, *, deflates: bool
    ) -> None:
        """Write to a WebSocket from now on, beginning with all waiting packets."""
        self._transport = transport
        self._writer = writer
        self._deflates = deflates
        # If the session was shut meanwhile, its waiting packets are still sent.
        self._is_open = True
        self.release()
        waiting, self._backlog, self._ping_waits = self._backlog, None, False
        for encoded in waiting or ():
            self.send(encoded, owed=True)
        self.direct = None if self.backlog_bytes else transport

    def take(self, *, whole: bool = False) -> list[Encoded]:
        """Remove and return the packets for one poll: several small ones, or a large one alone.

        With ``whole``, return all waiting packets.
        """
        entries: list[Encoded] = []
        packets = 0
        while (first := self._backlog.first() if self._backlog else None) is not None:
            packets += len(first.packets)
            if entries and not whole and (packets > MAX_PACKETS_PER_POLL or first.compressible):
                break
            entries.append(self._pop())
            if first.compressible and not whole:
                break
        return entries

    async def wait(self, patience_s: float | None) -> None:
        """Wait until a packet waits, the poll is released, or ``patience_s`` is over."""
        if self._backlog:
            return
        self._poll = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(patience_s):
                await self._poll
        except TimeoutError:
            pass
        finally:
            self._poll = None

    def release(self) -> None:
        """End a waiting poll."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def seal(self, *, dropping: bool = False) -> None:
        """Accept no more packets. Waiting ones can still be polled, unless they are dropped."""
        self._is_open = False
        if dropping:
            self._backlog = None
            if self._writing is not None:
                self._writing.cancel()
        self.release()

    def close(self, code: int) -> bool:
        """Close the WebSocket, after all that was sent before.

        Return whether all of it is written, and only the client's close is outstanding.
        """
        transport = self._transport
        if self._held is not None:
            self._held.write()
        if transport is not None and not transport.is_closing():
            while self._backlog:
                transport.write(_wire(self._pop(), deflates=self._deflates))
            transport.write(close_frame(code))
            if part(transport):
                self._parted, self._transport, self._is_open = transport, None, False
                self.direct = None
                return not transport.get_write_buffer_size()
        return False

    def end(self, *, at_once: bool) -> None:
        """End the WebSocket's transport: now, or once the client has read all that was sent."""
        transport = self._transport or self._parted
        if transport is not None and at_once:
            reset(transport)
        elif self._transport is not None and self._transport.get_write_buffer_size():
            part(self._transport, answered=True)

    def _keep(self, encoded: Encoded, *, owed: bool) -> None:
        """Add a packet to the backlog, within bounds."""
        transport = self._transport
        if not self._is_open or (transport is not None and transport.is_closing()):
            return
        backlog = self._backlog
        if backlog is None:
            backlog = self._backlog = Backlog(asyncio.get_running_loop().time())
            self.direct = None
        is_behind = transport is not None or backlog.bytes > BEHIND_BYTES
        for packet in encoded.parts or (encoded,):
            if packet.droppable and is_behind and not owed:
                self._reader.spared(0, 1)
            else:
                backlog.add(packet, owed=owed)
        if encoded is PING_FRAME:
            self._ping_waits = True
        most = self._limits.max_buffer_bytes
        counted = backlog.counted_bytes
        if counted > max(most // CONFLATED_ABOVE_SHARE, 2 * backlog.tidied_bytes) or counted > most:
            self._reader.spared(*backlog.tidy(asyncio.get_running_loop().time()))
        if backlog.counted_bytes > most or backlog.bytes > MAX_OWED_BYTES:
            self._is_open = False
            self._reader.overflowed()
        elif transport is None:
            self.release()
        elif self._writing is None:
            self._writing = asyncio.ensure_future(self._catch_up(transport))

    def _pop(self) -> Encoded:
        backlog = self._backlog
        assert backlog is not None  # noqa: S101 -- for the type checker: callers have looked
        encoded = backlog.take()
        if encoded is PING_FRAME:
            self._ping_waits = False
        backlog.moved_at_s = asyncio.get_running_loop().time()
        if not backlog:
            self._backlog = None
            self.direct = self._transport if self._held is None else None
        return encoded

    async def _catch_up(self, transport: asyncio.Transport) -> None:
        """Write waiting packets as fast as the client reads."""
        writer = self._writer
        try:
            # The reader of the connection reports its end.
            with suppress(ConnectionError):
                while writer is not None and self._backlog and not transport.is_closing():
                    await writer.drain()
                    if self._backlog and not transport.is_closing():
                        transport.write(_wire(self._pop(), deflates=self._deflates))
        finally:
            self._writing = None

    def is_done(self) -> bool:
        """Whether the client has read all that was sent, or is sent nothing more.

        If so, this ends the watch of the client.
        """
        behind = self._backlog is not None or (
            self._transport is not None and self._transport.get_write_buffer_size() > 0
        )
        if self._is_open and behind:
            return False
        self._watch = None
        return True


class _Unwritten:
    """Collects data to write at once, and writes it early above ``HELD_BYTES``."""

    __slots__ = ("_data", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Add data at the end."""
        self._data += data
        if len(self._data) > HELD_BYTES:
            self.write()

    def write(self) -> None:
        """Write the collected data."""
        if self._data and not self._transport.is_closing():
            self._transport.write(bytes(self._data))
        self._data.clear()


def _wire(encoded: Encoded, *, deflates: bool) -> bytes:
    return encoded.compressed if deflates else encoded.raw
