"""Engine.IO where the official conformance suite finds plain python-engineio wanting; draining."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import WSMsgType

from gateway.door import PATIENCE_S, Door, opened
from harmonic_gateway.sockets import Frame, limits

PATH = "/socket.io/"
POLLING = "/socket.io/?EIO=4&transport=polling"
SOCKET = "/socket.io/?EIO=4&transport=websocket"


async def session(door: Door, http: aiohttp.ClientSession) -> str:
    """The query of a new polling session."""
    async with http.get(door.url + POLLING) as response:
        sid: str = json.loads((await response.text())[1:])["sid"]
    return f"&sid={sid}"


async def fetch(http: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    async with http.get(url) as response:
        return response.status, await response.text()


async def polling(door: Door, http: aiohttp.ClientSession, url: str) -> "asyncio.Task[object]":
    """A poll that has reached the server and waits there."""
    poll = asyncio.ensure_future(fetch(http, url))
    sid = url.partition("&sid=")[2]
    while not door.server._sessions[sid].outbox.is_polled:  # noqa: ASYNC110 -- it shows nowhere else
        await asyncio.sleep(0)
    return poll


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "?transport=polling"),
        ("GET", "?EIO=abc&transport=polling"),
        ("GET", "?EIO=4"),
        ("GET", "?EIO=4&transport=abc"),
        ("POST", "?EIO=4&transport=polling"),
        ("PUT", "?EIO=4&transport=polling"),
        ("GET", "?EIO=4&transport=polling&sid=unknown"),
    ],
)
async def test_a_handshake_that_is_not_right_is_a_bad_request(
    door: Door, http: aiohttp.ClientSession, method: str, query: str
) -> None:
    async with http.request(method, door.url + PATH + query) as response:
        assert response.status == 400
    assert door.counted("sockets") == 0


@pytest.mark.parametrize(
    "query",
    ["?transport=websocket", "?EIO=abc&transport=websocket", "?EIO=4", "?EIO=4&transport=x"],
)
async def test_a_websocket_whose_handshake_is_not_right_is_not_opened(
    door: Door, http: aiohttp.ClientSession, query: str
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await http.ws_connect(door.url + PATH + query)
    assert refusal.value.status == 400
    assert door.counted("sockets") == 0


async def test_a_session_opens_with_what_the_protocol_says_and_nothing_else(
    door: Door, http: aiohttp.ClientSession
) -> None:
    status, text = await fetch(http, door.url + POLLING)
    websocket = await http.ws_connect(door.url + SOCKET)
    openings = [json.loads(packet[1:]) for packet in (text, await websocket.receive_str())]
    for opening, upgrades in zip(openings, (["websocket"], []), strict=True):
        assert opening.pop("sid").startswith("g7.")
        assert opening == {
            "upgrades": upgrades,
            "pingInterval": 20_000,
            "pingTimeout": 20_000,
            "maxPayload": limits.MAX_TRANSPORT_BYTES,
        }
    assert (status, text[0]) == (200, "0")


async def test_intervals_are_announced_in_whole_milliseconds(http: aiohttp.ClientSession) -> None:
    async with (
        opened(ping_interval_s=1.2, ping_timeout_s=0.7) as door,
        http.ws_connect(door.url + SOCKET) as websocket,
    ):
        opening = json.loads((await websocket.receive_str())[1:])
    assert opening["pingInterval"] == 1200
    assert opening["pingTimeout"] == 700
    assert isinstance(opening["pingInterval"], int)


async def test_a_post_is_answered_ok(door: Door, http: aiohttp.ClientSession) -> None:
    sid = await session(door, http)
    for body, answer in (("40/ws,", "ok"), ("1", "ok")):
        async with http.post(door.url + POLLING + sid, data=body) as response:
            assert (response.status, await response.text()) == (200, answer)


async def test_a_body_that_does_not_end_is_a_bad_request(
    door: Door, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.1)
    ended = asyncio.Event()

    async def drip() -> AsyncIterator[bytes]:
        yield b"4"
        await ended.wait()

    url = door.url + POLLING + await session(door, http)
    async with http.post(url, data=drip()) as response:
        assert response.status == 400
    ended.set()
    assert door.counted("sockets") == 0


async def test_so_many_posts_at_once_are_no_clients(
    door: Door, http: aiohttp.ClientSession
) -> None:
    """Each of them could be one that is answered late because the client is slowed down."""
    ended = asyncio.Event()

    async def drip() -> AsyncIterator[bytes]:
        yield b"4"
        await ended.wait()

    url = door.url + POLLING + await session(door, http)
    posts = [
        asyncio.ensure_future(http.post(url, data=drip())) for _ in range(limits.MAX_POSTS_AT_ONCE)
    ]
    # One more is refused, whichever comes last.
    last = asyncio.ensure_future(http.post(url, data=drip()))
    done, _ = await asyncio.wait([*posts, last], return_when=asyncio.FIRST_COMPLETED)
    assert [each.result().status for each in done] == [400]
    ended.set()
    assert door.counted("sockets") == 0
    for each in (*posts, last):
        (await each).close()


async def test_a_second_poll_closes_the_session(door: Door, http: aiohttp.ClientSession) -> None:
    url = door.url + POLLING + await session(door, http)
    first = await polling(door, http, url)
    assert (await fetch(http, url))[0] == 400
    assert await first == (200, "1")
    assert (await fetch(http, url))[0] == 400


async def test_a_clients_close_ends_its_poll_with_a_noop(
    door: Door, http: aiohttp.ClientSession
) -> None:
    url = door.url + POLLING + await session(door, http)
    poll = await polling(door, http, url)
    async with http.post(url, data="1"):
        pass
    assert await poll == (200, "6")
    assert (await fetch(http, url))[0] == 400


async def test_a_poll_that_its_client_gave_up_ends_the_session(
    door: Door, http: aiohttp.ClientSession
) -> None:
    url = door.url + POLLING + await session(door, http)
    async with http.post(url, data="40/ws,"):
        pass
    await fetch(http, url)
    poll = await polling(door, http, url)
    poll.cancel()
    assert not (await door.until("left", 1))[1]
    assert (await fetch(http, url))[0] == 400


async def test_a_poller_that_answers_its_pings_stays(http: aiohttp.ClientSession) -> None:
    async with opened(ping_interval_s=1, ping_timeout_s=1) as door:
        url = door.url + POLLING + await session(door, http)
        for _ in range(3):
            assert await fetch(http, url) == (200, "2")
            async with http.post(url, data="3") as response:
                assert response.status == 200
        assert door.counted("heartbeat_round_trip_seconds_count") == 3
        assert door.counted("sockets") == 1


async def test_attachments_by_polling_come_in_and_go_out_byte_for_byte(
    door: Door, http: aiohttp.ClientSession
) -> None:
    url = door.url + POLLING + await session(door, http)
    body = '40/ws,\x1e451-/ws,["sound",{"_placeholder":true,"num":0}]\x1ebAQIDBA=='
    async with http.post(url, data=body) as response:
        assert response.status == 200
    assert door.received[0].args == (b"\x01\x02\x03\x04",)
    await fetch(http, url)
    sound = Frame.binary("sound", b'{"_placeholder":true,"num":0}', [b"\x01\x02\x03\x04"])
    door.connections[0].send(sound)
    packets = '451-/ws,["sound",{"_placeholder":true,"num":0}]\x1ebAQIDBA=='
    assert await fetch(http, url) == (200, packets)


async def test_a_clients_close_on_a_websocket_closes_it(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await http.ws_connect(door.url + SOCKET)
    await websocket.receive_str()
    await websocket.send_str("40/ws,")
    await door.until("connections", 1)
    await websocket.send_str("1")
    assert (await door.until("left", 1))[1]
    heard = [await websocket.receive(PATIENCE_S) for _ in range(3)]
    assert [message.type for message in heard][-1] in {WSMsgType.CLOSE, WSMsgType.CLOSED}
    assert door.counted("sockets") == 0


async def probed(
    door: Door, http: aiohttp.ClientSession
) -> tuple[str, aiohttp.ClientWebSocketResponse]:
    """A polling session, and a WebSocket that was probed for it."""
    sid = await session(door, http)
    websocket = await http.ws_connect(door.url + SOCKET + sid)
    await websocket.send_str("2probe")
    assert await websocket.receive_str() == "3probe"
    return sid, websocket


async def test_a_poll_during_an_upgrade_ends_with_a_noop(
    door: Door, http: aiohttp.ClientSession
) -> None:
    sid, websocket = await probed(door, http)
    assert await fetch(http, door.url + POLLING + sid) == (200, "6")
    await websocket.send_str("5")
    await websocket.send_str("40/ws,")
    assert (await websocket.receive_str()).startswith("40/ws,")


async def test_after_an_upgrade_neither_polls_nor_other_websockets_are_taken(
    door: Door, http: aiohttp.ClientSession
) -> None:
    sid, websocket = await probed(door, http)
    while_upgrading = await http.ws_connect(door.url + SOCKET + sid)
    assert (await while_upgrading.receive(PATIENCE_S)).type is WSMsgType.CLOSE
    await websocket.send_str("5")
    await websocket.send_str("40/ws,")
    assert (await websocket.receive_str()).startswith("40/ws,")
    assert (await fetch(http, door.url + POLLING + sid))[0] == 400
    second = await http.ws_connect(door.url + SOCKET + sid)
    assert (await second.receive(PATIENCE_S)).type is WSMsgType.CLOSE
    await websocket.send_str('42/ws,1["hello"]')
    assert (await websocket.receive_str()).startswith("42/ws,")
    assert await websocket.receive_str() == '43/ws,1[{"ok":true}]'
    await websocket.close()


async def test_a_heartbeats_round_trip_is_known_and_measured(http: aiohttp.ClientSession) -> None:
    async with (
        opened(ping_interval_s=0.5, ping_timeout_s=20) as door,
        http.ws_connect(door.url + SOCKET) as websocket,
    ):
        await websocket.receive_str()
        await websocket.send_str("40/ws,")
        await websocket.receive_str()
        await websocket.receive_str()
        connection = door.connections[0]
        before = connection.round_trip_ms
        await websocket.send_str("3")
        assert await websocket.receive_str() == "2"
        await websocket.send_str("3")
        await websocket.send_str('42/ws,1["hello"]')
        await websocket.receive_str()
        # Only the answer that followed the ping is one.
        assert door.counted("heartbeat_round_trip_seconds_count") == 1
        assert before is None
        assert connection.round_trip_ms is not None
        assert door.counted("heartbeat_round_trip_seconds_sum") == connection.round_trip_ms / 1000


async def test_draining_turns_new_clients_away_at_once_and_closes_one_after_the_other(
    door: Door, http: aiohttp.ClientSession
) -> None:
    first, second = [await http.ws_connect(door.url + SOCKET) for _ in range(2)]
    for websocket in (first, second):
        await websocket.receive_str()
        await websocket.send_str("40/ws,")
        await websocket.receive_str()
        await websocket.receive_str()
    closing = asyncio.ensure_future(door.server.close(stagger_s=1000))
    message = await first.receive(PATIENCE_S)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1012)
    assert (await fetch(http, door.url + POLLING))[0] == 503
    await second.send_str('42/ws,1["hello"]')
    assert await second.receive_str() == '43/ws,1[{"ok":true}]'
    closing.cancel()


async def test_a_poller_gets_what_waits_and_then_the_close_alone(
    door: Door, http: aiohttp.ClientSession
) -> None:
    url = door.url + POLLING + await session(door, http)
    async with http.post(url, data="\x1e".join(["40/ws,", *['42/ws,["echo",1]'] * 20])):
        pass
    closing = asyncio.ensure_future(door.server.close())
    heard: list[list[str]] = []
    while not heard or heard[-1] != ["1"]:
        status, text = await fetch(http, url)
        assert status == 200
        heard.append(text.split("\x1e"))
        if len(heard) == 1:
            async with http.post(url, data='42/ws,["echo",2]') as response:
                assert response.status == 400
    await closing
    assert sum(len(packets) for packets in heard) == len(["40", "connect_success", "1"]) + 20
    assert (await fetch(http, url))[0] == 400
    assert len(door.left) == 1
