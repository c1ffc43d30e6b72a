"""HTTP polling: reads clients' bodies, and encodes the answers to polls."""

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
        """The headers that describe its body."""
        headers = {"Content-Type": "text/plain; charset=UTF-8"}
        if self.gzips:
            headers["Content-Encoding"] = "gzip"
        return headers

    def to_response(self) -> web.Response:
        """The answer as a response of aiohttp."""
        return web.Response(body=self.body, status=self.status, headers=self.headers())


#: The text of official servers.
TAKEN = PollAnswer(HTTPStatus.OK, b"ok")
BAD_REQUEST = PollAnswer(HTTPStatus.BAD_REQUEST)
#: Answers the poll of a client that has left, or that is upgrading.
LAST_ANSWER = PollAnswer(HTTPStatus.OK, f"{NOOP}".encode())


def packets_of(body: str) -> Iterator[tuple[int, str | bytes]]:
    """The packets in the body of a POST: their types and data, read one by one.

    Raise ``EngineIOError`` for too many packets. Reading a malformed one raises ``ValueError``.
    """
    packets = body.split(_SEPARATOR)
    if len(packets) > limits.MAX_PACKETS_PER_BODY:
        raise EngineIOError("too many packets")
    return (_packet(packet) for packet in packets)


def text_of(entries: Sequence[Encoded]) -> bytes:
    """The body of an answer to a poll with these packets."""
    return _SEPARATOR.join(
        packet if isinstance(packet, str) else f"b{b64encode(packet).decode()}"
        for entry in entries
        for packet in entry.packets
    ).encode()


def encoded_packets(text: str) -> Iterator[Encoded]:
    """The packets in a text of :func:`text_of`, to be sent again."""
    for packet in text.split(_SEPARATOR) if text else ():
        if packet == PING_FRAME.packets[0]:
            yield PING_FRAME
        elif packet.startswith("b"):
            yield Encoded.of([b64decode(packet[1:])])
        else:
            yield Encoded.of([packet])


def answer(entries: Sequence[Encoded], accepted: str) -> PollAnswer:
    """The answer to a poll, compressed if the client ``accepted`` that."""
    gzips = "gzip" in accepted
    body = entries[0].gzipped if gzips and len(entries) == 1 else None
    if body is None:
        body = text_of(entries)
        gzips = gzips and len(body) > COMPRESSED_ABOVE_BYTES
        if gzips:
            body = gzip(body)
    return PollAnswer(HTTPStatus.OK, body, gzips)


async def read_body(request: web.Request) -> str:
    """The body of a client's request; raise ``EngineIOError`` if it is not allowed."""
    if request.headers.get("Content-Encoding"):
        raise EngineIOError("a compressed body")
    content = request.content
    if content.is_eof() and content.exception() is None:
        # It arrived together with its head, as most do: no wait is needed.
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
