"""Tokens for guests: users without an identity provider, where tokens for development are on."""

import hashlib
from collections.abc import Callable
from typing import Annotated

import jwt
from pydantic import Field, StringConstraints

from harmonic_gateway.identity.verification import MAX_USERNAME_CHARACTERS
from harmonic_protocol.schema import ClientModel

#: Lifetime of a guest's token. The guest asks for the next one with the same key.
GUEST_TOKEN_S = 3600
_ID_BYTES = 10


class AskGuestToken(ClientModel):
    """What a guest says of itself. The key makes it the same user again, and nobody else."""

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=MAX_USERNAME_CHARACTERS),
        Field(description="what others see"),
    ]
    key: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_-]{22,64}$"),
        Field(description="a random text that the guest alone knows"),
    ]


class GuestTokens:
    """Signs tokens of guests, and keeps no state.

    ``secret`` returns the current secret for HS256 tokens.
    """

    def __init__(
        self, secret: Callable[[], str], *, issuer: str | None, audience: str | None
    ) -> None:
        self._secret = secret
        self._fixed = {
            name: value for name, value in (("iss", issuer), ("aud", audience)) if value is not None
        }

    def issue(self, asked: AskGuestToken, now_s: int) -> str:
        """A token whose user id follows from the guest's key alone.

        The user stays the same when the secret is replaced. The key cannot be derived from it.
        """
        claims = {
            **self._fixed,
            "sub": _user_id(asked.key),
            "username": asked.name,
            "iat": now_s,
            "exp": now_s + GUEST_TOKEN_S,
        }
        return jwt.encode(claims, self._secret(), algorithm="HS256")


def _user_id(key: str) -> str:
    proof = hashlib.blake2b(key.encode(), digest_size=_ID_BYTES, person=b"guest")
    return f"guest-{proof.hexdigest()}"
