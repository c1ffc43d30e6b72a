"""The rate limits of one address: for new sessions, unknown sessions, and calls with bad tokens."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware

from harmonic_gateway import metrics as table
from harmonic_gateway.allowlists import networks
from harmonic_gateway.http.addresses import GUEST_TOKENS_PATH, client_address, counted_as
from harmonic_gateway.http.api import error_response
from harmonic_gateway.identity.verification import find_token
from harmonic_gateway.limits.dead_tokens import DeadTokens
from harmonic_gateway.limits.guards import Guards
from harmonic_gateway.settings import GatewaySettings
from harmonic_gateway.sockets import ADDRESS, PATHS
from harmonic_protocol.messages.declaration import API_PREFIX
from harmonic_protocol.messages.following import STREAM_PATH_END
from harmonic_protocol.refusals import Code, refused
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import Clock


class AddressGuard:
    """Refuses requests of an address that opens too many sessions, or presents no good token.

    A connect is a request that opens a session or a stream, or asks for a guest's token. Requests
    for unknown sessions may have cost another gateway a question: they have their own count, with
    the same limit. Failures are API calls that were refused for their token. Above their limit,
    calls are refused before their token is read: to verify a token costs a hundred times as much as
    to refuse it. A connect with a token that was refused again and again is refused at once.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        dead: DeadTokens,
        metrics: Metrics,
        clock: Clock,
        log: SampledLog,
    ) -> None:
        self._log = log
        self._dead = dead
        self._dead_refusals = metrics.counter(table.DEAD_TOKEN_REFUSALS)
        self._proxies = networks(settings.trusted_proxies)
        self._clock = clock
        self._connects = Guards(
            settings.connects_per_s,
            settings.connects_burst,
            metrics.counter(table.ADDRESS_REFUSALS),
        )
        self._unknown = Guards(
            settings.connects_per_s,
            settings.connects_burst,
            metrics.counter(table.UNKNOWN_SESSION_REFUSALS),
        )
        self._failures = Guards(
            settings.failed_calls_per_s,
            settings.failed_calls_burst,
            metrics.counter(table.FAILED_CALL_REFUSALS),
        )

    def middleware(self) -> Middleware:
        """Refuse requests before any other handler."""

        @web.middleware
        async def guarded(
            request: web.Request,
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        ) -> web.StreamResponse:
            # A request with an empty session id opens a session, too.
            opens = request.path == GUEST_TOKENS_PATH or (
                request.path in PATHS and not request.query.get("sid")
            )
            calls = request.path.startswith(API_PREFIX)
            if not (opens or calls):
                return await handler(request)
            address, now_s = self._address(request), self._clock.monotonic()
            wait_s = self._failures.look(address, now_s) if calls else 0.0
            if wait_s:
                return self._too_many("failed_calls", address, wait_s)
            if opens or (calls and request.path.endswith(STREAM_PATH_END)):
                wait_s = self._connects.take(address, now_s)
            if wait_s:
                return self._too_many("connects", address, wait_s)
            if opens and (dead := self._of_dead_token(request, now_s)) is not None:
                return dead
            request[ADDRESS] = address
            response = await handler(request)
            if calls and response.status == HTTPStatus.UNAUTHORIZED:
                self._failures.take(address, self._clock.monotonic())
            return response

        return guarded

    def look(self, request: web.Request) -> web.Response | None:
        """The refusal of an address that asked for too many unknown sessions, if it did."""
        if not self._unknown:
            # Without such requests, the address need not be determined.
            return None
        address = self._address(request)
        wait_s = self._unknown.look(address, self._clock.monotonic())
        return self._too_many("unknown_sessions", address, wait_s) if wait_s else None

    def blame(self, request: web.Request) -> None:
        """Count a request for a session that does not exist."""
        self._unknown.take(self._address(request), self._clock.monotonic())

    def _of_dead_token(self, request: web.Request, now_s: float) -> web.Response | None:
        """The refusal of a request whose token was refused again and again, if it was."""
        refusal = self._dead.refusal(find_token(None, request.headers, request.query), now_s)
        if refusal is None:
            return None
        self._dead_refusals.inc()
        return error_response(refusal)

    def _address(self, request: web.Request) -> str:
        return counted_as(client_address(request, self._proxies))

    def _too_many(self, kind: str, address: str, wait_s: float) -> web.Response:
        self._log.warning("address_refused", kind=kind, of=kind, address=address)
        return error_response(
            refused(
                Code.RATE_LIMITED,
                "Too many requests from this address",
                retryAfterMs=int(wait_s * 1000) + 1,
            )
        )
