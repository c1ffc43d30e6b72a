"""Tokens of services: other backends, which act in their own name and over HTTP alone.

A claim with the service's name marks the token of a service. The token is accepted if it is signed
with the services' own key, or has their own audience, depending on the settings. So an issuer of
users' tokens can create a service only if it is asked for that audience. A token with the claim is
a service's or is refused, so that a service with a wrong token never acts as a user by mistake.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jwt

from harmonic_gateway.identity.keys import HMAC_ALGORITHMS, Keys, shared_keys
from harmonic_gateway.identity.proofs import fingerprint
from harmonic_gateway.identity.verification import Identity, KeySource, Verifier, bad_claim
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol.messages.connection import MAX_TOKEN_CHARACTERS
from harmonic_protocol.refusals import Refused
from harmonic_protocol.values import SERVICE_PREFIX
from harmonic_runtime.process.clock import Clock

#: The claim with the name of the service.
SERVICE_CLAIM = "harmonic_service"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ServiceKeys:
    """The shared secrets that sign services' tokens and no users' tokens."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self.replace_secrets(secrets)

    def replace_secrets(self, secrets: Sequence[str]) -> None:
        """Accept these secrets from now on, and no others."""
        self._secrets = shared_keys(secrets)
        self.fingerprint = fingerprint(secrets)

    async def candidates(self, algorithm: object, key_id: object) -> list[Any] | Refused:  # noqa: ARG002 -- as all sources are asked
        """The keys for HS256; none for anything else."""
        return list(self._secrets) if algorithm in HMAC_ALGORITHMS else []


class AllTokens:
    """Verifies tokens of users, and of services if the settings let them act.

    Without ``services``, the claim is ignored: a token with it is a user's like any other.
    """

    def __init__(self, users: Verifier, services: Verifier | None) -> None:
        self._users = users
        self._services = services

    async def verify(self, token: str | None) -> Identity | Refused:
        """As :meth:`Verifier.verify`, for tokens of users and of services."""
        if self._services is None:
            return await self._users.verify(token)
        claims = await self._users.verified_claims(token)
        # A token that is not a valid user's is read once more, unverified, to look for the claim.
        is_known = not isinstance(claims, Refused)
        if SERVICE_CLAIM in claims if is_known else _says_service(token):
            return await _verified_service(self._services, token)
        if isinstance(claims, Refused):
            return claims
        identity = self._users.identity_of(claims)
        if isinstance(identity, Identity) and identity.user_id.startswith(SERVICE_PREFIX):
            return bad_claim("sub", "begins as the ids of services do")
        return identity


def all_tokens(
    settings: GatewaySettings, keys: Keys, service_keys: ServiceKeys, clock: Clock
) -> AllTokens:
    """The verifiers of the settings."""
    users = Verifier(keys, clock, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    if not settings.lets_services_act:
        return AllTokens(users, None)
    source: KeySource = keys if settings.service_secret is None else service_keys
    services = Verifier(
        source, clock, issuer=settings.jwt_issuer, audience=settings.service_audience
    )
    return AllTokens(users, services)


def _says_service(token: str | None) -> bool:
    """Whether a token has the claim, without verifying the token."""
    if not token or len(token) > MAX_TOKEN_CHARACTERS:
        return False
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return False
    return SERVICE_CLAIM in claims


async def _verified_service(verifier: Verifier, token: str | None) -> Identity | Refused:
    claims = await verifier.verified_claims(token)
    if isinstance(claims, Refused):
        return claims
    name = claims.get(SERVICE_CLAIM)
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        return bad_claim(SERVICE_CLAIM, "must have 1 to 64 letters, digits, `.`, `_` and `-`")
    identity = verifier.identity_of(claims)
    if isinstance(identity, Refused):
        return identity
    return replace(identity, user_id=f"{SERVICE_PREFIX}{name}", username=name, service=name)
