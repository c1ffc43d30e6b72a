"""The origins of web pages that may use the gateway: those that are listed.

Browsers send the origin of the page with a request. Programs send none, or the gateway's own
address, which is listed as such. Only the list counts, not ``Host`` or any header of a proxy. The
gateway never asks for credentials that browsers add by themselves, such as cookies.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from harmonic_gateway.allowlists import ANY, normal_origin
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, refused

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = "Authorization, Content-Type"
_ANSWER_HEADERS = "Retry-After"
#: Headers that a page asks for in a preflight (RFC 9110, section 5.1), and how much is read.
_ASKED_HEADERS = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_MAX_ASKED_CHARACTERS = 1024
#: How long a browser may cache the answer to a preflight.
_PREFLIGHT_MAX_AGE_S = 600

REFUSED = refused(Code.PERMISSION_DENIED, "This page may not use the server", reason=Reason.ORIGIN)


@dataclass(frozen=True, slots=True)
class Origins:
    """The allowed origins, in their normal form."""

    allowed: frozenset[str]

    def middleware(self, refuse: Callable[[], web.Response]) -> Middleware:
        """Refuse requests of other pages, before any other handler."""

        @web.middleware
        async def checked(
            request: web.Request,
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        ) -> web.StreamResponse:
            origin = request.headers.get("Origin")
            if origin is None:
                return await handler(request)
            if not self.lets_in(origin):
                return refuse()
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                return _preflight(request.headers.get("Access-Control-Request-Headers", ""))
            return await handler(request)

        return checked

    def announce(self, request: web.Request, headers: CIMultiDict[str]) -> None:
        """Add the headers that let a page read the answer."""
        origin = request.headers.get("Origin")
        if ANY not in self.allowed:
            headers.add("Vary", "Origin")
        if origin is not None and self.lets_in(origin):
            headers["Access-Control-Allow-Origin"] = ANY if ANY in self.allowed else origin
            headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS

    def lets_in(self, origin: str) -> bool:
        """Whether an ``Origin`` header names a listed page."""
        if ANY in self.allowed:
            return True
        known = normal_origin(origin)
        if not known or ANY in known:
            return False
        return known in self.allowed or any(pattern in self.allowed for pattern in _patterns(known))


def _patterns(origin: str) -> list[str]:
    """The patterns that match an origin: for ``https://a.b.c``, ``https://*.b.c`` and so on."""
    scheme, _, host = origin.partition("://")
    labels = host.split(".")
    return [f"{scheme}://*.{'.'.join(labels[start:])}" for start in range(1, len(labels))]


def _preflight(asked: str) -> web.Response:
    """The answer to a listed page's preflight: any method, and the headers that it names.

    Tracing tools add their own headers to every request of a page.
    """
    is_fit = len(asked) <= _MAX_ASKED_CHARACTERS and _ASKED_HEADERS.fullmatch(asked)
    named = f"{_REQUEST_HEADERS}, {asked}" if is_fit else _REQUEST_HEADERS
    return web.Response(
        status=HTTPStatus.NO_CONTENT,
        headers={
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": named,
            "Access-Control-Max-Age": str(_PREFLIGHT_MAX_AGE_S),
            "Vary": "Access-Control-Request-Headers",
        },
    )
