"""Handshakes: python-engineio reads and refuses them; the sessions are our own."""

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
#: The fields of a plain handshake's query; ``None`` for absent ones.
_PLAIN = (("EIO", "4"), ("sid", None), ("j", None))
#: Begins a session for a request, with a transport.
Begin: TypeAlias = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


class Handshakes(engineio.AsyncServer):  # type: ignore[misc]  # it ships no types
    """Answers requests without a session id, as python-engineio reads them."""

    def __init__(self, begin: Begin) -> None:
        silent = logging.getLogger(f"{__name__}.engineio")
        # It would log data of unauthenticated clients.
        silent.setLevel(logging.CRITICAL + 1)
        super().__init__(
            async_mode="aiohttp",
            # Origins are checked before.
            cors_allowed_origins=[],
            http_compression=False,
            monitor_clients=False,
            logger=silent,
        )
        driver = vars(self)["_async"]
        self._async = {**driver, "translate_request": _environment}
        self._begin = begin

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Begin a session for a request, or refuse a malformed request."""
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
    """The transport of a plain handshake, as nearly all are; ``None`` for other requests.

    It accepts no request that python-engineio would refuse. python-engineio reads all others.
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
    """The fields of a request that a handshake needs. The library's driver copies all headers."""
    known = {
        _REQUEST: request,
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
    }
    upgrade = request.headers.get("Upgrade")
    return known if upgrade is None else {**known, "HTTP_UPGRADE": upgrade}


class Opening:
    """Makes the first packet of sessions, Engine.IO's ``open``."""

    def __init__(self, limits: SocketLimits) -> None:
        told = {
            # Whole milliseconds: clients do not accept fractions.
            "pingInterval": round(limits.ping_interval_s * 1000),
            "pingTimeout": round(limits.ping_timeout_s * 1000),
            "maxPayload": MAX_TRANSPORT_BYTES,
        }
        self._told = {
            transport: json.dumps({"upgrades": upgrades, **told}, separators=(",", ":"))[1:]
            for transport, upgrades in ((POLLING, [WEBSOCKET]), (WEBSOCKET, []))
        }

    def packet(self, sid: str, transport: str) -> Encoded:
        """The packet with the id and the parameters of a session."""
        # Ids have no character that JSON would escape.
        return Encoded.of([f'{OPEN}{{"sid":"{sid}",{self._told[transport]}'])
