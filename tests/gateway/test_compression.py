"""Large messages: compressed once, agreed on, and no cost to those who do not use it."""

import gzip
import json
import zlib
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from gateway.door import PATIENCE_S, Door
from harmonic_gateway.sockets import Frame, broadcast
from harmonic_gateway.sockets import websocket as websocket_module
from harmonic_gateway.sockets.compression import COMPRESSED_ABOVE_BYTES, Body, LargeText
from harmonic_gateway.sockets.frames import Encoded

SOCKET = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/socket.io/?EIO=4&transport=polling"
NOTES = [{"pitch": 60 + n % 12, "startTime": n / 8, "duration": 0.25} for n in range(2000)]
PIECE = json.dumps(NOTES).encode()


def frame(name: str = "piece", data: bytes = PIECE) -> Frame:
    return Frame.event(name, data, "u:1")


def inflated(encoded: Encoded) -> str:
    """The text of a compressed WebSocket frame, read as RFC 7692 says."""
    raw = encoded.compressed
    assert raw[0] == 0xC1
    head = {126: 4, 127: 10}.get(raw[1], 2)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    return inflater.decompress(raw[head:] + b"\x00\x00\xff\xff").decode()


async def open_socket(
    door: Door, http: aiohttp.ClientSession, **options: Any
) -> aiohttp.ClientWebSocketResponse:
    websocket: aiohttp.ClientWebSocketResponse
    websocket = await http.ws_connect(door.url + SOCKET, **options)
    await websocket.receive_str()
    await websocket.send_str("40/ws,")
    await websocket.receive_str()
    await websocket.receive_str()
    return websocket


@pytest.mark.parametrize("elsewhere", [None, "", ",other:7"])
def test_a_compressed_frame_says_the_same(elsewhere: str | None) -> None:
    encoded = frame().encoded("/ws", elsewhere)
    assert inflated(encoded) == encoded.packets[0]
    assert len(encoded.compressed) < len(encoded.raw) / 3


def test_what_members_have_in_common_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compressed = []

    def counting(*args: Any) -> Any:
        compressed.append(args)
        return compressobj(*args)

    compressobj = zlib.compressobj
    monkeypatch.setattr(zlib, "compressobj", counting)
    piece = frame()
    for elsewhere in (None, "", ",a:1", ",b:2"):
        for namespace in ("/", "/ws"):
            encoded = piece.encoded(namespace, elsewhere)
            assert inflated(encoded) == encoded.packets[0]
            assert gzip.decompress(encoded.gzipped or b"").decode() == encoded.packets[0]
    assert len(compressed) == 1


def test_small_frames_are_as_they_were() -> None:
    encoded = frame("small", b"{}").encoded("/ws", "")
    assert not encoded.compressible
    assert encoded.compressed is encoded.raw
    assert encoded.gzipped is None


@pytest.mark.parametrize("more", [0, 1])
def test_the_threshold_is_of_the_whole_text(more: int) -> None:
    size = COMPRESSED_ABOVE_BYTES - len('42/ws,["e",""]') + more
    encoded = frame("e", b'"' + b"x" * size + b'"').encoded("/ws")
    assert encoded.compressible is bool(more)


def test_in_a_batch_only_what_is_large_is_compressed() -> None:
    small, large = frame("small", b"{}").encoded("/ws"), frame().encoded("/ws")
    batch = Encoded.joined([small, large])
    assert batch.compressible
    assert batch.compressed == small.raw + large.compressed


def test_attachments_follow_a_compressed_text_as_they_are() -> None:
    encoded = Frame.binary("e", PIECE, [b"\x00\xff"]).encoded("/ws")
    assert encoded.compressed.endswith(b"\x82\x02\x00\xff")
    assert encoded.gzipped is None


def test_an_empty_head_and_tail_do_no_harm() -> None:
    text = LargeText(b"", Body(PIECE), b"")
    assert gzip.decompress(text.gzipped()) == PIECE


@pytest.mark.parametrize("compress", [0, 15])
async def test_large_and_small_messages_arrive_whole_and_in_order(
    door: Door, http: aiohttp.ClientSession, compress: int
) -> None:
    websocket = await open_socket(door, http, compress=compress)
    frames = [frame("small", b"1"), frame(), frame("small", b"2")]
    broadcast(frames, door.connections)
    broadcast(frames[1:2], door.connections)
    expected = [str(part.encoded("/ws").packets[0]) for part in (*frames, frames[1])]
    assert [await websocket.receive_str() for _ in range(4)] == expected
    await websocket.close()


async def test_compression_without_windows_is_agreed_on_where_it_is_offered(
    door: Door, http: aiohttp.ClientSession
) -> None:
    async def agreed(offer: str | None) -> str | None:
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            **({"Sec-WebSocket-Extensions": offer} if offer else {}),
        }
        async with http.get(door.url + SOCKET, headers=headers) as response:
            assert response.status == 101
            return response.headers.get("Sec-WebSocket-Extensions")

    without_windows = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    assert await agreed("permessage-deflate") == without_windows
    assert await agreed("permessage-deflate; client_max_window_bits") == without_windows
    assert await agreed("permessage-deflate; server_max_window_bits=10") is None
    assert await agreed("x-unknown") is None
    assert await agreed(None) is None


async def test_compressed_messages_of_a_client_are_read_and_leave_nothing(
    door: Door, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[websocket_module._ForgetfulReader] = []

    class Noted(websocket_module._ForgetfulReader):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            readers.append(self)

    monkeypatch.setattr(websocket_module, "_ForgetfulReader", Noted)
    websocket = await open_socket(door, http, compress=15)
    for number in range(3):
        text = f'42/ws,["echo",{number},"{"x" * 2000}"]'
        await websocket.send_str(text, compress=15)
        await websocket.send_str(text)
        assert [await websocket.receive_str() for _ in range(2)] == [
            f'42/ws,["echoed",{number}]'
        ] * 2
    assert readers
    assert all(reader._decompressobj is None for reader in readers)
    await websocket.close()


async def test_a_message_that_inflates_beyond_the_bound_closes_the_connection(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await open_socket(door, http, compress=15)
    await websocket.send_str("4" + "x" * (2 * 1024 * 1024), compress=15)
    message = await websocket.receive(PATIENCE_S)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)
    assert not (await door.until("left", 1))[1]


async def test_a_client_that_did_not_agree_must_not_compress(
    door: Door, http: aiohttp.ClientSession
) -> None:
    websocket = await open_socket(door, http)
    await websocket.send_str('42/ws,["echo",1]', compress=15)
    message = await websocket.receive(PATIENCE_S)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1002)


@pytest.mark.parametrize("accepted", ["gzip, deflate", "identity"])
async def test_polls_are_gzipped_from_a_size_on_for_those_who_read_it(
    door: Door, http: aiohttp.ClientSession, accepted: str
) -> None:
    headers = {"Accept-Encoding": accepted}

    async def fetch() -> tuple[str | None, str]:
        async with http.get(url, headers=headers) as response:
            return response.headers.get("Content-Encoding"), await response.text()

    url = door.url + POLLING
    sid = json.loads((await fetch())[1][1:])["sid"]
    url = f"{url}&sid={sid}"
    async with http.post(url, data="40/ws,"):
        pass
    encoding, text = await fetch()
    assert encoding is None
    assert len(text.split("\x1e")) == 2
    several = [frame("some", b'"' + b"x" * 1000 + b'"') for _ in range(8)]
    broadcast([frame("small", b"1"), frame(), *several], door.connections)
    sent = [
        str(part.encoded("/ws").packets[0]) for part in (frame("small", b"1"), frame(), *several)
    ]
    expected = "gzip" if accepted.startswith("gzip") else None
    assert await fetch() == (None, sent[0])
    assert await fetch() == (expected, sent[1])
    assert await fetch() == (expected, "\x1e".join(sent[2:]))
    async with http.post(url, data="1"):
        pass
