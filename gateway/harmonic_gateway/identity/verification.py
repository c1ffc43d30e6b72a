"""Verifies tokens: the identity of a client from the claims of its signed token."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import jwt

from harmonic_gateway.identity.jwks import PUBLIC_KEY_ALGORITHMS
from harmonic_gateway.identity.keys import HMAC_ALGORITHMS
from harmonic_gateway.identity.plain_tokens import (
    is_plainly_good,
    is_usual,
    read_header,
    signed_claims,
)
from harmonic_protocol.envelope import Caller
from harmonic_protocol.messages.connection import MAX_TOKEN_CHARACTERS
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import printable
from harmonic_runtime.process.clock import Clock, timestamp

MAX_USER_ID_CHARACTERS = 255
MAX_USERNAME_CHARACTERS = 64
MAX_JTI_CHARACTERS = 255
LEEWAY_S = 5
#: A time of issue is refused only if it is more than this ahead, since clocks differ. The check
#: protects nothing.
MAX_ISSUED_AHEAD_S = 300
#: The last second of the year 9999: later times are milliseconds, or no times at all.
MAX_EXPIRY_S = 253_402_300_799
_ALGORITHMS = (*HMAC_ALGORITHMS, *PUBLIC_KEY_ALGORITHMS)
#: The name of a user without a visible one.
NAMELESS = "anonymous"
_NAME_CLAIMS = ("username", "name", "preferred_username")
#: A lone surrogate: one half of a split character.
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Identity:
    """The user or service of a token. Times are Unix time.

    Without a time of issue, a token counts as issued at 0, so that each revocation of its user
    covers it. ``service`` is the name of a service, and ``None`` for a user.
    """

    user_id: str
    username: str
    expires_at_s: int
    issued_at_s: float = 0.0
    jti: str | None = None
    service: str | None = None

    @property
    def expires_at(self) -> str:
        """The time of expiry as clients see it."""
        return timestamp(datetime.fromtimestamp(self.expires_at_s, UTC))

    def caller(self, gateway_id: str) -> Caller:
        """The caller that owners see for calls over HTTP."""
        service = self.service or ""
        return Caller(self.user_id, self.username, gateway_id=gateway_id, service=service)


def find_token(auth: object, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """The token of a client: in ``auth``, else as Bearer, else in the query."""
    said = auth.get("token") if isinstance(auth, Mapping) else None
    if isinstance(said, str) and said:
        return said
    return bearer(headers) or query.get("token")


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of an ``Authorization`` header."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class KeySource(Protocol):
    """A source of the keys that may have signed tokens."""

    async def candidates(self, algorithm: object, key_id: object) -> list[Any] | Refused:
        """The keys for tokens with this header; a transient refusal if they cannot be read."""


class Verifier:
    """Verifies tokens with the configured keys, and the configured issuer and audience, if any."""

    def __init__(
        self,
        keys: KeySource,
        clock: Clock,
        *,
        issuer: str | None = None,
        audience: str | None = None,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str | None) -> Identity | Refused:
        """The identity that the token proves, or ``AUTH_ERROR`` with a reason.

        If it cannot be verified now, the refusal is an ``INTERNAL_ERROR`` with ``retryAfterMs``.
        """
        claims = await self.verified_claims(token)
        return claims if isinstance(claims, Refused) else self.identity_of(claims)

    async def verified_claims(self, token: str | None) -> dict[str, Any] | Refused:
        """The claims of a correctly signed token; refused as by :meth:`verify`."""
        if not token:
            return denied("A token is required", Reason.MISSING)
        if len(token) > MAX_TOKEN_CHARACTERS:
            return INVALID
        try:
            return await self._verified_claims(token)
        except jwt.PyJWTError as error:
            return _refusal_for(error)
        except (ValueError, TypeError, OverflowError, RecursionError):
            return INVALID

    def identity_of(self, claims: Mapping[str, Any]) -> Identity | Refused:
        """The identity in verified claims, or why they are refused."""
        return _identity(claims, self._clock.now().timestamp())

    async def _verified_claims(self, token: str) -> dict[str, Any] | Refused:
        # PyJWT would decode the whole token for its header, and again with the key.
        header = read_header(token.partition(".")[0])
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in _ALGORITHMS or not isinstance(kid, str | None):
            return INVALID
        keys = await self._keys.candidates(algorithm, kid)
        if isinstance(keys, Refused):
            return keys
        if algorithm in HMAC_ALGORITHMS and is_usual(header):
            plain = self._plain_claims(token, keys)
            if plain is not None:
                return plain
        return self._claims(token, algorithm, keys) or INVALID

    def _plain_claims(self, token: str, keys: list[Any]) -> dict[str, Any] | None:
        """The claims of a token on the fast path; ``None`` if it has to take the other."""
        claims = signed_claims(token, (key.key for key in keys))
        if claims is None:
            return None
        is_good = is_plainly_good(
            claims,
            self._clock.now().timestamp(),
            leeway_s=LEEWAY_S,
            issuer=self._issuer,
            audience=self._audience,
        )
        return claims if is_good else None

    def _claims(self, token: str, algorithm: str, keys: list[Any]) -> dict[str, Any] | None:
        for key in keys:
            try:
                return jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    leeway=LEEWAY_S,
                    issuer=self._issuer,
                    audience=self._audience,
                    options={
                        "require": ["exp", "sub"],
                        # Checked below, with more tolerance.
                        "verify_iat": False,
                        "verify_aud": self._audience is not None,
                        "verify_iss": self._issuer is not None,
                    },
                )
            except jwt.InvalidSignatureError:
                continue
        return None


def _identity(claims: Mapping[str, Any], now_s: float) -> Identity | Refused:
    user_id, jti = claims["sub"], claims.get("jti")
    if not _is_text(user_id, MAX_USER_ID_CHARACTERS):
        return bad_claim("sub", f"must have 1 to {MAX_USER_ID_CHARACTERS} characters")
    if jti is not None and not _is_text(jti, MAX_JTI_CHARACTERS):
        return bad_claim("jti", f"must have 1 to {MAX_JTI_CHARACTERS} characters")
    expires_at_s = int(claims["exp"])
    if expires_at_s > MAX_EXPIRY_S:
        return bad_claim("exp", "is beyond the year 9999: it must be seconds, not milliseconds")
    issued_at = claims.get("iat", 0)
    is_number = isinstance(issued_at, int | float) and not isinstance(issued_at, bool)
    if not is_number or not math.isfinite(issued_at):
        return bad_claim("iat", "must be a number of seconds")
    if issued_at > now_s + MAX_ISSUED_AHEAD_S:
        return bad_claim("iat", f"is more than {MAX_ISSUED_AHEAD_S} s in the future")
    return Identity(user_id, _username(claims), expires_at_s, float(issued_at), jti)


def _is_text(value: object, max_characters: int) -> bool:
    """Whether a value is a text without lone surrogates, and not too long."""
    if not isinstance(value, str) or not 0 < len(value) <= max_characters:
        return False
    return value.isascii() or _SURROGATE.search(value) is None


def _username(claims: Mapping[str, Any]) -> str:
    """The first visible one of the claimed names, which include the user id."""
    for name in (*(claims.get(claim) for claim in _NAME_CLAIMS), claims["sub"]):
        shown = printable(name)[:MAX_USERNAME_CHARACTERS].strip() if isinstance(name, str) else ""
        if shown:
            return shown
    return NAMELESS


def _refusal_for(error: jwt.PyJWTError) -> Refused:
    """The refusal for an error of PyJWT; it names the claim if the signature was good."""
    match error:
        case jwt.ExpiredSignatureError():
            return EXPIRED
        case jwt.MissingRequiredClaimError():
            return bad_claim(error.claim, "is missing")
        case jwt.ImmatureSignatureError():
            return bad_claim("nbf", "is in the future")
        case jwt.InvalidIssuerError():
            return bad_claim("iss", "is not the expected one")
        case jwt.InvalidAudienceError():
            return bad_claim("aud", "is not the expected one")
        case _:
            # The library may add further errors.
            return INVALID


def bad_claim(claim: str, problem: str) -> Refused:
    """``AUTH_ERROR`` for a correctly signed token with a bad claim."""
    message = f"Invalid token: its {claim} {problem}"
    return refused(Code.AUTH_ERROR, message, reason=Reason.INVALID, claim=claim)


def denied(message: str, reason: Reason) -> Refused:
    """``AUTH_ERROR``."""
    return refused(Code.AUTH_ERROR, message, reason=reason)


INVALID = denied("Invalid token", Reason.INVALID)
EXPIRED = denied("The token has expired", Reason.EXPIRED)
REVOKED = denied("The token was revoked", Reason.REVOKED)
#: A service acts over HTTP alone: it has no seat in a room and no state there.
NO_SOCKETS = denied("Services open no sockets: they call the HTTP API", Reason.SERVICE)
