"""Which web pages may talk to the gateway: those that are listed, whatever they show.

Browsers say which page a request comes from. Programs say nothing, or the gateway's own address,
which is listed as such. Nothing but the list counts: no ``Host``, and nothing that a proxy
forwards. Credentials that browsers would add by themselves are never asked for.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from harmonic_protocol.refusals import Code, refused

ANY = "*"
#: Origins that are no addresses: of sandboxed frames and redirects, and of pages in local files.
_NAMED = frozenset({"null", "file://"})
_HOST = r"(?:\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\]"
_ORIGIN = re.compile(rf"([a-z][a-z0-9+.-]*)://({_HOST})(?::(\d{{1,5}}))?")
#: WebSocket clients name the same place by another scheme.
_SAME_SCHEME = {"ws": "http", "wss": "https"}
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = "Authorization, Content-Type"
_ANSWER_HEADERS = "Retry-After"
#: Headers that a page asks for in a preflight (RFC 9110, section 5.1), and how much of it is read.
_ASKED_HEADERS = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_MAX_ASKED_CHARACTERS = 1024
#: For how long a browser may remember what it may ask.
_PREFLIGHT_MAX_AGE_S = 600

REFUSED = refused(Code.PERMISSION_DENIED, "This page may not use the server", reason="ORIGIN")


def origins(text: str) -> frozenset[str]:
    """The origins of a list separated by commas, in their normal form.

    ``https://*.app.example`` stands for all hosts below ``app.example``. ``ValueError`` if one is
    no origin.
    """
    found = frozenset(_normal(part) for part in text.split(",") if part.strip())
    if "" in found:
        raise ValueError(
            "must list origins as scheme://host:port, https://*.host, null or file://,"
            " separated by commas, or *"
        )
    return found


def own_origins(text: str) -> frozenset[str]:
    """The origins of the gateway's own addresses, as clients know them: URLs, by commas."""
    found = set()
    for part in text.split(","):
        if part.strip():
            url = urlsplit(part.strip())
            origin = _normal(f"{url.scheme}://{url.netloc}")
            if not origin or ANY in origin or url.scheme not in (*_DEFAULT_PORTS, *_SAME_SCHEME):
                raise ValueError("must list addresses as https://host:port, separated by commas")
            found.add(origin)
    return frozenset(found)


def _normal(origin: str) -> str:
    """An origin without what may be left out: case, the default port, the kind of protocol."""
    origin = origin.strip().lower()
    if origin == ANY or origin in _NAMED:
        return origin
    parts = _ORIGIN.fullmatch(origin)
    if parts is None:
        return ""
    scheme, host, port = parts.groups()
    scheme = _SAME_SCHEME.get(scheme, scheme)
    if port is None or port == _DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Origins:
    """The pages that are let in, as :func:`origins` reads them."""

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
        headers.popall("Access-Control-Allow-Origin", None)
        headers.popall("Access-Control-Allow-Credentials", None)
        if ANY not in self.allowed:
            headers.add("Vary", "Origin")
        if origin is not None and self.lets_in(origin):
            headers["Access-Control-Allow-Origin"] = ANY if ANY in self.allowed else origin
            headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS

    def lets_in(self, origin: str) -> bool:
        """Whether an ``Origin`` header names a listed page."""
        if ANY in self.allowed:
            return True
        known = _normal(origin)
        if not known or ANY in known:
            return False
        return known in self.allowed or any(pattern in self.allowed for pattern in _patterns(known))


def _patterns(origin: str) -> list[str]:
    """The patterns that an origin is one of: ``https://*.b.c`` and ``https://*.c`` for ``a.b.c``."""
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
