"""Which web pages may talk to the gateway: those that are listed, whatever they show.

Browsers say which page a request comes from. Programs say nothing, or the gateway's own address,
which is listed as such. Nothing but the list counts: no ``Host``, and nothing that a proxy
forwards. Credentials that browsers would add by themselves are never asked for.
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
#: Headers that a page asks for in a preflight (RFC 9110, section 5.1), and how much of it is read.
_ASKED_HEADERS = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_MAX_ASKED_CHARACTERS = 1024
#: For how long a browser may remember what it may ask.
_PREFLIGHT_MAX_AGE_S = 600

REFUSED = refused(Code.PERMISSION_DENIED, "This page may not use the server", reason=Reason.ORIGIN)


@dataclass(frozen=True, slots=True)
class Origins:
    """The pages that are let in, in their normal form."""

    allowed: frozenset[str]

    def middleware(self, refuse: Callable[[], web.Response]) -> Middleware:
        """Refuses other pages' requests, before anything else looks at them."""

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
        """Tell a page's browser that it may see the answer."""
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
    """What a listed page may ask for: any method, and the headers that it names.

    Tracing tools add headers of their own to every request of a page.
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
