"""The route of guests' tokens; it exists only where tokens for development are on."""

from collections.abc import Sequence

from aiohttp import web
from pydantic import ValidationError

from harmonic_gateway.http.addresses import GUEST_TOKENS_PATH
from harmonic_gateway.http.api import error_response, read_body
from harmonic_gateway.identity.guests import AskGuestToken, GuestTokens
from harmonic_gateway.identity.keys import Keys
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol.refusals import Refused, invalid_fields
from harmonic_runtime.process.clock import Clock


def guest_routes(settings: GatewaySettings, keys: Keys, clock: Clock) -> Sequence[web.RouteDef]:
    """The route that issues tokens to guests; none unless the setting allows it."""
    if not settings.guest_tokens:
        return ()
    tokens = GuestTokens(
        lambda: keys.signing_secret, issuer=settings.jwt_issuer, audience=settings.jwt_audience
    )

    async def give(request: web.Request) -> web.Response:
        body = await read_body(request)
        if isinstance(body, Refused):
            return error_response(body)
        try:
            asked = AskGuestToken.model_validate(body)
        except ValidationError as error:
            return error_response(invalid_fields(error, AskGuestToken))
        return web.json_response({"token": tokens.issue(asked, int(clock.now().timestamp()))})

    return (web.post(GUEST_TOKENS_PATH, give),)
