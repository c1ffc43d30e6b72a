"""Reading a WebSocket: what is taken in the call of its transport, and what waits for its turn."""

import asyncio
from collections.abc import Awaitable
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
        self.reader: Reading | None = None
        self.waiting: asyncio.Queue[WSMessage] = asyncio.Queue()
        #: Read, and perhaps taken, while the next message is received.
        self.read_on: list[str] = []
        self.finished: list[WSMessage | None] = []
        self.pongs: list[bytes] = []

    @property
    def is_all_received(self) -> bool:
        return not self.waiting.qsize()

    def take_cost_s(self) -> float:
        return 0.0

    async def receive(self) -> WSMessage:
        message = await self.waiting.get()
        # To receive it makes room, so that the transport reads on.
        while self.read_on:
            self.reads(self.read_on.pop(0))
        return message

    def pong(self, data: bytes) -> None:
        self.pongs.append(data)

    def finish(self, last: WSMessage | None) -> None:
        self.finished.append(last)

    def reads(self, text: str) -> bool:
        """Whether a text was taken where it was read; else it is received in its turn."""
        assert self.reader is not None
        is_taken = self.reader.take_text(None if self.waiting.qsize() else text)
        if not is_taken:
            self.gets(WSMessage(WSMsgType.TEXT, text, None))
        return is_taken

    def gets(self, message: WSMessage) -> None:
        """Something comes that is no text."""
        assert self.reader is not None
        self.waiting.put_nowait(message)
        self.reader.wake()


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
        self.ends: list[tuple[int | None, Exception | None]] = []
        self.charged_s = 0.0

    def charge(self, cost_s: float) -> None:
        self.charged_s += cost_s

    def read_to_end(self, code: int | None, fault: Exception | None) -> None:
        self.ends.append((code, fault))

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

    def __init__(self, *waiting: str) -> None:
        self.socket, self.session = Socket(), Session()
        for text in waiting:
            self.socket.waiting.put_nowait(WSMessage(WSMsgType.TEXT, text, None))
        self.session.at_websocket = True
        self.reading = Reading(cast("Any", self.session), self.socket)
        self.socket.reader = self.reading
        self.reading.begin()

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
    fault = read.session.fault = ValueError("malformed")
    assert not read.socket.reads(EVENT)
    await read.turn()
    assert read.session.ends == [(None, fault)]
    assert read.socket.finished == [None]


async def test_what_came_before_it_began_is_taken(read: Read) -> None:
    later = Read(CONNECT)
    later.session.decided.set()
    await later.turn()
    assert later.session.noted == [CONNECT]
    assert later.socket.reads(EVENT)


async def test_a_ping_of_the_websocket_is_answered_and_charged(read: Read) -> None:
    read.socket.gets(WSMessage(WSMsgType.PING, b"there?", None))
    await read.turn()
    assert read.socket.pongs == [b"there?"]
    assert read.session.charged_s > 0


async def test_a_close_frame_ends_the_reading_with_its_code_after_what_came_before(
    read: Read,
) -> None:
    read.session.decided.set()
    assert not read.socket.reads(CONNECT)
    closing = WSMessage(WSMsgType.CLOSE, 1001, None)
    read.socket.gets(closing)
    await read.turn()
    assert read.session.noted == [CONNECT]
    assert read.session.ends == [(1001, None)]
    assert read.socket.finished == [closing]


async def test_nothing_runs_while_nothing_comes(read: Read) -> None:
    read.session.decided.set()
    assert not read.socket.reads(CONNECT)
    await read.turn()
    assert read.reading._task is None


async def test_a_lost_connection_ends_the_reading_once(read: Read) -> None:
    read.reading.lost()
    read.reading.lost()
    await read.turn()
    assert read.session.ends == [(None, None)]


@pytest.mark.parametrize("turns", [0, 1, 5])
async def test_a_lost_connection_gives_up_what_is_being_decided(read: Read, turns: int) -> None:
    assert not read.socket.reads(CONNECT)
    assert not read.socket.reads(EVENT)
    for _ in range(turns):
        await asyncio.sleep(0)
    read.reading.lost()
    read.session.decided.set()
    await read.turn()
    assert EVENT not in read.session.noted
    assert read.session.ends == [(None, None)]
    assert read.reading._task is None


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_may_be_lost_at_any_moment(read: Read, turns: int) -> None:
    read.session.decided.set()
    assert not read.socket.reads(CONNECT)
    for _ in range(turns):
        await asyncio.sleep(0)
    read.reading.lost()
    await read.turn()
    assert read.session.ends == [(None, None)]


async def test_a_session_that_says_goodbye_is_finished(read: Read) -> None:
    read.session.closed = True
    assert not read.socket.reads("1")
    await read.turn()
    assert read.session.noted == []
    assert read.session.ends == [(None, None)]
    assert read.socket.finished == [None]


async def test_a_fault_of_this_program_ends_the_connection_and_is_told(read: Read) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    read.session.fault = KeyError("a bug")
    read.session.at_websocket = False
    assert not read.socket.reads(CONNECT)
    await read.turn()
    assert read.session.ends == [(None, None)]
    assert len(told) == 1
