"""The aiohttp application around all routes, with its checks of requests and common headers."""

from collections.abc import Iterable

from aiohttp import web

from harmonic_gateway.failures import Failures
from harmonic_gateway.http.address_guard import AddressGuard
from harmonic_gateway.http.api import error_middleware, error_response
from harmonic_gateway.http.guests import guest_routes
from harmonic_gateway.http.listening import add_headers
from harmonic_gateway.http.origins import REFUSED, Origins
from harmonic_gateway.http.playground import playground_routes
from harmonic_gateway.identity.keys import Keys
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol.messages.declaration import MAX_MESSAGE_BYTES
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.clock import Clock


def web_application(
    settings: GatewaySettings,
    routes: Iterable[web.RouteDef],
    addresses: AddressGuard,
    keys: Keys,
    *,
    clock: Clock,
    failures: Failures,
    log: BoundLogger,
) -> web.Application:
    """Serve ``routes`` and the playground to allowed origins, within the limits of each address.

    A request's body has at most ``MAX_MESSAGE_BYTES``; a failure is answered in the API's format.
    """
    allowed = Origins(settings.origins)
    app = web.Application(
        client_max_size=MAX_MESSAGE_BYTES,
        middlewares=[
            allowed.middleware(lambda: error_response(REFUSED)),
            addresses.middleware(),
            error_middleware(failures, log),
        ],
    )
    add_headers(app, allowed, secure=settings.tls_cert_file is not None)
    app.add_routes([*routes, *playground_routes(settings), *guest_routes(settings, keys, clock)])
    if settings.guest_tokens:
        log.warning("guest_tokens_on", consequence="anybody who reaches this port is a user")
    return app
