"""What is sent to a client within one block is written at once, and nothing else is different."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harmonic_gateway.sockets.connection import Connection
from harmonic_gateway.sockets.frames import Encoded, Frame, close_frame
from harmonic_gateway.sockets.limits import BEHIND_BYTES, SocketLimits
from harmonic_gateway.sockets.outbox import HELD_BYTES, Outbox, Writer
from harmonic_gateway.sockets.stages import Stage

LIMITS = SocketLimits(
    ping_interval_s=5,
    ping_timeout_s=4,
    max_buffer_bytes=2**20,
    max_message_bytes=2**14,
)


class Transport(asyncio.Transport):
    """Notes what is written down, as if the kernel took it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.unsent_bytes = 0
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def get_extra_info(self, name: str, default: object = None) -> object:  # noqa: ARG002
        """A socket of which the kernel knows nothing."""
        return SimpleNamespace(getsockopt=lambda *_: bytes(128))

    def is_closing(self) -> bool:
        return self._closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        return asyncio.Protocol()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self._closing = True


class Reader:
    """A client that is never behind in these tests."""

    def spared(self, events: int, signals: int) -> None:
        raise AssertionError((events, signals))

    def overflowed(self) -> None:
        raise AssertionError

    def stalled(self) -> None:
        raise AssertionError


def opened(transport: Transport) -> Outbox:
    outbox = Outbox(Reader(), LIMITS)
    outbox.go_over(transport, cast("Writer", None), deflates=False)
    return outbox


def packet(name: str) -> Encoded:
    return Encoded.of([name])


async def test_what_is_sent_together_is_one_write() -> None:
    transport = Transport()
    outbox = opened(transport)
    outbox.send(packet("a"))
    with outbox.together():
        outbox.send(packet("b"))
        with outbox.together():
            outbox.send(packet("c"))
        assert len(transport.written) == 1
    outbox.send(packet("d"))
    assert transport.written == [
        packet("a").raw,
        packet("b").raw + packet("c").raw,
        packet("d").raw,
    ]


async def test_it_is_written_even_if_the_block_fails() -> None:
    transport = Transport()
    outbox = opened(transport)

    def fail() -> None:
        with outbox.together():
            outbox.send(packet("a"))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert transport.written == [packet("a").raw]


async def test_a_close_comes_after_what_was_sent_before_in_the_block() -> None:
    transport = Transport()
    outbox = opened(transport)
    with outbox.together():
        outbox.send(packet("a"))
        outbox.close(1012)
        outbox.send(packet("too late"))
    assert transport.written == [packet("a").raw, close_frame(1012)]


async def test_no_more_is_held_than_hides_how_far_a_client_is_behind() -> None:
    transport = Transport()
    outbox = opened(transport)
    large = Encoded.of(["x" * (HELD_BYTES // 2)])
    with outbox.together():
        for _ in range(9):
            outbox.send(large, owed=True)
    assert b"".join(transport.written) == 9 * large.raw
    assert max(map(len, transport.written)) <= HELD_BYTES + len(large.raw)


def connected(outbox: Outbox) -> Connection:
    connection = Connection("c", "/ws", cast("Any", SimpleNamespace(outbox=outbox)), cast("Any", 0))
    connection.stage = Stage.CONNECTED
    return connection


async def test_what_is_written_at_once_overtakes_nothing() -> None:
    transport = Transport()
    outbox = Outbox(Reader(), LIMITS)
    connection = connected(outbox)
    connection.write(packet("before it goes over"))
    assert outbox.direct is None
    outbox.go_over(transport, cast("Writer", None), deflates=False)
    connection.write(packet("at once"))
    with outbox.together():
        connection.write(packet("held"))
        connection.write(packet("held, too"))
        assert len(transport.written) == 2
    connection.write(packet("at once again"))
    texts = ["before it goes over", "at once", "held", "held, too", "at once again"]
    assert b"".join(transport.written) == b"".join(packet(text).raw for text in texts)
    assert outbox.direct is transport


class Draining:
    """Lets who writes go on when the test says so."""

    def __init__(self) -> None:
        self.read = asyncio.Event()

    async def drain(self) -> None:
        await self.read.wait()


async def test_nothing_is_written_at_once_while_something_waits() -> None:
    transport, draining = Transport(), Draining()
    outbox = Outbox(Reader(), LIMITS)
    outbox.go_over(transport, cast("Writer", draining), deflates=False)
    connection = connected(outbox)
    transport.unsent_bytes = BEHIND_BYTES + 1
    connection.write(packet("waits"))
    transport.unsent_bytes = 0
    connection.write(packet("waits behind it"))
    assert transport.written == []
    assert outbox.direct is None
    draining.read.set()
    writing = outbox._writing
    assert writing is not None
    await writing
    connection.write(packet("at once"))
    texts = ["waits", "waits behind it", "at once"]
    assert transport.written == [packet(text).raw for text in texts]


async def test_nothing_is_written_to_who_is_not_connected_or_is_gone() -> None:
    transport = Transport()
    connection = connected(opened(transport))
    connection.stage = Stage.MOVING
    connection.write(packet("a"))
    connection.stage = Stage.CONNECTED
    transport.close()
    connection.write(packet("b"))
    assert transport.written == []


async def test_what_is_large_is_compressed_for_who_can_read_that() -> None:
    transport = Transport()
    outbox = Outbox(Reader(), LIMITS)
    outbox.go_over(transport, cast("Writer", None), deflates=True)
    large = Frame.event("large", b'"' + b"x" * 10_000 + b'"').encoded("/ws")
    connected(outbox).write(large)
    assert transport.written == [large.compressed]
    assert large.compressed != large.raw
