"""Tokens that clients present again and again after they were refused. Pure.

Some clients try for ever. The first refusals answer CONNECT, which makes newer clients stop. After
these, a token in the request that opens a session is refused there, at a fraction of the cost of a
session. A token in CONNECT is refused without being verified. After ``FORGOTTEN_AFTER_S`` the token
is verified once more.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from harmonic_protocol.refusals import Refused

#: Refusals of one token that answer CONNECT, within ``FORGOTTEN_AFTER_S``.
ANSWERED_REFUSALS = 5
#: A token is verified again this long after its last verification: the reason of its refusal may
#: be gone.
FORGOTTEN_AFTER_S = 60.0
#: Tokens that are kept, by digest: the latest.
MAX_TOKENS = 10_000
_DIGEST_BYTES = 16


@dataclass(slots=True)
class _Known:
    refusal: Refused
    times: int
    at_s: float

    def is_old(self, now_s: float) -> bool:
        """Whether the last verification is too long ago for its refusal to count."""
        return now_s - self.at_s > FORGOTTEN_AFTER_S


class DeadTokens:
    """Records which tokens were refused, and how often."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def note(self, token: str | None, refusal: Refused, now_s: float) -> None:
        """Note a refusal that followed from the verification of a token."""
        if not token:
            return
        key = _digest(token)
        known = self._known.get(key)
        if known is None or (known.times < ANSWERED_REFUSALS and known.is_old(now_s)):
            known = self._known[key] = _Known(refusal, 0, now_s)
        known.refusal, known.times, known.at_s = refusal, known.times + 1, now_s
        self._known.move_to_end(key)
        if len(self._known) > MAX_TOKENS:
            self._known.popitem(last=False)

    def refusal(self, token: str | None, now_s: float) -> Refused | None:
        """Why a token is refused without verification, if it is."""
        if not token or not self._known:
            return None
        known = self._known.get(_digest(token))
        if known is None or known.times < ANSWERED_REFUSALS:
            return None
        return None if known.is_old(now_s) else known.refusal


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode(errors="replace"), digest_size=_DIGEST_BYTES).digest()
