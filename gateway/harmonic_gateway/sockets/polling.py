"""HTTP polling: reading a client's body, and answering its poll."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from aiohttp import web
from engineio.exceptions import ContentTooLongError, EngineIOError
from engineio.packet import MESSAGE

from harmonic_gateway.sockets import limits
from harmonic_gateway.sockets.compression import COMPRESSED_ABOVE_BYTES, gzip
from harmonic_gateway.sockets.frames import Encoded

_SEPARATOR = "\x1e"


async def read_packets(request: web.Request) -> Iterator[tuple[int, str | bytes]]:
    """What a client says in a POST: types of packets with their data, read one by one.

    Raise ``EngineIOError`` for a body that may not be. Taking a malformed packet raises
    ``ValueError``.
    """
    if request.headers.get("Content-Encoding"):
        raise EngineIOError("a compressed body")
    packets = (await _body(request)).split(_SEPARATOR)
    if len(packets) > limits.MAX_PACKETS_PER_BODY:
        raise EngineIOError("too many packets")
    return (_packet(packet) for packet in packets)


def answer(entries: Sequence[Encoded], accepted: str) -> dict[str, Any]:
    """The answer to a poll, in python-engineio's form; ``accepted`` encodings are made use of."""
    gzips = "gzip" in accepted
    body = entries[0].gzipped if gzips and len(entries) == 1 else None
    if body is None:
        text = _SEPARATOR.join(
            packet if isinstance(packet, str) else f"b{b64encode(packet).decode()}"
            for entry in entries
            for packet in entry.packets
        )
        body = text.encode()
        gzips = gzips and len(body) > COMPRESSED_ABOVE_BYTES
        if gzips:
            body = gzip(body)
    headers = [("Content-Type", "text/plain; charset=UTF-8")]
    if gzips:
        headers.append(("Content-Encoding", "gzip"))
    return {"status": "200 OK", "headers": headers, "response": body}


def _packet(packet: str) -> tuple[int, str | bytes]:
    if packet.startswith("b"):
        return MESSAGE, b64decode(packet[1:], validate=True)
    return int(packet[:1]), packet[1:]


async def _body(request: web.Request) -> str:
    body = bytearray()
    try:
        async with asyncio.timeout(limits.BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body.extend(chunk)
                if len(body) > limits.MAX_TRANSPORT_BYTES:
                    raise ContentTooLongError
    except TimeoutError as error:
        raise EngineIOError("a body that does not end") from error
    except web.RequestPayloadError as error:
        raise EngineIOError("a body that is no HTTP") from error
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise EngineIOError("not UTF-8") from error
