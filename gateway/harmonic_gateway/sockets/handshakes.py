"""Handshakes: python-engineio reads them and refuses those that are none; sessions are our own."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import engineio
from aiohttp import web
from engineio.packet import OPEN

from harmonic_gateway.sockets.frames import Encoded
from harmonic_gateway.sockets.limits import MAX_TRANSPORT_BYTES, SocketLimits
from harmonic_gateway.sockets.requests import POLLING, WEBSOCKET

_REQUEST = "aiohttp.request"
#: What the query of a plain handshake says, and what it does not mention.
_PLAIN = (("EIO", "4"), ("sid", None), ("j", None))
#: Begins a session with the request and the transport that it is to have.
Begin: TypeAlias = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


class Handshakes(engineio.AsyncServer):  # type: ignore[misc]  # it ships no types
    """python-engineio's reading of requests that name no session."""

    def __init__(self, begin: Begin) -> None:
        silent = logging.getLogger(f"{__name__}.engineio")
        # It would log what strangers send.
        silent.setLevel(logging.CRITICAL + 1)
        super().__init__(
            async_mode="aiohttp",
            # Origins are looked at before.
            cors_allowed_origins=[],
            http_compression=False,
            monitor_clients=False,
            logger=silent,
        )
        driver = vars(self)["_async"]
        self._async = {**driver, "translate_request": _environment}
        self._begin = begin

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Begin the session that a request asks for, or say why it asks for none."""
        transport = _plainly_asked(request)
        if transport is not None:
            return await self._begin(request, transport)
        response: web.StreamResponse = await self.handle_request(request)
        return response

    async def _handle_connect(
        self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None
    ) -> Any:
        if jsonp_index is not None:
            return self._bad_request("JSONP is not served")
        return await self._begin(environ[_REQUEST], transport)


def _plainly_asked(request: web.Request) -> str | None:
    """The transport that a request asks for in so many words, as nearly all handshakes do.

    Nothing is taken here that python-engineio would refuse: it reads all others.
    """
    query = request.query
    if request.method != "GET" or any(query.get(name) != value for name, value in _PLAIN):
        return None
    if len(query.getall("EIO")) > 1 or len(query.getall("transport", ())) != 1:
        return None
    transport = query["transport"]
    upgrade = request.headers.get("Upgrade")
    if transport == POLLING or (transport == WEBSOCKET and upgrade == WEBSOCKET):
        return transport
    return None


def _environment(request: web.Request) -> dict[str, Any]:
    """What of a request a handshake is known by: its own driver copies all headers."""
    known = {
        _REQUEST: request,
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
    }
    upgrade = request.headers.get("Upgrade")
    return known if upgrade is None else {**known, "HTTP_UPGRADE": upgrade}


class Opening:
    """What sessions open with: their first packet, as Engine.IO has it."""

    def __init__(self, limits: SocketLimits) -> None:
        told = {
            # Whole numbers only: clients cannot do with others.
            "pingInterval": round(limits.ping_interval_s * 1000),
            "pingTimeout": round(limits.ping_timeout_s * 1000),
            "maxPayload": MAX_TRANSPORT_BYTES,
        }
        self._told = {
            transport: json.dumps({"upgrades": upgrades, **told}, separators=(",", ":"))[1:]
            for transport, upgrades in ((POLLING, [WEBSOCKET]), (WEBSOCKET, []))
        }

    def packet(self, sid: str, transport: str) -> Encoded:
        """The packet that tells a client the id of its session."""
        # No id has a character that JSON would escape.
        return Encoded.of([f'{OPEN}{{"sid":"{sid}",{self._told[transport]}'])
