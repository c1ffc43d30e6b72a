"""An upgrade moves a session to the gateway that holds its WebSocket."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType

from harmonic_protocol import subjects
from harmonic_runtime.bus.wire import Message
from harness.broker import connected_as
from harness.world import World, started
from peers.turns import PATIENCE_S, TurnTaker, turn_taker

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


class Upgraded:
    """A session's WebSocket at one gateway."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.heard: list[str] = []

    async def until(self, text: str) -> str:
        """Read until a packet holds a text; that packet. Pings are answered."""
        known = next((packet for packet in self.heard if text in packet), None)
        if known is not None:
            return known
        async with asyncio.timeout(PATIENCE_S):
            while True:
                packet = await self.websocket.receive_str()
                self.heard.append(packet)
                if packet == "2":
                    await self.websocket.send_str("3")
                if text in packet:
                    return packet


@asynccontextmanager
async def upgraded(taker: TurnTaker, url: str) -> AsyncIterator[Upgraded]:
    """Go over to a WebSocket at a gateway."""
    async with aiohttp.ClientSession() as http:
        websocket = await http.ws_connect(f"{url}{WEBSOCKET}&sid={taker.sid}")
        await websocket.send_str("2probe")
        assert await websocket.receive_str() == "3probe"
        await websocket.send_str("5")
        yield Upgraded(websocket)
        await websocket.close()


def masked(text: str) -> bytes:
    """A text frame as clients send it, masked with nothing."""
    data = text.encode()
    length = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + length + bytes(4) + data


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The first byte of a server's frame, and its payload."""
    first, length = await reader.readexactly(2)
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2))
    return first, await reader.readexactly(length)


def sequences(packets: list[str]) -> list[int]:
    """The numbers of a room's frames, in the order in which they came."""
    events = [json.loads(each[len("42/ws,") :]) for each in packets if each.startswith("42/ws,")]
    return [data["seq"] for name, data, *_ in events if name == "physics_updated"]


async def test_a_client_that_has_just_connected_goes_over_at_another_gateway(world: World) -> None:
    universe = await world.universe()
    async with turn_taker(world.stack.urls) as ann:
        await ann.connects(world.token(world.name("ann")))
        async with upgraded(ann, world.stack.urls[1]) as after:
            join = json.dumps(["join_room", {"universeId": universe, "mode": "edit"}])
            await after.websocket.send_str(f"42/ws,1{join}")
            await after.until("43/ws,1")
            update = {"universeId": universe, "parameters": {"gravity": 3}}
            await after.websocket.send_str("42/ws,2" + json.dumps(["update_physics", update]))
            await after.until("43/ws,2")
            # Whoever still comes with its id is turned away, at every gateway.
            for _ in world.stack.urls:
                assert (await ann.polls())[0] == 400


async def test_a_member_goes_over_and_misses_nothing_and_hears_nothing_twice(world: World) -> None:
    universe = await world.universe()
    bob = await world.client("bob")
    await bob.joins(universe, mode="edit")
    async with turn_taker(world.stack.urls) as ann:
        await ann.connects(world.token(world.name("ann")))
        await ann.emits("join_room", {"universeId": universe, "mode": "edit"}, ack="1")
        await ann.until("43/ws,1")
        writing = asyncio.ensure_future(writes(bob, universe, 200))
        await ann.until("physics_updated")
        async with upgraded(ann, world.stack.urls[1]) as after:
            last = await writing
            await after.until(f'"seq":{last}')
            numbers = sequences(ann.heard + after.heard)
            assert numbers == list(range(numbers[0], last + 1))
            update = {"universeId": universe, "parameters": {"gravity": 3}}
            await after.websocket.send_str("42/ws,2" + json.dumps(["update_physics", update]))
            assert '"ok":true' in await after.until("43/ws,2")
    await bob.hears("participant_left")


async def test_large_frames_are_compressed_as_the_websocket_asked(world: World) -> None:
    universe = await world.universe()
    async with turn_taker(world.stack.urls) as ann:
        await ann.connects(world.token(world.name("ann")))
        await ann.emits("join_room", {"universeId": universe, "mode": "edit"}, ack="1")
        await ann.until("43/ws,1")
        port = world.stack.gateway_ports[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET {WEBSOCKET}&sid={ann.sid} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
        )
        async with asyncio.timeout(PATIENCE_S):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"permessage-deflate" in head
            writer.write(masked("2probe"))
            assert await read_frame(reader) == (0x81, b"3probe")
            analysis = {
                "frequencies": [0.25] * 2048,
                "waveform": [0.5] * 2048,
                "timestamp": "2024-03-21T10:30:00Z",
            }
            event = ["audio_analysis", {"universeId": universe, "analysis": analysis}]
            writer.write(masked("5") + masked("42/ws," + json.dumps(event)))
            while (frame := await read_frame(reader))[0] != 0xC1:
                assert frame[0] == 0x81
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        said = inflater.decompress(frame[1] + b"\x00\x00\xff\xff")
        assert said.startswith(b'42/ws,["audio_analyzed"')
        writer.close()


async def test_who_comes_back_beside_a_moved_connection_finds_out_where_it_went(
    world: World,
) -> None:
    universe = await world.universe()
    token = world.token(world.name("ann"))
    async with turn_taker(world.stack.urls) as ann, turn_taker(world.stack.urls[:1]) as again:
        await ann.connects(token)
        await ann.emits("join_room", {"universeId": universe, "mode": "edit"}, ack="1")
        await ann.until("43/ws,1")
        async with upgraded(ann, world.stack.urls[1]) as after:
            await after.websocket.send_str('42/ws,2["time_sync",{"t0":1}]')
            await after.until("43/ws,2")
            # It says nothing any more, and is not known to be gone yet.
            await again.connects(token)
            assert "PENDING" in await again.until("connect_success")
            assert universe in await again.until("room_joined")


@asynccontextmanager
async def tries_known(world: World, sid: str) -> AsyncIterator[asyncio.Event]:
    """Set once the gateway of a session is asked whether its client may try a WebSocket."""
    asked = asyncio.Event()

    def note(message: Message) -> None:
        if message.headers["Hu-Kind"] == "TRY":
            asked.set()

    async with connected_as("gateway", world.stack) as bus:
        await bus.subscribe(subjects.peer(sid.split(".")[1]), note)
        await bus.flush()
        yield asked


async def test_a_client_that_probes_late_goes_over_too(world: World) -> None:
    async with (
        turn_taker(world.stack.urls[:1]) as ann,
        tries_known(world, ann.sid) as asked,
        aiohttp.ClientSession() as http,
    ):
        await ann.connects(world.token(world.name("ann")))
        url = f"{world.stack.urls[1]}{WEBSOCKET}&sid={ann.sid}"
        async with http.ws_connect(url) as websocket:
            await asked.wait()
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"
            await websocket.send_str("5")
            await websocket.send_str('42/ws,1["time_sync",{"t0":1}]')
            assert await Upgraded(websocket).until("43/ws,1")


@pytest.mark.parametrize("silent_at", [0, 1, 2])
async def test_who_opens_a_second_websocket_and_says_nothing_there_goes_over_at_the_first(
    tmp_path: Path, silent_at: int
) -> None:
    """The silent one may be at the session's own gateway, at the other one, or at a third."""
    async with (
        started(tmp_path, gateways=3, musics=0) as stack,
        aiohttp.ClientSession() as http,
        turn_taker(stack.urls[:1]) as ann,
    ):
        await ann.connects(World(stack, http).token("ann"))
        silent = await http.ws_connect(f"{stack.urls[silent_at]}{WEBSOCKET}&sid={ann.sid}")
        async with http.ws_connect(f"{stack.urls[1]}{WEBSOCKET}&sid={ann.sid}") as websocket:
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"
            await websocket.send_str("5")
            await websocket.send_str('42/ws,1["time_sync",{"t0":1}]')
            assert await Upgraded(websocket).until("43/ws,1")
            async with asyncio.timeout(PATIENCE_S):
                assert (await silent.receive()).type is not WSMsgType.TEXT


@pytest.mark.parametrize("said", [(), ("2probe", "5")])
async def test_a_websocket_of_a_session_that_has_ended_is_closed(
    world: World, said: tuple[str, ...]
) -> None:
    async with turn_taker(world.stack.urls[:1]) as ann, aiohttp.ClientSession() as http:
        await ann.connects(world.token(world.name("ann")))
        assert await ann.says("1") == (200, "ok")
        url = f"{world.stack.urls[1]}{WEBSOCKET}&sid={ann.sid}"
        async with http.ws_connect(url) as websocket:
            for text in said:
                await websocket.send_str(text)
            async with asyncio.timeout(PATIENCE_S):
                while (await websocket.receive()).type is WSMsgType.TEXT:
                    pass
            assert websocket.closed


async def test_who_tries_websockets_for_a_session_that_has_ended_is_refused_in_the_end(
    tmp_path: Path,
) -> None:
    async with (
        started(
            tmp_path, musics=0, HARMONIC_CONNECTS_PER_S="1", HARMONIC_CONNECTS_BURST="3"
        ) as stack,
        turn_taker(stack.urls[:1]) as ann,
        aiohttp.ClientSession() as http,
    ):
        assert await ann.says("1") == (200, "ok")
        url = f"{stack.urls[1]}{WEBSOCKET}&sid={ann.sid}"
        statuses = []
        while 429 not in statuses:
            try:
                async with http.ws_connect(url) as websocket:
                    statuses.append(101)
                    await websocket.receive()
            except aiohttp.WSServerHandshakeError as refused:
                statuses.append(refused.status)
        assert statuses.count(101) >= 3


async def test_a_session_is_handed_to_nobody_but_whom_its_client_went_over_to(
    world: World,
) -> None:
    async with (
        turn_taker(world.stack.urls[:1]) as ann,
        connected_as("gateway", world.stack) as bus,
        aiohttp.ClientSession() as http,
    ):
        await ann.connects(world.token(world.name("ann")))
        subject = subjects.peer(ann.sid.split(".")[1])

        async def asks(kind: str, attempt: bytes) -> str:
            headers = {"Hu-Session": ann.sid, "Hu-Kind": kind}
            answer = await bus.request(subject, attempt, headers=headers, timeout_s=PATIENCE_S)
            assert not answer.payload
            return answer.headers["Hu-Kind"]

        # Nobody tries a WebSocket; then somebody does, and another one asks.
        assert await asks("HAND_OVER", b"made up") == "400"
        url = f"{world.stack.urls[1]}{WEBSOCKET}&sid={ann.sid}"
        async with http.ws_connect(url) as websocket:
            polling = asyncio.ensure_future(ann.polls())
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"
            # Its gateway knows of the probe: it ends the poll.
            await polling
            assert await asks("TRY", b"made up") == "409"
            assert await asks("HAND_OVER", b"made up") == "400"
            await websocket.send_str("5")
            await websocket.send_str('42/ws,1["time_sync",{"t0":1}]')
            assert await websocket.receive_str()
            assert await asks("HAND_OVER", b"made up") == "400"


async def writes(client: object, universe: str, times: int) -> int:
    """Change a parameter so often; the number of the last frame."""
    seq = 0
    for number in range(times):
        answer = await client.asks(  # type: ignore[attr-defined]
            "update_physics", universeId=universe, parameters={"gravity": number % 20}
        )
        seq = answer["seq"]
    return seq
