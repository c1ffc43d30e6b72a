"""Who a client is: what its token says, once its signature was verified."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import printable
from harmonic_runtime.clock import timestamp

#: Longer tokens are refused unread; request lines end at 8,190 bytes anyway.
MAX_TOKEN_CHARACTERS = 8192
MAX_USER_ID_CHARACTERS = 255
MAX_USERNAME_CHARACTERS = 64
LEEWAY_S = 5
#: Pinned here, never taken from the token.
ALGORITHMS = ("HS256",)
_NAME_CLAIMS = ("username", "name", "preferred_username")


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified user; ``expires_at_s`` is Unix time."""

    user_id: str
    username: str
    expires_at_s: int

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
    """Verifies tokens by a shared secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def verify(self, token: str | None) -> Identity | Refused:
        """The identity that the token proves, or ``AUTH_ERROR`` with a reason."""
        if not token:
            return _denied("A token is required", "MISSING")
        if len(token) > MAX_TOKEN_CHARACTERS:
            return _denied("Invalid token", "INVALID")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=ALGORITHMS,
                leeway=LEEWAY_S,
                options={"require": ["exp", "sub"], "verify_aud": False},
            )
        except jwt.ExpiredSignatureError:
            return _denied("The token has expired", "EXPIRED")
        except (jwt.PyJWTError, ValueError, RecursionError, UnicodeError):
            return _denied("Invalid token", "INVALID")
        user_id = claims["sub"]
        if not 0 < len(user_id) <= MAX_USER_ID_CHARACTERS:
            return _denied("Invalid token", "INVALID")
        return Identity(user_id, _username(claims) or user_id, int(claims["exp"]))


def _username(claims: Mapping[str, Any]) -> str:
    for claim in _NAME_CLAIMS:
        name = claims.get(claim)
        if isinstance(name, str) and printable(name):
            return printable(name)[:MAX_USERNAME_CHARACTERS]
    return ""


def _denied(message: str, reason: str) -> Refused:
    return refused(Code.AUTH_ERROR, message, reason=reason)
