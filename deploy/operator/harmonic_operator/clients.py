"""The common parts of ``harmonic load`` and ``harmonic probe``."""

import time

import jwt

#: Seconds after which an answer is not expected any more.
ANSWER_TIMEOUT_S = 10.0


def make_token(secret: str, user: str, lifetime_s: float) -> str:
    """A user's token, signed with the product's own secret."""
    claims = {"sub": user, "exp": int(time.time() + lifetime_s)}
    return jwt.encode(claims, secret, algorithm="HS256")
