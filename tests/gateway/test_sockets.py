"""Engine.IO and Socket.IO as clients meet them, well-behaved ones and others."""

import asyncio
import gc
import io
import json
import socket
from collections.abc import Iterable
from typing import Any

import aiohttp
import pytest
import socketio
from aiohttp import WSMsgType
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from gateway.door import PATIENCE_S, Door, opened
from harmonic_gateway.limits.pace import PaceLimits
from harmonic_gateway.sockets import Frame, attached, broadcast, lingering
from harmonic_gateway.sockets import limits as socket_limits
from harmonic_gateway.sockets.frames import close_frame
from harmonic_runtime.process.entropy import new_id

SOCKET = "/socket.io/?EIO=4&transport=websocket"
AGENT = "Tester/1.0"
POLLING = "/socket.io/?EIO=4&transport=polling"
UPGRADE = (
    f"GET {SOCKET} HTTP/1.1\r\nHost: x\r\nUser-Agent: {AGENT}\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def connected(door: Door, **options: Any) -> socketio.AsyncClient:
    client = socketio.AsyncClient(reconnection=False)
    client.heard = []

    async def hear(event: str, *args: Any) -> None:
        client.heard.append((event, *args))

    namespaces = options.setdefault("namespaces", ["/ws"])
    for namespace in namespaces:
        client.on("*", hear, namespace=namespace)
    await client.connect(door.url, wait_timeout=PATIENCE_S, **options)
    return client


async def raw(door: Door, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    """A WebSocket that is connected to ``/ws`` without any library's help."""
    websocket = await http.ws_connect(door.url + SOCKET, max_msg_size=0)
    await websocket.receive_str()
    await websocket.send_str("40/ws,")
    assert (await websocket.receive_str()).startswith("40/ws,")
    assert (await websocket.receive_str()).startswith('42/ws,["connect_success"')
    return websocket


@pytest.mark.parametrize("namespace", ["/ws", "/"])
@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_events_and_acks_come_in_order_on_every_transport(
    door: Door, namespace: str, transports: list[str]
) -> None:
    client = await connected(door, namespaces=[namespace], transports=transports)
    for number in range(50):
        await client.emit("echo", number, namespace=namespace)
    assert await client.call("last", {}, namespace=namespace, timeout=PATIENCE_S) == {"ok": True}
    assert client.heard[0] == ("connect_success", {"hello": True})
    assert client.heard[1:] == [("echoed", number) for number in range(50)]
    assert [event.args for event in door.received[:50]] == [(n,) for n in range(50)]
    await client.disconnect()


async def test_the_alias_path_serves_the_same(door: Door) -> None:
    client = await connected(door, socketio_path="ws", transports=["websocket"])
    assert await client.call("hello", {}, namespace="/ws") == {"ok": True}
    await client.disconnect()


async def test_both_namespaces_share_a_connection(door: Door) -> None:
    client = await connected(door, namespaces=["/ws", "/"], transports=["websocket"])
    for connection in door.connections:
        connection.send(Frame.event("for", json.dumps(connection.namespace).encode()))
    await client.call("hello", {}, namespace="/")
    told = sorted(entry[1] for entry in client.heard if entry[0] == "for")
    assert told == ["/", "/ws"]
    assert door.connections[0]._socket is door.connections[1]._socket
    await client.disconnect()


async def test_an_unknown_namespace_is_refused_with_a_text_and_a_code(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    await websocket.send_str("40/other,")
    answer = await websocket.receive_str()
    assert answer.startswith("44/other,")
    refusal = json.loads(answer.removeprefix("44/other,"))
    assert refusal == {
        "message": "Unknown namespace",
        "data": {"error": "Unknown namespace", "code": "NOT_FOUND"},
    }


@pytest.mark.parametrize("namespace", ["/", "/ws"])
@pytest.mark.parametrize("auth", [None, {"token": "123"}])
async def test_a_namespace_is_connected_with_what_the_client_brings(
    door: Door, http: aiohttp.ClientSession, namespace: str, auth: object
) -> None:
    place = "" if namespace == "/" else f"{namespace},"
    websocket = await http.ws_connect(door.url + SOCKET)
    await websocket.receive_str()
    await websocket.send_str(f"40{place}{'' if auth is None else json.dumps(auth)}")
    answer = await websocket.receive_str()
    assert answer.startswith(f"40{place}{{")
    assert list(json.loads(answer.removeprefix(f"40{place}"))) == ["sid"]
    connection = await door.until("connections", 1)
    assert (connection.namespace, connection.session) == (namespace, auth)


async def test_what_is_no_handshake_closes_the_connection(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await http.ws_connect(door.url + SOCKET)
    await websocket.receive_str()
    await websocket.send_str("4abc")
    assert (await websocket.receive(PATIENCE_S)).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
    assert door.counted("sockets") == 0


async def test_who_leaves_a_namespace_stays_connected_and_in_the_others(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    await websocket.send_str("40")
    assert (await websocket.receive_str()).startswith("40{")
    assert await websocket.receive_str() == '42["connect_success",{"hello":true}]'
    await websocket.send_str("41")
    assert (await door.until("left", 1))[0].namespace == "/"
    await websocket.send_str('42/ws,456["message",1,"2",{"3":[true]}]')
    assert await websocket.receive_str() == '43/ws,456[{"ok":true}]'
    assert door.received[0].args == (1, "2", {"3": [True]})
    await websocket.send_str("41/ws,")
    assert (await door.until("left", 2))[0].namespace == "/ws"
    assert not websocket.closed
    assert door.counted("sockets") == 1


async def test_an_event_with_attachments_is_acknowledged(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    placeholders = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
    await websocket.send_str(f'452-/ws,789["message",{placeholders}]')
    await websocket.send_bytes(b"\x01\x02\x03")
    await websocket.send_bytes(b"\x04\x05\x06")
    assert await websocket.receive_str() == '43/ws,789[{"ok":true}]'
    assert door.received[0].args == (b"\x01\x02\x03", b"\x04\x05\x06")


async def test_a_refused_client_is_told_why_and_the_connection_stays(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await http.ws_connect(door.url + SOCKET)
    await websocket.receive_str()
    await websocket.send_str('40/ws,{"refuse":"AUTH_ERROR"}')
    answer = await websocket.receive_str()
    assert json.loads(answer.removeprefix("44/ws,"))["data"]["code"] == "AUTH_ERROR"
    await websocket.send_str("40/ws,")
    assert (await websocket.receive_str()).startswith("40/ws,")


async def test_a_handshake_that_must_wait_gets_503_and_a_time(
    door: Door, http: aiohttp.ClientSession
) -> None:
    door.closed_for = "not now"
    async with http.get(door.url + POLLING) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
    assert door.counted("handshakes_turned_away_total") == 1


async def test_forty_packets_in_one_poll_all_arrive(
    door: Door, http: aiohttp.ClientSession
) -> None:
    async with http.get(door.url + POLLING) as response:
        sid = json.loads((await response.text())[1:])["sid"]
    assert sid.startswith("g7.")
    packets = ["40/ws,", *(f'42/ws,{n}["echo",{n}]' for n in range(40))]
    async with http.post(f"{door.url}{POLLING}&sid={sid}", data="\x1e".join(packets)) as response:
        assert response.status == 200
    assert [event.ack_id for event in door.received] == list(range(40))
    async with http.post(f"{door.url}{POLLING}&sid={sid}", data="1"):
        pass


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("no packet", {}),
        ("4", {}),
        ("b!!!", {}),
        ("42/ws,[", {}),
        ("40/ws,", {"Content-Encoding": "gzip"}),
        ("4" * (1024 * 1024 + 1), {}),
        ("\x1e".join(["3"] * 1001), {}),
    ],
)
async def test_a_malformed_poll_is_answered_400_and_ends_the_session(
    door: Door, http: aiohttp.ClientSession, body: str, headers: dict[str, str]
) -> None:
    async with http.get(door.url + POLLING) as response:
        sid = json.loads((await response.text())[1:])["sid"]
    url = f"{door.url}{POLLING}&sid={sid}"
    async with http.post(url, data=io.BytesIO(body.encode()), headers=headers) as response:
        assert response.status == 400
    async with http.get(url) as response:
        assert response.status == 400
    assert door.counted("sockets") == 0


@pytest.mark.parametrize(
    "packet",
    [
        "x",
        "9",
        "4",
        "4x",
        "42/ws,",
        "42/ws,[",
        "42/ws,{}",
        "42/ws,[]",
        "42/ws,[1]",
        '42/ws,abc["x"]',
        "42/other,[]",
        '42/other,["x"]',
        "40/ws,",
        "40/ws,[]",
        "44/ws,{}{}",
        '451-/ws,["x"]x',
        '4511-/ws,["x"]',
        '451000000-/ws,["x"]',
        '45/ws,["x"]',
        '421-/ws,["x"]',
        "0",
        "5",
    ],
)
async def test_what_is_no_packet_closes_the_connection_and_leaves_nothing(
    door: Door, http: aiohttp.ClientSession, packet: str
) -> None:
    websocket = await raw(door, http)
    await websocket.send_str(packet)
    message = await websocket.receive(PATIENCE_S)
    assert message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
    assert not (await door.until("left", 1))[1]
    assert door.counted("sockets") == 0
    assert door.received == []


@pytest.mark.parametrize(
    "packets",
    [
        [b"nothing announced it"],
        ['451-/ws,["x",{"_placeholder":true,"num":1}]', b"x"],
        ['451-/ws,["x"]', b"x"],
        [
            '451-/ws,["x",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]]',
            b"x",
        ],
        ['451-/ws,["x",{"_placeholder":true,"num":0}]', "text instead"],
    ],
)
async def test_attachments_that_do_not_fit_close_the_connection(
    door: Door, http: aiohttp.ClientSession, packets: list[str | bytes]
) -> None:
    websocket = await raw(door, http)
    for packet in packets:
        await (
            websocket.send_bytes(packet)
            if isinstance(packet, bytes)
            else websocket.send_str(packet)
        )
    assert (await websocket.receive(PATIENCE_S)).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
    assert door.counted("malformed_packets_total") + door.counted("sockets") == 1


async def test_attachments_come_in_and_go_out_byte_for_byte(door: Door) -> None:
    client = await connected(door, transports=["websocket"])
    await client.emit("sound", {"a": b"\x00\xff", "b": [b"second"]}, namespace="/ws")
    event = await door.until("received", 1)
    assert event.args == ({"a": b"\x00\xff", "b": [b"second"]},)
    out = Frame.binary("sound", b'{"a":{"_placeholder":true,"num":0}}', [b"\x01\xfe"])
    broadcast([out], door.connections)
    await client.call("hello", {}, namespace="/ws")
    assert client.heard[-1] == ("sound", {"a": b"\x01\xfe"})
    await client.disconnect()


async def test_reserved_names_are_events_like_any_other(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    for name in ("connect", "disconnect", "connect_error"):
        await websocket.send_str(f'42/ws,1["{name}",{{}}]')
        assert await websocket.receive_str() == '43/ws,1[{"ok":true}]'
    assert len(door.connections) == 1
    assert door.left == []


async def test_an_event_too_large_or_too_deep_to_read_is_still_told_by_name(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    await websocket.send_str('42/ws,7["big","' + "x" * 200_000 + '"]')
    big = await door.until("received", 1)
    assert (big.name, big.args, big.ack_id) == ("big", None, 7)
    assert big.size_bytes > 200_000
    await websocket.send_str('42/ws,["deep",' + "[" * 20_000 + "]" * 20_000 + "]")
    deep = await door.until("received", 2)
    assert (deep.name, deep.args) == ("deep", None)


async def test_numbers_that_json_cannot_say_reach_the_checks(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    await websocket.send_str('42/ws,["x",NaN,1e400,' + "9" * 5000 + "]")
    event = await door.until("received", 1)
    assert [str(value) for value in event.args] == ["nan", "inf", "inf"]


async def test_a_goodbye_is_clean_and_a_cut_is_not(door: Door, http: aiohttp.ClientSession) -> None:
    polite = await raw(door, http)
    await polite.send_str("41/ws,")
    assert (await door.until("left", 1))[1]
    closing = await raw(door, http)
    await closing.close(code=1000)
    assert (await door.until("left", 2))[1]
    cut = await raw(door, http)
    transport: Any = cut.get_extra_info("socket")
    transport.shutdown(socket.SHUT_RDWR)
    assert not (await door.until("left", 3))[1]


async def test_a_client_that_leaves_pings_unanswered_is_let_go(http: aiohttp.ClientSession) -> None:
    async with opened(ping_interval_s=1, ping_timeout_s=1) as door:
        websocket = await raw(door, http)
        assert await websocket.receive_str() == "2"
        await websocket.send_str("3")
        assert await websocket.receive_str() == "2"
        assert not (await door.until("left", 1))[1]
        assert door.counted("heartbeats_missed_total") == 1


async def test_a_polling_client_that_is_silent_is_let_go(http: aiohttp.ClientSession) -> None:
    async with opened(ping_interval_s=1, ping_timeout_s=1) as door:
        async with http.get(door.url + POLLING) as response:
            sid = json.loads((await response.text())[1:])["sid"]
        async with http.post(f"{door.url}{POLLING}&sid={sid}", data="40/ws,"):
            pass
        assert not (await door.until("left", 1))[1]
        assert door.counted("sockets") == 0


async def test_a_client_without_a_namespace_is_let_go(
    door: Door, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_limits, "HANDSHAKE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(socket_limits, "LATE_TIMEOUT_S", 0.1)
    websocket = await http.ws_connect(door.url + SOCKET)
    await websocket.receive_str()
    assert (await websocket.receive(PATIENCE_S)).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
    assert door.counted("sockets") == 0


async def test_who_does_not_read_is_closed_and_nobody_else_waits(
    door: Door, http: aiohttp.ClientSession
) -> None:
    reader = await connected(door, transports=["websocket"])
    slow = await raw(door, http)
    frame = Frame.event("large", b'"' + b"x" * 50_000 + b'"')
    transport: Any = slow.get_extra_info("transport") or slow._conn.transport  # type: ignore[union-attr]
    transport.pause_reading()
    rounds = 0
    while not door.left:
        broadcast([frame], door.connections[:2])
        rounds += 1
        await reader.call("hello", {}, namespace="/ws", timeout=PATIENCE_S)
        assert rounds < 500
    connection, clean = door.left[0]
    assert (connection, clean) == (door.connections[1], False)
    assert door.counted("send_buffer_overflows_total") == 1
    assert sum(entry[0] == "large" for entry in reader.heard) == rounds
    await reader.disconnect()


async def test_a_polling_client_that_does_not_poll_is_closed_at_the_same_bound(
    http: aiohttp.ClientSession,
) -> None:
    async with opened(max_buffer_bytes=10_000) as door:
        async with http.get(door.url + POLLING) as response:
            sid = json.loads((await response.text())[1:])["sid"]
        async with http.post(f"{door.url}{POLLING}&sid={sid}", data="40/ws,"):
            pass
        broadcast([Frame.event("large", b'"' + b"x" * 20_000 + b'"')], door.connections)
        assert not (await door.until("left", 1))[1]
        assert door.counted("send_buffer_overflows_total") == 1


async def test_nothing_is_lost_or_overtaken_by_an_upgrade(
    door: Door, http: aiohttp.ClientSession
) -> None:
    async with http.get(door.url + POLLING) as response:
        sid = json.loads((await response.text())[1:])["sid"]
    async with http.post(f"{door.url}{POLLING}&sid={sid}", data="40/ws,"):
        pass

    def say(number: int) -> None:
        broadcast([Frame.event("n", str(number).encode())], door.connections)

    async with http.get(f"{door.url}{POLLING}&sid={sid}") as response:
        heard = (await response.text()).split("\x1e")
    poll = asyncio.ensure_future(http.get(f"{door.url}{POLLING}&sid={sid}"))
    websocket = await http.ws_connect(f"{door.url}{SOCKET}&sid={sid}")
    await websocket.send_str("2probe")
    assert await websocket.receive_str() == "3probe"
    heard.extend((await (await poll).text()).split("\x1e"))
    say(1)
    say(2)
    await websocket.send_str("5")
    say(3)
    heard.extend([await websocket.receive_str() for _ in range(3)])
    say(4)
    heard.append(await websocket.receive_str())
    events = [packet for packet in heard if '"n"' in packet]
    assert events == [f'42/ws,["n",{number}]' for number in (1, 2, 3, 4)]


async def test_closing_tells_websockets_to_come_back_and_polls_that_it_is_over(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    async with http.get(door.url + POLLING) as response:
        sid = json.loads((await response.text())[1:])["sid"]
    poll = asyncio.ensure_future(http.get(f"{door.url}{POLLING}&sid={sid}"))
    polling = door.server._sessions[sid]
    while not polling.outbox.is_polled:  # noqa: ASYNC110 -- its arrival shows nowhere else
        await asyncio.sleep(0)
    await door.server.close()
    message = await websocket.receive(PATIENCE_S)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1012)
    assert await (await poll).text() == "1"
    async with http.get(door.url + POLLING) as response:
        assert response.status == 503


async def test_a_client_that_is_refused_on_and_on_is_read_slowly_and_then_closed(
    http: aiohttp.ClientSession,
) -> None:
    slow = PaceLimits(connection_percent=5, user_percent=10, refusals_per_s=50, refusals_burst=5)
    async with opened(pace=slow) as door:
        door.refuses.add("nonsense")
        websocket = await raw(door, http)
        for _ in range(100):
            await websocket.send_str('42/ws,["nonsense",{}]')

        while (message := await websocket.receive(PATIENCE_S)).type is WSMsgType.TEXT:
            pass

        assert (message.type, message.data) == (WSMsgType.CLOSE, 1008)
        # As many at once as may be, as many more while it was slowed, and those too many.
        assert 2 * slow.refusals_burst + 2 <= len(door.received) < 100
        assert door.exhaustions == door.connections
        assert door.counted("disconnects_total", reason="refusals") == 1
        assert door.counted("reading_slowed_seconds_total") > 0
        assert not (await door.until("left", 1))[1]


async def test_what_messages_cost_is_waited_for_and_others_are_not_kept_waiting(
    http: aiohttp.ClientSession,
) -> None:
    """Each message costs more than the connection earns while the test lasts."""
    poor = PaceLimits(
        connection_percent=1e-6, user_percent=10, refusals_per_s=50, refusals_burst=50
    )
    async with opened(pace=poor) as door:
        hostile, other = await raw(door, http), await raw(door, http)
        for _ in range(3):
            await hostile.send_str('42/ws,["dear",{}]')
        await door.until("received", 1)

        await other.send_str('42/ws,["cheap",{}]')
        await door.until("received", 2)

        assert {event.name for event in door.received} == {"dear", "cheap"}
        # What was read slowly is read in the end.
        await door.until("received", 4)
        assert door.counted("reading_slowed_seconds_total") > 0


async def test_pings_of_a_client_are_answered_and_those_without_end_are_paid_for(
    http: aiohttp.ClientSession,
) -> None:
    poor = PaceLimits(
        connection_percent=1e-6, user_percent=10, refusals_per_s=50, refusals_burst=50
    )
    async with opened(pace=poor) as door:
        websocket = await http.ws_connect(door.url + SOCKET, autoping=False)
        await websocket.receive_str()
        await websocket.ping(b"there?")

        answer = await websocket.receive(PATIENCE_S)

        assert (answer.type, answer.data) == (WSMsgType.PONG, b"there?")
        assert door.counted("reading_slowed_seconds_total") > 0


async def test_frames_that_never_end_a_message_end_their_connection(
    door: Door, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attached, "MAX_UNPAID_S", 1e-5)
    websocket = await raw(door, http)
    cut: Any = websocket._conn.transport  # type: ignore[union-attr]
    # A ping, which cannot be answered any more. Then an opening frame of text without its end, and
    # empty ones that go on with it.
    unmasked = b"\x80\x00\x00\x00\x00"
    cut.write(b"\x89" + unmasked + b"\x01" + unmasked + (b"\x00" + unmasked) * 10_000)

    assert not (await door.until("left", 1))[1]
    assert door.failures == []


async def test_no_handler_waits_while_a_websocket_is_open(
    door: Door, http: aiohttp.ClientSession
) -> None:
    await raw(door, http)

    handling = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]

    assert "RequestHandler._handle_request" not in handling
    assert "RequestHandler.start" not in handling


async def writing_on(door: Door) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that is closed for what it said, and goes on to write without reading."""
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(door.url).port)
    writer.write(UPGRADE.encode())
    await reader.readuntil(b'"sid"')
    writer.write(_masked(b"40/ws,"))
    await reader.readuntil(b"connect_success")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(_masked(b"no packet") + _masked(b"3") * (4 * 1024 * 1024 // 7))
    return reader, writer


async def test_a_client_that_still_writes_is_told_why_it_is_closed(door: Door) -> None:
    reader, writer = await writing_on(door)
    # Its system would drop what it has not read, if what it writes were not taken any more.
    await writer.drain()
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    await reader.readuntil(close_frame(1002))
    # It is given time to answer, and not much longer.
    writer.write(_masked(b"3") + _masked_close(1002))
    assert not await reader.read()
    writer.close()
    await writer.wait_closed()
    assert not (await door.until("left", 1))[1]
    assert door.failures == []


async def test_a_client_that_writes_without_end_is_not_read_for_ever(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lingering, "MAX_LINGER_BYTES", 64 * 1024)
    _, writer = await writing_on(door)
    with pytest.raises(ConnectionError):
        await writing_for_ever(writer)


async def test_a_client_that_does_not_end_its_connection_is_not_waited_for(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lingering, "MAX_LINGER_S", 0.05)
    monkeypatch.setattr(lingering, "MAX_LINGER_BYTES", 2**40)
    _, writer = await writing_on(door)
    with pytest.raises(ConnectionError):
        await writing_for_ever(writer)


async def writing_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(_masked(b"3") * 10_000)
        await writer.drain()


async def test_the_headers_of_a_request_are_not_kept_for_the_life_of_its_websocket(
    door: Door,
) -> None:
    """Told by name and value: nothing that is alive holds this one."""
    marker = new_id()
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(door.url).port)
    writer.write(
        f"GET {SOCKET} HTTP/1.1\r\nHost: x\r\nX-Marked: {marker}\r\nUser-Agent: {AGENT}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    await reader.readuntil(b'"sid"')
    writer.write(_masked(b"40/ws,"))
    connection = await door.until("connections", 1)

    gc.collect()
    holders = [type(each).__name__ for each in gc.get_objects() if _holds(each, marker)]

    assert holders == []
    assert connection.handshake.headers == {"User-Agent": AGENT}
    writer.close()


def _holds(thing: object, marker: str) -> bool:
    """Whether a collection holds a text or bytes with a marker."""
    match thing:
        case CIMultiDict() | CIMultiDictProxy() | dict():
            held: Iterable[object] = thing.values()
        case list() | tuple():
            held = thing
        case _:
            return False
    return any(
        (isinstance(each, str) and marker in each)
        or (isinstance(each, bytes) and marker.encode() in each)
        for each in held
        if each is not marker
    )


def _masked(text: bytes, first: int = 0x81) -> bytes:
    """A client's frame, of text if nothing else is said, with a mask of zeros."""
    return bytes((first, 0x80 | len(text), 0, 0, 0, 0)) + text


def _masked_close(code: int) -> bytes:
    """A client's close frame."""
    return _masked(code.to_bytes(2), first=0x88)
