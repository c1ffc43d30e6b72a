"""Who a client is: what its token says, once its signature was verified."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from harmonic_gateway.identity.keys import HMAC_ALGORITHMS, PUBLIC_KEY_ALGORITHMS, Keys
from harmonic_protocol.messages.connection import MAX_TOKEN_CHARACTERS
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import printable
from harmonic_runtime.process.clock import timestamp

MAX_USER_ID_CHARACTERS = 255
MAX_USERNAME_CHARACTERS = 64
MAX_JTI_CHARACTERS = 255
LEEWAY_S = 5
_ALGORITHMS = (*HMAC_ALGORITHMS, *PUBLIC_KEY_ALGORITHMS)
_NAME_CLAIMS = ("username", "name", "preferred_username")


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified user; times are Unix time, and a token without a time of issue is of any time."""

    user_id: str
    username: str
    expires_at_s: int
    issued_at_s: float = 0.0
    jti: str | None = None

    @property
    def expires_at(self) -> str:
        """The time of expiry, as clients are told it."""
        return timestamp(datetime.fromtimestamp(self.expires_at_s, UTC))


def find_token(auth: object, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """The token a client brought: in ``auth``, else as Bearer, else in the query."""
    if isinstance(auth, Mapping) and isinstance(auth.get("token"), str):
        return str(auth["token"])
    return bearer(headers) or query.get("token")


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of an ``Authorization`` header."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class Verifier:
    """Verifies tokens by the configured keys, for the configured issuer and audience if any."""

    def __init__(
        self, keys: Keys, *, issuer: str | None = None, audience: str | None = None
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str | None) -> Identity | Refused:
        """The identity that the token proves, or ``AUTH_ERROR`` with a reason."""
        if not token:
            return denied("A token is required", Reason.MISSING)
        if len(token) > MAX_TOKEN_CHARACTERS:
            return INVALID
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm not in _ALGORITHMS:
                return INVALID
            keys = await self._keys.candidates(algorithm, header.get("kid"))
            claims = self._claims(token, algorithm, keys)
        except jwt.ExpiredSignatureError:
            return denied("The token has expired", Reason.EXPIRED)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            return INVALID
        return INVALID if claims is None else _identity(claims)

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
                        "verify_aud": self._audience is not None,
                        "verify_iss": self._issuer is not None,
                    },
                )
            except jwt.InvalidSignatureError:
                continue
        return None


def _identity(claims: Mapping[str, Any]) -> Identity | Refused:
    user_id, issued_at, jti = claims["sub"], claims.get("iat"), claims.get("jti")
    if not _is_text(user_id, MAX_USER_ID_CHARACTERS):
        return INVALID
    if jti is not None and not _is_text(jti, MAX_JTI_CHARACTERS):
        return INVALID
    return Identity(
        user_id,
        _username(claims) or user_id,
        int(claims["exp"]),
        float(issued_at) if isinstance(issued_at, int | float) else 0.0,
        jti,
    )


def _is_text(value: object, max_characters: int) -> bool:
    """Whether it is a text of which no character was cut in two, and not too long."""
    if not isinstance(value, str) or not 0 < len(value) <= max_characters:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _username(claims: Mapping[str, Any]) -> str:
    for claim in _NAME_CLAIMS:
        name = claims.get(claim)
        if isinstance(name, str) and printable(name):
            return printable(name)[:MAX_USERNAME_CHARACTERS]
    return ""


def denied(message: str, reason: Reason) -> Refused:
    """``AUTH_ERROR``."""
    return refused(Code.AUTH_ERROR, message, reason=reason)


INVALID = denied("Invalid token", Reason.INVALID)
EXPIRED = denied("The token has expired", Reason.EXPIRED)
REVOKED = denied("The token was revoked", Reason.REVOKED)
