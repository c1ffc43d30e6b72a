"""Links that act for a user without a token: each to one piece or to one stream."""

import base64
import binascii
import json
from datetime import UTC, datetime

from harmonic_gateway.identity.proofs import Proofs
from harmonic_gateway.identity.verification import MAX_USER_ID_CHARACTERS, Identity
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import SERVICE_PREFIX
from harmonic_runtime.process.clock import Clock, timestamp

#: Lifetime of a link, in seconds. A stream that it opened continues after that.
LINK_S = 300
#: The longest link: a user id takes at most four bytes per character, encoded as base64.
MAX_LINK_CHARACTERS = 64 + MAX_USER_ID_CHARACTERS * 6
_PURPOSE = b"link to a piece"
_PURPOSE_OF_SERVICE = b"a service's link"
_PURPOSE_OF_STREAM = b"link to a stream"
_INVALID = refused(Code.AUTH_ERROR, "The link proves nothing here", reason=Reason.INVALID)
_EXPIRED = refused(Code.AUTH_ERROR, "The link has expired", reason=Reason.EXPIRED)


class PieceLinks:
    """Makes and verifies links to pieces.

    A request with a link acts as the link's user, for that piece alone. The owner checks again
    that the user may see the universe, the request counts in the user's allowances, and it is
    refused once the user is revoked.
    """

    def __init__(self, proofs: Proofs, clock: Clock) -> None:
        self._proofs = proofs
        self._clock = clock

    def expire_at(self) -> int:
        """The expiry of a link that is made now, in Unix time."""
        return int(self._clock.now().timestamp()) + LINK_S

    def make(
        self,
        universe_id: str,
        request_id: str,
        user_id: str,
        until_s: int,
        *,
        service: bool = False,
    ) -> str:
        """A link to a piece for a user or a service: the value of ``link`` in the query."""
        purpose = _PURPOSE_OF_SERVICE if service else _PURPOSE
        proof = self._proofs.make(purpose, _told(universe_id, request_id, user_id, until_s))
        user = base64.urlsafe_b64encode(user_id.encode(errors="surrogatepass")).decode()
        return f"{until_s}.{user.rstrip('=')}.{proof}"

    def identify(self, universe_id: str, request_id: str, link: str) -> Identity | Refused:
        """The user or service of a link to a piece, or the refusal of the link."""
        until, _, rest = link.partition(".")
        encoded, _, proof = rest.partition(".")
        if len(link) > MAX_LINK_CHARACTERS or not (until.isascii() and until.isdecimal()):
            return _INVALID
        try:
            padded = encoded + "=" * (-len(encoded) % 4)
            user_id = base64.urlsafe_b64decode(padded).decode(errors="surrogatepass")
        except (binascii.Error, ValueError):
            return _INVALID
        until_s = int(until)
        told = _told(universe_id, request_id, user_id, until_s)
        if self._proofs.is_good(_PURPOSE, told, proof):
            service = None
        elif self._proofs.is_good(_PURPOSE_OF_SERVICE, told, proof):
            service = user_id.removeprefix(SERVICE_PREFIX)
        else:
            return _INVALID
        if until_s <= self._clock.now().timestamp():
            return _EXPIRED
        return Identity(user_id, user_id, until_s, issued_at_s=until_s - LINK_S, service=service)


class StreamLinks:
    """Makes and verifies links to the stream of one universe.

    A link carries the identity of the token that asked for it. The stream ends when that token
    expires or is revoked.
    """

    def __init__(self, proofs: Proofs, clock: Clock) -> None:
        self._proofs = proofs
        self._clock = clock

    def make(self, universe_id: str, identity: Identity) -> tuple[str, int]:
        """A link to a universe's stream, and the time until which it opens one, in Unix time."""
        until_s = int(self._clock.now().timestamp()) + LINK_S
        told = (
            *(until_s, identity.user_id, identity.username),
            *(identity.expires_at_s, identity.issued_at_s, identity.jti),
        )
        encoded = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
        proof = self._proofs.make(_PURPOSE_OF_STREAM, f"{universe_id}/{encoded}")
        return f"{encoded}.{proof}", until_s

    def identify(self, universe_id: str, link: str) -> Identity | Refused:
        """The identity of the token that asked for the link, or the refusal of the link."""
        encoded, _, proof = link.partition(".")
        if not self._proofs.is_good(_PURPOSE_OF_STREAM, f"{universe_id}/{encoded}", proof):
            return _INVALID
        # The proof shows that a gateway made it, so it is well-formed.
        told = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        until_s, user_id, username, expires_at_s, issued_at_s, jti = told
        if until_s <= self._clock.now().timestamp():
            return _EXPIRED
        return Identity(user_id, username, expires_at_s, issued_at_s, jti)


def expiry(until_s: int) -> str:
    """A time of expiry as clients see it, from Unix time."""
    return timestamp(datetime.fromtimestamp(until_s, UTC))


def _told(universe_id: str, request_id: str, user_id: str, until_s: int) -> str:
    # Neither id contains a slash, so no two links have the same text.
    return f"{universe_id}/{request_id}/{until_s}/{user_id}"
