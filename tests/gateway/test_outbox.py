"""What is sent to a client within one block is written at once, and nothing else is different."""

import asyncio
from typing import cast

import pytest
from aiohttp.abc import AbstractStreamWriter

from harmonic_gateway.sockets.frames import Encoded, close_frame
from harmonic_gateway.sockets.limits import SocketLimits
from harmonic_gateway.sockets.outbox import HELD_BYTES, Outbox

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
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

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
    outbox.go_over(transport, cast("AbstractStreamWriter", None), deflates=False)
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
