"""Clients that do not keep up: what they are spared, and when they are let go."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from gateway.door import PATIENCE_S, Door, opened
from harmonic_gateway.sockets import Frame, broadcast

KIB = 1024
#: A state of Linux's TCP, as the first byte of ``struct tcp_info`` tells it.
CLOSED = 7
SOCKET = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/socket.io/?EIO=4&transport=polling"


def physics(number: int, size: int = 0) -> Frame:
    text = json.dumps({"number": number, "filling": "x" * size})
    return Frame.event("physics", text.encode(), f"u:{number}", supersedes="physics u")


def notes(number: int, size: int = 0) -> Frame:
    text = json.dumps({"number": number, "filling": "x" * size})
    return Frame.event("notes", text.encode(), f"u:{number}")


def audio(number: int) -> Frame:
    return Frame("audio", b'{"number":%d}' % number, droppable=True)


class Slow:
    """A client that reads only when told to."""

    def __init__(self, door: Door, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.connection = door.connections[-1]
        self.websocket = websocket
        assert websocket._conn is not None
        transport = websocket._conn.transport
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def fall_behind(self) -> None:
        """Stop reading, and be sent more than the kernel and the transport hold."""
        self.transport.pause_reading()
        while not self.connection._outbox.backlog_bytes:
            self.connection.send(notes(0, 32 * KIB))

    async def read_until(self, name: str, number: int) -> list[tuple[str, int]]:
        """Read on until an event comes; the events up to it."""
        self.transport.resume_reading()
        heard: list[tuple[str, int]] = []
        while (name, number) not in heard:
            text = await asyncio.wait_for(self.websocket.receive_str(), PATIENCE_S)
            if text.startswith("42/ws,"):
                event = json.loads(text.removeprefix("42/ws,"))
                heard.append((event[0], event[1]["number"]))
        return heard


@asynccontextmanager
async def slow(door: Door, http: aiohttp.ClientSession) -> AsyncIterator[Slow]:
    websocket = await http.ws_connect(door.url + SOCKET, max_msg_size=0)
    await websocket.receive_str()
    await websocket.send_str("40/ws,")
    await websocket.receive_str()
    await websocket.receive_str()
    kernel = websocket.get_extra_info("socket")
    assert kernel is not None
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KIB)
    client = Slow(door, websocket)
    try:
        yield client
    finally:
        client.transport.abort()


async def test_who_is_behind_gets_everything_in_order_once_it_reads_on(
    door: Door, http: aiohttp.ClientSession
) -> None:
    async with slow(door, http) as client:
        client.fall_behind()
        for number in range(1, 100):
            broadcast([physics(number), notes(number)], door.connections)
        heard = await client.read_until("notes", 99)
    expected = [(name, number) for number in range(1, 100) for name in ("physics", "notes")]
    assert [event for event in heard if event[1]] == expected
    assert door.counted("conflated_events_total") == 0


async def test_far_behind_superseded_events_are_left_out_and_nothing_else(
    door: Door, http: aiohttp.ClientSession
) -> None:
    async with slow(door, http) as client:
        client.fall_behind()
        for number in range(1, 200):
            broadcast([physics(number, KIB), notes(number)], door.connections)
        heard = await client.read_until("notes", 199)
        assert not door.left
    assert [number for name, number in heard if name == "notes" and number] == [*range(1, 200)]
    values = [number for name, number in heard if name == "physics"]
    assert values == sorted(values)
    assert values[-1] == 199
    assert len(values) + door.counted("conflated_events_total") == 199
    assert len(values) < 199


async def test_live_signals_are_the_first_to_go(door: Door, http: aiohttp.ClientSession) -> None:
    async with slow(door, http) as client:
        broadcast([audio(1)], door.connections)
        client.fall_behind()
        broadcast([audio(2), notes(3)], door.connections)
        heard = await client.read_until("notes", 3)
        broadcast([audio(4)], door.connections)
        assert await client.read_until("audio", 4)
    assert [event for event in heard if event[1]] == [("audio", 1), ("notes", 3)]
    assert door.counted("dropped_signals_total") == 1


async def test_beyond_the_bound_a_client_is_closed(door: Door, http: aiohttp.ClientSession) -> None:
    async with slow(door, http) as client:
        client.fall_behind()
        for number in range(1, 100):
            client.connection.send(notes(number, 8 * KIB))
        assert await door.until("left", 1) == (client.connection, False)
    assert door.counted("send_buffer_overflows_total") == 1


async def test_what_brings_a_client_up_to_date_may_be_more_than_the_bound(
    door: Door, http: aiohttp.ClientSession
) -> None:
    async with slow(door, http) as client:
        client.fall_behind()
        client.connection.send_all([physics(number, 8 * KIB) for number in range(1, 100)])
        client.connection.send(physics(100))
        heard = await client.read_until("physics", 100)
    assert [event for event in heard if event[1]] == [("physics", n) for n in range(1, 101)]
    assert door.counted("send_buffer_overflows_total") == 0


async def test_who_does_not_read_but_seems_alive_is_cut(http: aiohttp.ClientSession) -> None:
    async with opened(ping_interval_s=1, ping_timeout_s=1) as door, slow(door, http) as client:
        client.fall_behind()
        while not door.left:
            await client.websocket.send_str("3")
            await asyncio.sleep(0.05)
        assert door.left == [(client.connection, False)]
        assert door.counted("stalled_readers_total") == 1
        assert door.counted("heartbeats_missed_total") == 0


async def test_who_is_cut_is_told_though_it_does_not_read(http: aiohttp.ClientSession) -> None:
    async with opened(ping_interval_s=1, ping_timeout_s=1) as door, slow(door, http) as client:
        client.fall_behind()
        await door.until("left", 1)
        with socket.socket(fileno=os.dup(client.transport.get_extra_info("socket").fileno())) as it:
            async with asyncio.timeout(PATIENCE_S):
                while it.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != CLOSED:  # noqa: ASYNC110
                    # The kernel wakes nobody who does not read.
                    await asyncio.sleep(0.01)


async def test_who_reads_slowly_is_not_cut(http: aiohttp.ClientSession) -> None:
    async with (
        opened(ping_interval_s=2, ping_timeout_s=2, max_buffer_bytes=1024 * KIB) as door,
        slow(door, http) as client,
    ):
        client.fall_behind()
        client.connection.send_all([notes(number, 32 * KIB) for number in range(1, 29)])
        with socket.socket(fileno=os.dup(client.transport.get_extra_info("socket").fileno())) as it:
            while client.connection._outbox.backlog_bytes and not door.left:
                # Several seconds' worth, little by little. As much as the kernel acknowledges at
                # once, since nobody sees the rest: half of what it holds.
                with suppress(BlockingIOError):
                    it.recv(16 * KIB)
                await client.websocket.send_str("3")
                await asyncio.sleep(0.05)
        assert not door.left


async def test_a_poller_that_answers_pings_it_did_not_fetch_is_cut(
    http: aiohttp.ClientSession,
) -> None:
    async with opened(ping_interval_s=1, ping_timeout_s=1) as door:
        async with http.get(door.url + POLLING) as response:
            sid = json.loads((await response.text())[1:])["sid"]
        url = f"{door.url}{POLLING}&sid={sid}"
        async with http.post(url, data="40/ws,"):
            pass
        while not door.left:
            async with http.post(url, data="3"):
                pass
            await asyncio.sleep(0.05)
        assert door.counted("heartbeats_missed_total") == 1


async def test_a_poller_that_is_far_behind_is_spared_what_was_superseded(
    door: Door, http: aiohttp.ClientSession
) -> None:
    async with http.get(door.url + POLLING) as response:
        sid = json.loads((await response.text())[1:])["sid"]
    url = f"{door.url}{POLLING}&sid={sid}"
    async with http.post(url, data="40/ws,"):
        pass
    for number in range(1, 200):
        broadcast([physics(number, KIB), audio(number)], door.connections)
    broadcast([notes(200)], door.connections)
    heard: list[str] = []
    while not heard or "notes" not in heard[-1]:
        async with http.get(url) as response:
            heard.extend((await response.text()).split("\x1e"))
    values = [json.loads(text[6:])[1]["number"] for text in heard if '"physics"' in text]
    assert values == sorted(values)
    assert values[-1] == 199
    assert len(values) + door.counted("conflated_events_total") == 199
    assert 0 < door.counted("dropped_signals_total") < 199
    async with http.post(url, data="1"):
        pass


@pytest.mark.parametrize("compress", [0, 15])
async def test_all_that_waits_is_sent_before_a_close(
    door: Door, http: aiohttp.ClientSession, compress: int
) -> None:
    async with http.ws_connect(door.url + SOCKET, compress=compress) as websocket:
        for packet in (None, "40/ws,", None):
            if packet is not None:
                await websocket.send_str(packet)
            await websocket.receive_str()
        connection = door.connections[0]
        number = 0
        while not connection._outbox.backlog_bytes:
            number += 1
            connection.send(notes(number, 64 * KIB))
        connection.send(notes(number + 1))
        connection._socket.shut()
        last = [json.loads((await websocket.receive_str())[6:])[1] for _ in range(number + 1)][-1]
        assert last["number"] == number + 1
        assert (await websocket.receive(PATIENCE_S)).data == 1012
