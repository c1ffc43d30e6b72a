"""Reading a WebSocket: what is taken in the call of its transport, and what waits for its turn."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from aiohttp import WSMessage, WSMsgType

from harmonic_gateway.sockets import turns
from harmonic_gateway.sockets.reading import Reading
from harmonic_gateway.sockets.turns import Turns

EVENT, CONNECT, PONG = '42/ws,["said"]', "40/ws,", "3"


class Socket:
    """A WebSocket whose texts are read as the test says."""

    def __init__(self) -> None:
        self.take: Callable[[str | None], bool] = lambda _: False
        self.waiting: asyncio.Queue[WSMessage] = asyncio.Queue()
        #: Read, and perhaps taken, while the next message is received.
        self.read_on: list[str] = []

    @property
    def is_all_received(self) -> bool:
        return not self.waiting.qsize()

    def take_texts(self, take: Callable[[str | None], bool]) -> None:
        self.take = take

    def take_cost_s(self) -> float:
        return 0.0

    async def receive(self) -> WSMessage:
        message = await self.waiting.get()
        # To receive it makes room, so that the transport reads on.
        while self.read_on:
            self.reads(self.read_on.pop(0))
        return message

    def reads(self, text: str) -> bool:
        """Whether a text was taken where it was read; else it is received in its turn."""
        is_taken = self.take(None if self.waiting.qsize() else text)
        if not is_taken:
            self.waiting.put_nowait(WSMessage(WSMsgType.TEXT, text, None))
        return is_taken


class Session:
    """Notes packets; a CONNECT is decided when the test says so."""

    def __init__(self) -> None:
        self.pace = self
        self.turns = Turns()
        self.is_behind = self.at_websocket = False
        self.closed = False
        self.noted: list[str] = []
        self.decided = asyncio.Event()
        self.fault: Exception | None = None
        self.falls_behind = False

    def packet(self, kind: int, data: str, _cost_s: float) -> Awaitable[object] | None:
        if self.fault is not None:
            raise self.fault
        self.noted.append(f"{kind}{data}")
        self.is_behind = self.falls_behind
        return self.decided.wait() if data.startswith("0") else None

    async def slow_down(self) -> None:
        self.noted.append("pause")
        self.is_behind = self.falls_behind = False


class Read:
    """A session at its WebSocket, which is read."""

    def __init__(self) -> None:
        self.socket, self.session = Socket(), Session()
        self.session.at_websocket = True
        reading = Reading(cast("Any", self.session), cast("Any", self.socket))
        self.task = asyncio.create_task(reading.until_closed())

    async def turn(self) -> None:
        """Let the reading go as far as it can."""
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def read() -> Read:
    made = Read()
    await made.turn()
    return made


async def test_events_and_pongs_are_taken_where_they_are_read(read: Read) -> None:
    assert read.socket.reads(EVENT)
    assert read.socket.reads(PONG)
    assert read.session.noted == [EVENT, PONG]


async def test_what_comes_behind_a_packet_that_waits_is_taken_after_it(read: Read) -> None:
    assert not read.socket.reads(CONNECT)
    await read.turn()
    assert not read.socket.reads(EVENT)
    await read.turn()
    assert read.session.noted == [CONNECT]
    read.session.decided.set()
    await read.turn()
    assert read.session.noted == [CONNECT, EVENT]
    assert read.socket.reads(EVENT)


async def test_a_client_that_says_much_lets_others_have_their_turn(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "STRETCH_S", -1.0)
    assert not read.socket.reads(CONNECT)
    await read.turn()
    for _ in range(3):
        assert not read.socket.reads(EVENT)
    loop = asyncio.get_running_loop()

    def another() -> None:
        """Another client has its turn in each pass of the loop."""
        read.session.noted.append("another")
        if len(read.session.noted) < 30:
            loop.call_soon(another)

    loop.call_soon(another)
    read.session.decided.set()
    while read.session.noted.count(EVENT) < 3:  # noqa: ASYNC110 -- nothing tells of it
        await asyncio.sleep(0)
    after = read.session.noted[read.session.noted.index(EVENT) :]
    assert [after[i + 1] for i in range(len(after) - 1) if after[i] == EVENT] == ["another"] * 2


@pytest.mark.parametrize("waits", [1, 2])
async def test_no_event_overtakes_one_that_is_being_received(read: Read, waits: int) -> None:
    assert not read.socket.reads(CONNECT)
    await read.turn()
    first = [f'42/ws,["{number}"]' for number in range(waits)]
    assert not any(read.socket.reads(text) for text in first)
    read.socket.read_on.append(EVENT)
    read.session.decided.set()
    await read.turn()
    assert read.session.noted == [CONNECT, *first, EVENT]


async def test_no_event_overtakes_one_that_woke_the_reader(read: Read) -> None:
    read.session.at_websocket = False
    assert not read.socket.reads("42first")
    read.session.at_websocket = True
    read.socket.read_on.append(EVENT)
    await read.turn()
    assert read.session.noted == ["42first", EVENT]


async def test_a_session_that_is_shut_takes_nothing_where_it_is_read(read: Read) -> None:
    read.session.at_websocket = False
    assert not read.socket.reads(EVENT)
    assert not read.socket.reads(PONG)


async def test_a_client_that_fell_behind_pauses_before_its_next_packet(read: Read) -> None:
    read.session.falls_behind = True
    assert read.socket.reads(EVENT)
    assert not read.socket.reads(EVENT)
    await read.turn()
    assert read.session.noted == [EVENT, "pause", EVENT]
    assert read.socket.reads(EVENT)


async def test_a_malformed_event_ends_the_reading_with_its_fault(read: Read) -> None:
    read.session.fault = ValueError("malformed")
    assert not read.socket.reads(EVENT)
    with pytest.raises(ValueError, match="malformed"):
        await read.task
