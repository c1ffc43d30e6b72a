"""Tokens for the instance that runs here."""

import time

import jwt


def make_token(secret: str, user: str, *, name: str | None = None, lifetime_s: int = 3600) -> str:
    """A token that the instance's gateways accept."""
    claims: dict[str, object] = {"sub": user, "exp": int(time.time()) + lifetime_s}
    if name:
        claims["username"] = name
    return jwt.encode(claims, secret, algorithm="HS256")
