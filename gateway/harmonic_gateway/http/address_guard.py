"""How much one address may ask for without a token that is good."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware

from harmonic_gateway.allowlists import Network
from harmonic_gateway.http.addresses import client_address, counted_as
from harmonic_gateway.http.api import error_response
from harmonic_gateway.limits.allowances import Guards
from harmonic_gateway.sockets import PATHS
from harmonic_protocol.messages.declaration import API_PREFIX
from harmonic_protocol.refusals import Code, refused
from harmonic_runtime.process.clock import Clock


def guard_addresses(
    connects: Guards, failures: Guards, proxies: Sequence[Network], clock: Clock
) -> Middleware:
    """Refuse requests of an address that opens too many sessions, or brings no good token.

    ``connects`` counts each request that opens a session. ``failures`` counts the calls of the
    API that were refused for their token, and refuses further ones before their token is looked
    at: verifying one costs a hundred times as much as refusing it.
    """

    @web.middleware
    async def guarded(
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        # An empty session id is none: the request opens a session.
        opens = request.path in PATHS and not request.query.get("sid")
        calls = request.path.startswith(API_PREFIX)
        if not (opens or calls):
            return await handler(request)
        address = counted_as(client_address(request, proxies))
        now_s = clock.monotonic()
        wait_s = connects.take(address, now_s) if opens else failures.look(address, now_s)
        if wait_s:
            return _too_many(wait_s)
        response = await handler(request)
        if calls and response.status == HTTPStatus.UNAUTHORIZED:
            failures.take(address, clock.monotonic())
        return response

    return guarded


def _too_many(wait_s: float) -> web.Response:
    return error_response(
        refused(
            Code.RATE_LIMITED,
            "Too many requests from this address",
            retryAfterMs=int(wait_s * 1000) + 1,
        )
    )
