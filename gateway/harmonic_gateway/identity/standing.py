"""Whether a token is good now: its signature is verified once, its time and revocation always."""

from harmonic_gateway.identity.revocations import Revocations
from harmonic_gateway.identity.services import AllTokens
from harmonic_gateway.identity.verification import EXPIRED, LEEWAY_S, REVOKED, Identity
from harmonic_protocol.refusals import Refused
from harmonic_runtime.process.clock import Clock


class Standing:
    """Identifies the user of a token, and tells whether that identity still holds.

    The answer may change during any await: ask again before acting on an identity, in the same
    turn of the loop as the effect.
    """

    def __init__(self, tokens: AllTokens, revocations: Revocations, clock: Clock) -> None:
        self._tokens = tokens
        self._revocations = revocations
        self._clock = clock

    async def identify(self, token: str | None) -> Identity | Refused:
        """The identity that a token proves, or its refusal; a revoked token is refused."""
        identity = await self._tokens.verify(token)
        if isinstance(identity, Identity) and self._revocations.is_revoked(identity):
            return REVOKED
        return identity

    def refusal(self, identity: Identity) -> Refused | None:
        """Why a client's token is no longer good, if so: it has expired or was revoked."""
        return self._refusal(identity, leeway_s=0)

    def refusal_to_admit(self, identity: Identity) -> Refused | None:
        """The same for a token that was just verified, with the leeway of the verification."""
        return self._refusal(identity, leeway_s=LEEWAY_S)

    def is_revoked(self, identity: Identity) -> bool:
        """Whether a token was revoked, expired or not."""
        return self._revocations.is_revoked(identity)

    def _refusal(self, identity: Identity, *, leeway_s: float) -> Refused | None:
        if identity.expires_at_s + leeway_s <= self._clock.unix_s():
            return EXPIRED
        return REVOKED if self._revocations.is_revoked(identity) else None
