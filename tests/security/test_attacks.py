"""Attacks, each with the answer that it gets, and with a bound to what it costs."""

import asyncio
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from aiohttp import WSMsgType, web

from fuzz.packets import frame
from gateway.door import PATIENCE_S, Door, opened
from harmonic_gateway.http import api, listening
from harmonic_gateway.limits.dead_tokens import ANSWERED_REFUSALS
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import limits as socket_limits
from harmonic_gateway.sockets import namespaces
from harmonic_local.tokens import make_token
from harmonic_protocol.messages.universes import CreateUniverse
from harmonic_protocol.refusals import Refused
from harness.world import SECRET, World, started

MIB = 1024 * 1024
POLLING = "/socket.io/?EIO=4&transport=polling"
SOCKET = "/socket.io/?EIO=4&transport=websocket"
#: What it inflates to is a thousand times what it takes.
BOMB_MIB = 200
#: What attacks may leave behind in a process's memory: buffers, and what Python keeps for later.
SPARE_MIB = 24
#: For how long idle connections are kept where little patience is had for anything else.
KEPT_S = 4.0
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def sid_of(http: aiohttp.ClientSession, url: str) -> str:
    """The id of a new polling session."""
    async with http.get(url + POLLING) as response:
        sid: str = json.loads((await response.text())[1:])["sid"]
    return sid


async def raw(door: Door, http: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    """A WebSocket that is connected to ``/ws``."""
    websocket = await http.ws_connect(door.url + SOCKET, max_msg_size=0)
    await websocket.send_str("40/ws,")
    for _ in range(3):
        await websocket.receive_str()
    return websocket


async def until_none_is_left(door: Door) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while door.counted("sockets"):  # noqa: ASYNC110 -- a gauge tells nobody
            await asyncio.sleep(0.02)


async def answer_to(port: int, *parts: bytes) -> bytes:
    """All that a server says to some bytes, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()
    return answer


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def memory_mib(world: World, gateway: int = 0) -> float:
    process = psutil.Process(world.stack.gateways[gateway].pid)
    return float(process.memory_info().rss) / MIB


# Tokens and sessions


async def test_a_token_of_9_kb_is_refused_unread_wherever_it_is_brought(world: World) -> None:
    token = "x" * 9 * 1024
    async with world.http.get(f"{world.stack.urls[0]}{POLLING}&token={token}") as response:
        assert response.status == 400

    refusal = await world.refused(token)

    assert refusal["data"]["code"] == "AUTH_ERROR"
    assert refusal["data"]["details"]["reason"] == "INVALID"


async def test_whoever_has_a_sessions_id_speaks_for_its_client_until_it_goes_over(
    world: World, http: aiohttp.ClientSession
) -> None:
    """The id is a secret like a token, never logged, and of no use once there is a WebSocket."""
    base = world.stack.urls[0]
    sid = await sid_of(http, base)
    assert len(sid.partition(".")[2]) >= 22
    url = f"{base}{POLLING}&sid={sid}"
    connect = "40/ws," + json.dumps({"token": world.token("ann")})
    await http.post(url, data=connect)

    async with aiohttp.ClientSession() as elsewhere:
        spoken = await elsewhere.post(
            url, data='42/ws,1["x"]', headers={"Authorization": f"Bearer {world.token('mallory')}"}
        )
        assert spoken.status == 200
        async with http.get(url) as response:
            heard = await response.text()
        assert '"userId":"ann"' in heard
        assert "mallory" not in heard

        websocket = await http.ws_connect(f"{base}{SOCKET}&sid={sid}")
        await websocket.send_str("2probe")
        await websocket.receive_str()
        await websocket.send_str("5")
        await websocket.send_str('42/ws,2["y"]')
        assert (await websocket.receive_str()).startswith("43/ws,2")
        assert (await elsewhere.post(url, data="41/ws,")).status == 400
        assert (await elsewhere.get(url)).status == 400
        await websocket.send_str('42/ws,3["y"]')
        await websocket.receive_str()
        assert (await websocket.receive_str()).startswith("43/ws,3")


async def test_a_sessions_id_that_is_guessed_or_changed_is_nobodys(
    world: World, http: aiohttp.ClientSession
) -> None:
    sid = await sid_of(http, world.stack.urls[0])
    for guess in (sid[:-1], sid + "A", sid.swapcase(), "g1.", "g1.%00", ""):
        url = f"{world.stack.urls[0]}{POLLING}&sid={guess}"
        assert (await http.post(url, data="40/ws,")).status == 400


# Slow clients


@pytest.fixture
async def patient(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """The gateway's own listening, with an operation to post to, and little patience: its port."""
    monkeypatch.setattr(listening, "HEAD_TIMEOUT_S", 0.3)
    monkeypatch.setattr(api, "BODY_TIMEOUT_S", 0.3)

    async def create(request: web.Request) -> web.Response:
        asked = await api.read_operation(CreateUniverse, request)
        assert isinstance(asked, Refused)
        response = api.error_response(asked)
        response.force_close()
        return response

    app = web.Application()
    app.add_routes([web.post("/", create)])
    settings = GatewaySettings.model_validate(
        {"jwt_secret": SECRET, "port": 0, "keepalive_timeout_s": KEPT_S}
    )
    async with listening.listening(app, settings, None) as port:
        yield port


async def dripping(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, begin: bytes
) -> bytes:
    """All that a server says to a request that begins so and goes on for ever, until it closes."""
    writer.write(begin)

    async def drip() -> None:
        while True:
            await asyncio.sleep(0.05)
            writer.write(b"X")

    dripping = asyncio.ensure_future(drip())
    async with asyncio.timeout(PATIENCE_S):
        try:
            answer = await reader.read()
        except ConnectionResetError:
            answer = b""
    dripping.cancel()
    writer.close()
    return answer


@pytest.mark.parametrize("begin", [b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n\r\n"])
async def test_headers_that_do_not_end_are_not_waited_for(patient: int, begin: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", patient)

    answer = await dripping(reader, writer, begin)

    assert answer == b"" or answer.startswith(b"HTTP/1.0 400")


@pytest.mark.parametrize("begin", [b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n\r\n"])
async def test_nor_are_those_of_a_later_request(patient: int, begin: bytes) -> None:
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", patient)
    writer.write(b"GET /unknown HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"404: Not Found")
    answered_at_s = loop.time()
    # By then, the time for the first one's is long over: an idle connection is kept.
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3 * listening.HEAD_TIMEOUT_S):
            await reader.read(1)

    answer = await dripping(reader, writer, begin)

    assert answer == b"" or answer.startswith(b"HTTP/1.0 400")
    assert loop.time() - answered_at_s < KEPT_S


async def test_an_idle_connection_is_closed_after_its_time(patient: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", patient)
    began_at_s = asyncio.get_running_loop().time()
    writer.write(b"GET /unknown HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"404: Not Found")
    async with asyncio.timeout(PATIENCE_S):
        assert await reader.read() == b""
    assert asyncio.get_running_loop().time() - began_at_s >= KEPT_S
    writer.close()


async def test_a_body_that_does_not_end_is_not_waited_for(patient: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", patient)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10"
    writer.write(head + b"\r\n\r\n{")
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.readuntil(b"NOT_WHOLE")
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_thousand_upgrades_that_are_not_carried_through_are_let_go(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_limits, "HANDSHAKE_TIMEOUT_S", 2.0)
    monkeypatch.setattr(socket_limits, "LATE_TIMEOUT_S", 2.0)
    count = 1000
    before = psutil.Process().memory_info().rss
    port = port_of(door.url)
    writers = []
    places = asyncio.Semaphore(50)

    async def half_open() -> None:
        async with places:
            head = b"GET %b HTTP/1.1\r\nHost: a\r\n"
            close = b"Connection: close\r\n\r\n"
            opened_ = await answer_to(port, head % POLLING.encode() + close)
            sid = json.loads(opened_[opened_.index(b"0{") + 1 :])["sid"].encode()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                head
                % (SOCKET.encode() + b"&sid=" + sid)
                + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + frame(b"2probe")
            )
            async with asyncio.timeout(PATIENCE_S):
                await reader.readuntil(b"3probe")
            writers.append(writer)

    await asyncio.gather(*(half_open() for _ in range(count)))
    grown = psutil.Process().memory_info().rss - before
    await until_none_is_left(door)

    assert len(writers) == count
    # Both ends of each are in this process.
    assert grown / count < 200 * 1024
    for writer in writers:
        writer.close()


# Floods


async def test_of_ten_thousand_connects_few_are_let_in_and_others_do_not_notice(
    logs: Path,
) -> None:
    limits: dict[str, Any] = {
        "HARMONIC_CONNECTS_PER_S": "1",
        "HARMONIC_CONNECTS_BURST": "50",
        "HARMONIC_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    request = f"GET {POLLING} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n"
    many = (request + "\r\n").encode() * 499 + (request + "Connection: close\r\n\r\n").encode()
    async with (
        started(logs, gateways=1, musics=0, **limits) as stack,
        aiohttp.ClientSession() as ip,
    ):
        world = World(stack, ip)
        before = memory_mib(world)
        answers: Counter[bytes] = Counter()
        for _ in range(20):
            answer = await answer_to(stack.gateway_ports[0], many)
            answers.update(_STATUS.findall(answer))
            other = await ip.get(
                stack.urls[0] + POLLING, headers={"X-Forwarded-For": "198.51.100.9"}
            )
            assert other.status == 200

        assert answers.total() == 10_000
        assert answers.keys() == {b"200", b"429"}
        assert answers[b"200"] < 50 + 100
        assert memory_mib(world) < before + SPARE_MIB


# Bombs


@pytest.mark.parametrize("target", ["/api/v1/universes", POLLING])
async def test_a_gzip_bomb_is_refused_and_not_inflated(
    world: World, http: aiohttp.ClientSession, target: str
) -> None:
    bomb = gzip.compress(bytes(BOMB_MIB * MIB), 1)
    url = world.stack.urls[0] + target
    if target == POLLING:
        url += f"&sid={await sid_of(http, world.stack.urls[0])}"
    headers = {
        "Content-Encoding": "gzip",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {world.token('ann')}",
    }
    before = memory_mib(world)

    async with http.post(url, data=bomb, headers=headers) as response:
        assert response.status == (400 if target == POLLING else 415)

    assert memory_mib(world) < before + SPARE_MIB


async def test_a_message_that_inflates_beyond_measure_closes_its_connection(
    world: World, http: aiohttp.ClientSession
) -> None:
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    bomb = deflate.compress(bytes(BOMB_MIB * MIB)) + deflate.flush(zlib.Z_SYNC_FLUSH)[:-4]
    before = memory_mib(world)
    port = world.stack.gateway_ports[0]

    answer = await answer_to(
        port,
        f"GET {SOCKET} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode(),
        frame(bomb, first=0xC0),
    )

    # "Message too big" (RFC 6455, section 7.4.1).
    assert (1009).to_bytes(2) in answer
    assert memory_mib(world) < before + SPARE_MIB


async def test_attachments_that_never_come_are_not_waited_for(
    door: Door, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "ATTACHMENTS_TIMEOUT_S", 0.2)
    websocket = await raw(door, http)
    await websocket.send_str('4510-/ws,["x"]')
    await websocket.send_bytes(b"the first of ten")

    assert (await websocket.receive(PATIENCE_S)).type is WSMsgType.CLOSE
    await until_none_is_left(door)


@pytest.mark.parametrize(
    "packets",
    [
        ['4599-/ws,["x"]'],
        ['4510-/ws,["x"]', *[bytes(300_000)] * 4],
        ['451-/ws,["x",{"_placeholder":true,"num":0}]', bytes(MIB + 1)],
        ['452-/ws,["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]', b"", b""],
    ],
    ids=["too many", "too large together", "too large", "one in two places"],
)
async def test_attachments_without_measure_close_their_connection(
    door: Door, http: aiohttp.ClientSession, packets: list[str | bytes]
) -> None:
    websocket = await raw(door, http)
    for packet in packets:
        if isinstance(packet, bytes):
            await websocket.send_bytes(packet)
        else:
            await websocket.send_str(packet)

    message = await websocket.receive(PATIENCE_S)

    assert message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR}
    await until_none_is_left(door)
    assert door.received == []


# Packets that nobody asked for


async def test_forged_acks_change_nothing(door: Door, http: aiohttp.ClientSession) -> None:
    websocket = await raw(door, http)
    for packet in ("43/ws,1[]", '43/ws,999999999999999["x"]', "43/ws,[1]", "460-/ws,5[]"):
        await websocket.send_str(packet)
    await websocket.send_str('461-/ws,5[{"_placeholder":true,"num":0}]')
    await websocket.send_bytes(b"x")

    await websocket.send_str('42/ws,1["still here"]')

    assert await websocket.receive_str() == '43/ws,1[{"ok":true}]'
    assert [event.name for event in door.received] == ["still here"]


async def test_a_namespace_is_connected_once_and_those_there_are_not_never(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await raw(door, http)
    for number in range(5):
        await websocket.send_str(f"40/nowhere-{number},")
        assert (await websocket.receive_str()).startswith(f"44/nowhere-{number},")
    assert door.connections[0]._socket.upper.connections.keys() == {"/ws"}

    await websocket.send_str("40/ws,")

    assert (await websocket.receive(PATIENCE_S)).type is WSMsgType.CLOSE
    assert len(door.connections) == len(door.left) == 1


async def test_so_many_clients_of_an_address_may_be_late_to_connect(logs: Path) -> None:
    """They have fetched no token yet; those beyond are let go as clients are that never connect."""
    async with (
        started(logs, gateways=1, musics=0, HARMONIC_LATE_CLIENTS_PER_ADDRESS="1") as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        url = f"{stack.urls[0]}{SOCKET}"
        late = [await http.ws_connect(url) for _ in range(2)]

        async with asyncio.timeout(PATIENCE_S):
            ended = [asyncio.create_task(_until_closed(each)) for each in late]
            done, waiting = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)

        assert (len(done), len(waiting)) == (1, 1)
        assert await world.metric("late_clients") == 1
        assert await world.metric("handshakes_given_up_total") == 1
        # The other one has its time.
        for each in waiting:
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each
        (patient,) = [each for each in late if not each.closed]
        await patient.send_str(f'40/ws,{{"token":"{world.token("ann")}"}}')
        await _until_said(patient, "connect_success")
        assert await world.metric("late_clients") == 0


async def _until_closed(websocket: aiohttp.ClientWebSocketResponse) -> None:
    async for message in websocket:
        if message.data == "2":
            await websocket.send_str("3")


async def _until_said(websocket: aiohttp.ClientWebSocketResponse, word: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while word not in await websocket.receive_str():
            pass


@pytest.mark.parametrize("place", ["query", "header"])
async def test_a_token_that_is_refused_on_and_on_is_refused_before_a_session_is_opened(
    logs: Path, place: str
) -> None:
    async with (
        started(logs, gateways=1, musics=0) as stack,
        aiohttp.ClientSession() as http,
    ):
        world = World(stack, http)
        dead = make_token(SECRET, "ann", lifetime_s=-3600)

        async def tries(token: str) -> str:
            """What a client is told that tries once."""
            url = f"{stack.urls[0]}{SOCKET}"
            shows: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}}
            if place == "query":
                url, shows = f"{url}&token={token}", {}
            try:
                async with http.ws_connect(url, **shows) as websocket:
                    await websocket.receive_str()
                    await websocket.send_str("40/ws,")
                    return str(await websocket.receive_str(timeout=PATIENCE_S))
            except aiohttp.WSServerHandshakeError as error:
                return str(error.status)

        told = [await tries(dead) for _ in range(ANSWERED_REFUSALS + 3)]

        assert all("EXPIRED" in each for each in told[:ANSWERED_REFUSALS])
        assert told[ANSWERED_REFUSALS:] == ["401"] * 3
        assert await world.metric("dead_token_refusals_total") == 3
        # Others are not concerned, and the log has a sample.
        assert (await tries(world.token("ann"))).startswith("40/ws,")
        await world.logged("connection_opened")
        refusals = [line for line in world.logs().splitlines() if "connection_refused" in line]
        assert len(refusals) == 1
