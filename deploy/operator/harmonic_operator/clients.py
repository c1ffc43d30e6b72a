"""What ``harmonic load`` and ``harmonic probe`` have in common."""

import time

import jwt

#: An answer that takes longer will not come.
ANSWER_TIMEOUT_S = 10.0


def make_token(secret: str, user: str, lifetime_s: float) -> str:
    """A token of a user, as the product's own secret proves it."""
    claims = {"sub": user, "exp": int(time.time() + lifetime_s)}
    return jwt.encode(claims, secret, algorithm="HS256")
