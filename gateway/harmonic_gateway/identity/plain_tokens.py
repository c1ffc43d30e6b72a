"""Tokens that are plainly good, taken at a third of the cost of the library's general way. Pure.

They are signed with a shared secret (RFC 7515, with HS256), and nothing about them is unusual. What
is not accepted here is for PyJWT to judge, which also says why it is refused: so nothing may be
accepted here that PyJWT would refuse.
"""

import base64
import hmac
import json
from binascii import a2b_base64
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

#: Headers that are remembered as they were read: those of one issuer are all the same.
MAX_KNOWN_HEADERS = 64
_USUAL = frozenset({"alg", "typ", "kid"})
_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def _decoded(segment: str) -> bytes:
    """The bytes of a segment in the one form that RFC 7515 gives them; else ``ValueError``."""
    padded = segment.translate(_STANDARD_ALPHABET) + "=" * (-len(segment) % 4)
    decoded = a2b_base64(padded, strict_mode=True)
    if _encoded(decoded) != segment.encode():
        raise ValueError("not the usual form")
    return decoded


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@lru_cache(MAX_KNOWN_HEADERS)
def read_header(segment: str) -> Mapping[str, Any]:
    """What a token says of itself in its first segment; ``ValueError`` or ``TypeError`` if none."""
    header = json.loads(_decoded(segment.rstrip("=")))
    if not isinstance(header, dict):
        raise TypeError("no object")
    return header


def is_usual(header: Mapping[str, Any]) -> bool:
    """Whether a header asks for nothing that would have to be understood."""
    return header.keys() <= _USUAL


def signed_claims(token: str, secrets: Iterable[bytes]) -> dict[str, Any] | None:
    """The claims that one of the secrets signed with HS256; ``None`` where that is not plain."""
    signed, _, signature = token.rpartition(".")
    payload = signed.partition(".")[2]
    try:
        message, given = signed.encode("ascii"), signature.encode("ascii")
        if not any(hmac.compare_digest(_signature(each, message), given) for each in secrets):
            return None
        claims = json.loads(_decoded(payload))
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _signature(secret: bytes, message: bytes) -> bytes:
    return _encoded(hmac.digest(secret, message, "sha256"))


def is_plainly_good(
    claims: Mapping[str, Any],
    now_s: float,
    *,
    leeway_s: float,
    issuer: str | None,
    audience: str | None,
) -> bool:
    """Whether all claims that count are there, in their simplest form, and true at a time."""
    expires_s, begins_s = claims.get("exp"), claims.get("nbf", 0)
    return (
        type(expires_s) is int
        and expires_s > now_s - leeway_s
        and type(begins_s) is int
        and begins_s <= now_s + leeway_s
        and isinstance(claims.get("sub"), str)
        and isinstance(claims.get("jti", ""), str)
        and (issuer is None or claims.get("iss") == issuer)
        and (audience is None or claims.get("aud") == audience)
    )
