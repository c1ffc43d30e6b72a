"""The NATS connection: nats-py, with its per-message path replaced.

nats-py still does what is hard to get right: connecting, TLS, authentication, pings, reconnecting
to one of several servers, subscribing again. We replace the per-message path: nats-py spends a
queue and a task per subscription, a future per flush, a turn of the loop per read, and five regular
expressions per message. This module is the only one that uses private parts of nats-py; a
canary test compares them with what is expected here, and names this module when an upgrade
changes them.
"""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from nats.aio.client import Client
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from harmonic_runtime.bus.outgoing import Outgoing
from harmonic_runtime.bus.wire import Handler

#: Called for every message: interest, subject, reply subject, raw headers, payload.
Arrived: TypeAlias = "Callable[[Interest, str, str, bytes | None, bytes], None]"

CONNECT_TIMEOUT_S = 2
RECONNECT_WAIT_S = 0.25
#: A hung server is noticed after at most this times the pings that may be outstanding.
PING_INTERVAL_S = 5
MAX_OUTSTANDING_PINGS = 2
#: A line of the protocol is longer only if the peer does not speak NATS.
MAX_LINE_BYTES = 64 * 1024

_CRLF = b"\r\n"
_M, _H = b"MH"
#: The line of a message: its subject, the subscription, where to answer, how long its headers are
#: if it has any, and how long it is with them.
_MESSAGE = re.compile(
    rb"(H)?MSG[ \t]+(\S+)[ \t]+(\d+)[ \t]+(?:(\S+)[ \t]+)??(?(1)(\d+)[ \t]+)(\d+)[ \t]*\r\n"
)


class Interest:
    """A subscription as nats-py keeps it, reduced to what subscribing anew needs.

    ``handler`` gets its messages as long as it ``is_open``. With ``republished``, they are what the
    broker republishes of a stream.
    """

    __slots__ = ("_queue", "_subject", "handler", "is_open", "republished", "sid")

    # What nats-py looks at besides when it reconnects or closes: no limit, no task, no iterator.
    _max_msgs = 0
    _wait_for_msgs_task = None
    _message_iterator = None
    _pending_next_msgs_calls = None

    def __init__(
        self, sid: int, subject: str, queue: str, handler: Handler, *, republished: bool = False
    ) -> None:
        self.sid = sid
        self._subject = subject
        self._queue = queue
        self.handler = handler
        self.republished = republished
        self.is_open = True

    @property
    def subject(self) -> str:
        """The subject."""
        return self._subject

    async def _drain(self) -> None:
        """Do nothing: the bus stops consuming before the connection drains."""


class _FastParser(Parser):
    """Parses messages, and leaves every other line of the protocol to nats-py."""

    def __init__(self, connection: "BrokerConnection", arrived: Arrived) -> None:
        self._connection = connection
        self._interests: dict[int, Interest] = connection.interests
        self._arrived = arrived
        self._resets = 0
        super().__init__(connection)

    def reset(self) -> None:
        super().reset()
        self._resets += 1
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._needed_bytes = 0

    async def parse(self, data: bytes = b"") -> None:
        try:
            rest = self.feed(data)
            resets = self._resets
            while rest:
                line_end = rest.find(_CRLF)
                if line_end < 0:
                    raise ProtocolError("line too long")
                if rest[0] in (_M, _H):
                    raise ProtocolError("malformed message line")
                await super().parse(rest[: line_end + 2])
                if self._resets != resets:
                    return
                rest = self.feed(rest[line_end + 2 :])
        finally:
            self._connection.on_read()
        self._connection.read_directly()

    def feed(self, data: bytes) -> bytes:
        """Hand over the messages that data begin with; return the rest, from another line on.

        The rest is empty, or begins with another line, or with one that is malformed.
        """
        if self._kept:
            # A large message comes in many pieces: joined once, when it is complete.
            self._kept.append(data)
            self._kept_bytes += len(data)
            if self._kept_bytes < self._needed_bytes:
                return b""
            data = b"".join(self._kept)
            self._kept = []
        position, size = 0, len(data)
        while position < size:
            found = _MESSAGE.match(data, position)
            if found is None:
                line_end = data.find(_CRLF, position)
                if line_end < 0 and size - position <= MAX_LINE_BYTES:
                    self._keep(data[position:], 0)
                    return b""
                return data[position:]
            _, subject, sid, reply, headers_size, payload_size = found.groups()
            start = found.end()
            end = start + int(payload_size)
            if end + 2 > size:
                self._keep(data[position:], end + 2 - position)
                return b""
            position = end + 2
            interest = self._interests.get(int(sid))
            if interest is None:
                continue
            headers = None
            if headers_size:
                headers = data[start : start + int(headers_size)]
                start += len(headers)
            reply = reply.decode() if reply else ""
            self._arrived(interest, subject.decode(), reply, headers, data[start:end])
        return b""

    def _keep(self, data: bytes, needed_bytes: int) -> None:
        self._kept = [data]
        self._kept_bytes = len(data)
        self._needed_bytes = needed_bytes


class BrokerConnection(Client):
    """A connection that is written to directly, and hands messages over as they are read.

    Nothing is ever buffered for a later connection: what is sent while there is none is lost.
    ``on_read`` is called once all messages of one read have been handed over, and ``on_abandoned``
    if reconnecting has failed for good.
    """

    def __init__(
        self,
        arrived: Arrived,
        on_read: Callable[[], None],
        on_abandoned: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self.on_read = on_read
        self.interests: dict[int, Interest] = {}
        self._subs: Any = self.interests
        self._on_abandoned = on_abandoned
        self._parser = self._ps = _FastParser(self, arrived)
        self.outgoing = Outgoing(self)

    def send(self, command: bytes) -> None:
        """Send one protocol message."""
        self.outgoing.send(command)

    async def _read_loop(self) -> None:
        self._tell_of_tls()
        self.read_directly()
        await super()._read_loop()

    def read_directly(self) -> None:
        """Parse messages in the turn in which they come, unless others wait to be parsed.

        nats-py's own loop wakes a task for each read. It still gets all other lines.
        """
        reader = self._reader()
        if reader is not None and not reader._buffer:  # noqa: SLF001 -- asyncio's
            reader.feed_data = partial(self._fed, reader)

    def _tell_of_tls(self) -> None:
        """Tell asyncio that the connection is over TLS, if it is.

        nats-py makes it one after it was made. The end of such a connection, which asyncio does not
        expect to be half open, would be a warning in the log.
        """
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None and writer.get_extra_info("sslcontext") is not None:
            writer._protocol._over_ssl = True  # noqa: SLF001 -- asyncio's

    def _reader(self) -> Any:
        """What nats-py reads from, if it is connected."""
        return getattr(self._transport, "_io_reader", None)

    def _fed(self, reader: Any, data: bytes) -> None:
        if reader is not self._reader():
            # It comes from a connection that was given up.
            return
        rest = self._parser.feed(data)
        self.on_read()
        if rest:
            del reader.feed_data
            reader.feed_data(rest)

    def add_interest(self, interest: Interest) -> None:
        """Subscribe, at the latest when the connection is there again."""
        self.interests[interest.sid] = interest
        self.send(f"SUB {interest._subject} {interest._queue} {interest.sid}\r\n".encode())  # noqa: SLF001

    def remove_interest(self, interest: Interest) -> None:
        """Unsubscribe; what is still under way is not handed over any more."""
        if self.interests.pop(interest.sid, None) is not None:
            self.stop_interest(interest)

    def stop_interest(self, interest: Interest) -> None:
        """Unsubscribe, but hand over what is still under way."""
        self.send(f"UNSUB {interest.sid}\r\n".encode())

    async def ping(self, answered: "asyncio.Future[bool]") -> None:
        """Have ``answered`` set when the server has read all that was sent before."""
        # nats-py writes it by itself, and it must not overtake.
        self.outgoing.write()
        await self._send_ping(answered)

    async def _process_connect_init(self) -> None:
        self.outgoing.go_over(None)
        try:
            await super()._process_connect_init()
        except OSError:
            # nats-py would wait for the end of the connection before it tries the next server. Of
            # one whose TLS handshake failed, asyncio never tells that it has ended.
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]
                self._transport = None
            raise
        # Where nats-py's own writer writes to, in three steps more.
        self.outgoing.go_over(vars(self._transport)["_io_writer"].transport)

    async def _send_command(self, cmd: bytes, priority: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        self.send(cmd)

    async def _flush_pending(self, force_flush: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        # Nothing pends longer than a turn of the loop, and no flusher has to be woken.
        self.outgoing.write()
        self._pending_data_size = 0

    async def _process_pong(self) -> None:
        # A flush that gave up leaves its cancelled future behind; nats-py would end its reading.
        self._pings_outstanding = 0
        self._pongs_received += 1
        if self._pongs:
            future = self._pongs.pop(0)
            if not future.done():
                future.set_result(True)

    async def _attempt_reconnect(self) -> None:
        try:
            await super()._attempt_reconnect()
        except Exception as error:  # noqa: BLE001 -- whatever it is, nobody else would see it
            self._on_abandoned(error)
