"""HTTP polling: reading a client's body, and answering its poll."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import web
from engineio.exceptions import ContentTooLongError, EngineIOError
from engineio.packet import MESSAGE, NOOP

from harmonic_gateway.sockets import limits
from harmonic_gateway.sockets.compression import COMPRESSED_ABOVE_BYTES, gzip
from harmonic_gateway.sockets.frames import Encoded
from harmonic_gateway.sockets.outbox import PING_FRAME

_SEPARATOR = "\x1e"


class PollAnswer(NamedTuple):
    """The answer to a request of HTTP polling: a text, compressed or not."""

    status: int
    body: bytes = b""
    gzips: bool = False

    def headers(self) -> dict[str, str]:
        """What it says of its body."""
        headers = {"Content-Type": "text/plain; charset=UTF-8"}
        if self.gzips:
            headers["Content-Encoding"] = "gzip"
        return headers

    def to_response(self) -> web.Response:
        """As aiohttp sends it."""
        return web.Response(body=self.body, status=self.status, headers=self.headers())


#: Spelt as official servers do.
TAKEN = PollAnswer(HTTPStatus.OK, b"ok")
BAD_REQUEST = PollAnswer(HTTPStatus.BAD_REQUEST)
#: To the poll of a client that has left, or that is going over.
LAST_ANSWER = PollAnswer(HTTPStatus.OK, f"{NOOP}".encode())


def packets_of(body: str) -> Iterator[tuple[int, str | bytes]]:
    """What a client says in a POST: types of packets with their data, read one by one.

    Raise ``EngineIOError`` for too many. Taking a malformed packet raises ``ValueError``.
    """
    packets = body.split(_SEPARATOR)
    if len(packets) > limits.MAX_PACKETS_PER_BODY:
        raise EngineIOError("too many packets")
    return (_packet(packet) for packet in packets)


def text_of(entries: Sequence[Encoded]) -> bytes:
    """Packets in a row, as a poll is answered with them."""
    return _SEPARATOR.join(
        packet if isinstance(packet, str) else f"b{b64encode(packet).decode()}"
        for entry in entries
        for packet in entry.packets
    ).encode()


def encoded_packets(text: str) -> Iterator[Encoded]:
    """The packets of :func:`text_of`, to be sent once more."""
    for packet in text.split(_SEPARATOR) if text else ():
        if packet == PING_FRAME.packets[0]:
            yield PING_FRAME
        elif packet.startswith("b"):
            yield Encoded.of([b64decode(packet[1:])])
        else:
            yield Encoded.of([packet])


def answer(entries: Sequence[Encoded], accepted: str) -> PollAnswer:
    """The answer to a poll; ``accepted`` encodings are made use of."""
    gzips = "gzip" in accepted
    body = entries[0].gzipped if gzips and len(entries) == 1 else None
    if body is None:
        body = text_of(entries)
        gzips = gzips and len(body) > COMPRESSED_ABOVE_BYTES
        if gzips:
            body = gzip(body)
    return PollAnswer(HTTPStatus.OK, body, gzips)


async def read_body(request: web.Request) -> str:
    """What a client sends; raise ``EngineIOError`` for a body that may not be."""
    if request.headers.get("Content-Encoding"):
        raise EngineIOError("a compressed body")
    content = request.content
    if content.is_eof() and content.exception() is None:
        # It came with its head, as most do: nothing is waited for.
        return _text(content.read_nowait())
    body = bytearray()
    try:
        async with asyncio.timeout(limits.BODY_TIMEOUT_S):
            async for chunk in content.iter_any():
                body.extend(chunk)
                if len(body) > limits.MAX_TRANSPORT_BYTES:
                    raise ContentTooLongError
    except TimeoutError as error:
        raise EngineIOError("a body that does not end") from error
    except web.RequestPayloadError as error:
        raise EngineIOError("a body that is no HTTP") from error
    return _text(body)


def _text(body: bytes | bytearray) -> str:
    if len(body) > limits.MAX_TRANSPORT_BYTES:
        raise ContentTooLongError
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise EngineIOError("not UTF-8") from error


def _packet(packet: str) -> tuple[int, str | bytes]:
    if packet.startswith("b"):
        return MESSAGE, b64decode(packet[1:], validate=True)
    return int(packet[:1]), packet[1:]
