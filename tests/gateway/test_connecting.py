"""CONNECT and DISCONNECT packets that come at once, too often, or never; and how clients end."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from gateway.door import PATIENCE_S, Door, opened
from harmonic_gateway.sockets import Connection, ConnectRefused, Ended
from harmonic_gateway.sockets import limits as socket_limits
from harmonic_gateway.sockets.limits import CONNECT_COUNTS

SOCKET = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/socket.io/?EIO=4&transport=polling"


class Hesitant:
    """Has a door decide only when told to."""

    def __init__(self, door: Door) -> None:
        self.asked: list[Connection] = []
        self.decided = asyncio.Event()
        self._arrived = asyncio.Condition()
        self._connect = door.connect
        door.connect = self.connect  # type: ignore[method-assign]

    async def connect(self, connection: Connection, auth: object) -> None:
        async with self._arrived:
            self.asked.append(connection)
            self._arrived.notify_all()
        await self.decided.wait()
        await self._connect(connection, auth)

    async def until_asked(self, count: int = 1) -> None:
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.asked) >= count)


async def session(door: Door, http: aiohttp.ClientSession) -> str:
    """The address of a new polling session."""
    async with http.get(door.url + POLLING) as response:
        sid = json.loads((await response.text())[1:])["sid"]
    return f"{door.url}{POLLING}&sid={sid}"


async def post(http: aiohttp.ClientSession, url: str, body: str) -> int:
    async with http.post(url, data=body) as response:
        return response.status


async def raw(door: Door, http: aiohttp.ClientSession, **options: Any) -> Any:
    """A WebSocket that is connected to ``/ws`` without any library's help."""
    websocket = await http.ws_connect(door.url + SOCKET, **options)
    await websocket.receive_str()
    await websocket.send_str("40/ws,")
    assert (await websocket.receive_str()).startswith("40/ws,")
    assert (await websocket.receive_str()).startswith('42/ws,["connect_success"')
    return websocket


async def test_the_same_connect_in_two_posts_admits_one_client_and_leaves_none(
    door: Door, http: aiohttp.ClientSession
) -> None:
    hesitant = Hesitant(door)
    url = await session(door, http)
    first = asyncio.ensure_future(post(http, url, "40/ws,"))
    await hesitant.until_asked()

    assert await post(http, url, "40/ws,") == 400

    hesitant.decided.set()
    await first
    assert len(hesitant.asked) == 1
    assert door.connections == []
    assert door.left == [(hesitant.asked[0], False)]
    assert door.counted("sockets") == 0


@pytest.mark.parametrize("packet", ['42/ws,["early"]', '42/ws,1["early"]'])
async def test_an_event_before_connect_is_answered_is_malformed(
    door: Door, http: aiohttp.ClientSession, packet: str
) -> None:
    hesitant = Hesitant(door)
    url = await session(door, http)
    first = asyncio.ensure_future(post(http, url, "40/ws,"))
    await hesitant.until_asked()
    assert await post(http, url, packet) == 400
    hesitant.decided.set()
    await first
    assert door.received == []


async def test_a_client_that_is_refused_at_once_leaves_nothing_and_may_be_let_in_later(
    door: Door, http: aiohttp.ClientSession
) -> None:
    door.at_once = ConnectRefused("Not you", {"code": "AUTH_ERROR"})
    refusal = '44/ws,{"message":"Not you","data":{"code":"AUTH_ERROR"}}'
    url = await session(door, http)
    assert await post(http, url, "40/ws,") == 200
    async with http.get(url) as response:
        assert await response.text() == refusal
    websocket = await http.ws_connect(door.url + SOCKET)
    await websocket.receive_str()
    await websocket.send_str("40/ws,")
    assert await websocket.receive_str() == refusal
    door.at_once = None
    await websocket.send_str("40/ws,")
    assert (await websocket.receive_str()).startswith("40/ws,")
    assert len(door.connections) == 1
    assert door.left == []


async def test_clients_that_are_refused_at_once_again_and_again_over_one_session_are_closed(
    door: Door, http: aiohttp.ClientSession
) -> None:
    door.at_once = ConnectRefused("Not you", {"code": "AUTH_ERROR"})
    websocket = await http.ws_connect(door.url + SOCKET)
    await websocket.receive_str()
    tries = 0
    # The first is counted with its handshake, and further ones by the session's guard.
    while tries < 2 + 100 // CONNECT_COUNTS and not websocket.closed:
        tries += 1
        await websocket.send_str("40/ws,")
        if (await websocket.receive()).type is not WSMsgType.TEXT:
            break
    assert websocket.close_code == 1013
    assert tries == 2 + 100 // CONNECT_COUNTS


async def test_a_client_that_disconnects_before_it_is_answered_is_not_connected(
    door: Door, http: aiohttp.ClientSession
) -> None:
    hesitant = Hesitant(door)
    url = await session(door, http)
    first = asyncio.ensure_future(post(http, url, "40/ws,"))
    await hesitant.until_asked()
    assert await post(http, url, "41/ws,") == 200
    hesitant.decided.set()
    assert await first == 200
    assert door.connections == []
    assert [connection for connection, _ in door.left] == hesitant.asked
    # The namespace is free again.
    assert await post(http, url, "40/ws,") == 200
    assert len(door.connections) == 1


async def test_a_session_that_is_cut_before_it_is_answered_is_not_connected(
    door: Door, http: aiohttp.ClientSession
) -> None:
    hesitant = Hesitant(door)
    websocket = await http.ws_connect(door.url + SOCKET)
    await websocket.receive_str()
    await websocket.send_str("40/ws,")
    await hesitant.until_asked()
    door.server._sessions[next(iter(door.server._sessions))].shut()
    hesitant.decided.set()
    while door.counted("sockets"):  # noqa: ASYNC110 -- it shows nowhere else
        await asyncio.sleep(0.01)
    # What was decided too late is given back.
    assert await door.until("left", 1) == (hesitant.asked[0], False)
    assert door.connections == []


@pytest.mark.parametrize("namespaces", [["/ws"], ["/ws", "/"]])
async def test_a_session_whose_last_namespace_ended_is_closed(
    door: Door,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    namespaces: list[str],
) -> None:
    monkeypatch.setattr(socket_limits, "HANDSHAKE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(socket_limits, "LATE_TIMEOUT_S", 0.2)
    websocket = await raw(door, http)
    if "/" in namespaces:
        await websocket.send_str("40")
        await door.until("connections", 2)
        await websocket.send_str("41/ws,")
        await door.until("left", 1)
        # One is left: the session may stay as long as its client likes.
        await asyncio.sleep(0.4)
        assert door.counted("sockets") == 1
    await websocket.send_str(f"41{'' if '/' in namespaces else '/ws,'}")
    await door.until("left", len(namespaces))
    while not websocket.closed:
        await websocket.receive(PATIENCE_S)
    assert door.counted("sockets") == 0


async def test_a_session_that_is_used_again_in_time_stays(
    door: Door, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_limits, "HANDSHAKE_TIMEOUT_S", 0.5)
    monkeypatch.setattr(socket_limits, "LATE_TIMEOUT_S", 0.5)
    websocket = await raw(door, http)
    await websocket.send_str("41/ws,")
    await websocket.send_str("40/ws,")
    await door.until("connections", 2)
    await asyncio.sleep(1)
    assert door.counted("sockets") == 1
    await websocket.close()


async def test_connects_count_at_the_flood_guard_as_several_events(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    for _ in range(100):
        if websocket.closed:
            break
        await websocket.send_str("41/ws,")
        await websocket.send_str("40/ws,")
        message = await websocket.receive(PATIENCE_S)
        while message.type is WSMsgType.TEXT and message.data.startswith("42"):
            message = await websocket.receive(PATIENCE_S)
    assert websocket.closed
    # The first one counts nothing, and a burst is a hundred events.
    assert 1 + 100 // CONNECT_COUNTS <= len(door.connections) < 50


async def left_by(door: Door) -> bool:
    """Whether the client that left last said goodbye."""
    return bool((await door.until("left", 1))[1])


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_client_that_closes_its_websocket_says_goodbye(
    door: Door, http: aiohttp.ClientSession, code: int
) -> None:
    websocket = await raw(door, http)
    await websocket.close(code=code)
    assert await left_by(door)


def close_frame(code: int | None) -> bytes:
    """A client's close frame, masked with zeros."""
    payload = b"" if code is None else code.to_bytes(2)
    return bytes((0x88, 0x80 | len(payload))) + bytes(4) + payload


@pytest.mark.parametrize("code", [None, 1000, 1001])
async def test_a_page_that_closes_and_is_gone_at_once_has_said_goodbye(
    door: Door, http: aiohttp.ClientSession, code: int | None
) -> None:
    tries = 20
    for _ in range(tries):
        websocket = await raw(door, http)
        transport = websocket._response.connection.transport
        transport.write(close_frame(code))
        transport.close()
    await door.until("left", tries)
    assert [goodbye for _, goodbye in door.left] == [True] * tries


async def test_a_connection_that_is_cut_without_a_word_is_broken(
    door: Door, http: aiohttp.ClientSession
) -> None:
    tries = 20
    for number in range(tries):
        websocket = await raw(door, http)
        transport = websocket._response.connection.transport
        if number % 2:
            transport.abort()
        else:
            transport.close()
    await door.until("left", tries)
    assert [goodbye for _, goodbye in door.left] == [False] * tries


@pytest.mark.parametrize(("code", "goodbye"), [(1000, False), (1001, True), (1011, False)])
async def test_a_client_that_misses_pings_and_closes_has_not_gone(
    http: aiohttp.ClientSession, code: int, *, goodbye: bool
) -> None:
    async with opened(ping_interval_s=0.2, ping_timeout_s=20) as door:
        websocket = await raw(door, http)
        assert await websocket.receive_str() == "2"
        await asyncio.sleep(0.2)
        await websocket.close(code=code)
        assert await left_by(door) is goodbye


async def test_a_client_that_answers_pings_and_closes_has_gone(
    http: aiohttp.ClientSession,
) -> None:
    async with opened(ping_interval_s=2, ping_timeout_s=2) as door:
        websocket = await raw(door, http)
        for _ in range(2):
            assert await websocket.receive_str() == "2"
            await websocket.send_str("3")
        await websocket.close(code=1000)
        assert await left_by(door)


@pytest.mark.parametrize("compress", [0, 15])
async def test_an_answer_to_a_ping_is_taken_while_something_before_it_waits(
    http: aiohttp.ClientSession, compress: int
) -> None:
    async with opened(ping_interval_s=1, ping_timeout_s=1) as door:
        websocket = await raw(door, http, compress=compress)
        hesitant = Hesitant(door)
        await websocket.send_str("40")
        await hesitant.until_asked()
        # The third is sent only where the others were answered.
        for _ in range(3):
            assert await websocket.receive_str() == "2"
            await websocket.send_str("3")
        hesitant.decided.set()
        assert (await websocket.receive_str()).startswith("40{")


@pytest.mark.parametrize(("why", "code"), [("too often", 1013), ("away", 1012)])
async def test_a_client_that_is_put_off_is_told_whether_it_comes_too_often(
    door: Door, http: aiohttp.ClientSession, why: str, code: int
) -> None:
    door.puts_off = why
    async with http.ws_connect(door.url + SOCKET) as websocket:
        await websocket.receive_str()
        await websocket.send_str("40/ws,")
        message = await websocket.receive(PATIENCE_S)

    assert (message.type, message.data) == (WSMsgType.CLOSE, code)
    assert door.counted("handshakes_turned_away_total") == 1


@pytest.mark.parametrize("code", [1000, 1001, 1012])
async def test_the_echo_of_the_gateways_own_close_is_no_goodbye(
    door: Door, http: aiohttp.ClientSession, code: int
) -> None:
    websocket = await raw(door, http, autoclose=False)
    closing = asyncio.ensure_future(door.server.close())
    assert (await websocket.receive(PATIENCE_S)).data == 1012
    await websocket.close(code=code)
    await closing
    assert not await left_by(door)


async def test_the_end_that_the_application_wants_is_told_at_once_and_once(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    await websocket.send_str("40")
    await door.until("connections", 2)
    first, second = door.connections
    first.close(Ended.GOODBYE)
    assert door.left[0] == (first, True)
    while not websocket.closed:
        await websocket.receive(PATIENCE_S)
    await door.until("left", 2)
    assert door.left == [(first, True), (second, False)]


async def test_a_polling_client_that_is_closed_gets_what_waits_and_its_end_is_told_at_once(
    door: Door, http: aiohttp.ClientSession
) -> None:
    url = await session(door, http)
    assert await post(http, url, "40/ws,") == 200
    [connection] = door.connections
    connection.close()
    assert door.left == [(connection, False)]
    assert await post(http, url, '42/ws,["late"]') == 400
    async with http.get(url) as response:
        assert (await response.text()).startswith("40/ws,")
    async with http.get(url) as response:
        assert await response.text() == "1"
    assert door.received == []
    assert door.left == [(connection, False)]
    assert door.counted("sockets") == 0
