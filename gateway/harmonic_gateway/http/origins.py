"""Which web pages may talk to the gateway: those that are listed, whatever they show.

Browsers say which page a request comes from; programs do not, and are let in. Nothing but the
list counts: no ``Host``, and nothing that a proxy forwards. Credentials that browsers would add by
themselves are never asked for.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from harmonic_gateway.allowlists import ANY
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, refused

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = "Authorization, Content-Type"
_ANSWER_HEADERS = "Retry-After"
#: For how long a browser may remember what it may ask.
_PREFLIGHT_MAX_AGE_S = 600

REFUSED = refused(Code.PERMISSION_DENIED, "This page may not use the server", reason=Reason.ORIGIN)


class Origins:
    """The pages that are let in."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

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
            if not self._lets_in(origin):
                return refuse()
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)
            return await handler(request)

        return checked

    def announce(self, request: web.Request, headers: CIMultiDict[str]) -> None:
        """Tell a page's browser that it may see the answer."""
        origin = request.headers.get("Origin")
        headers.popall("Access-Control-Allow-Origin", None)
        headers.popall("Access-Control-Allow-Credentials", None)
        if ANY not in self._allowed:
            headers.add("Vary", "Origin")
        if origin is not None and self._lets_in(origin):
            headers["Access-Control-Allow-Origin"] = ANY if ANY in self._allowed else origin
            headers["Access-Control-Expose-Headers"] = _ANSWER_HEADERS

    def _lets_in(self, origin: str) -> bool:
        return ANY in self._allowed or origin.lower() in self._allowed


_PREFLIGHT = {
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": _REQUEST_HEADERS,
    "Access-Control-Max-Age": str(_PREFLIGHT_MAX_AGE_S),
}
