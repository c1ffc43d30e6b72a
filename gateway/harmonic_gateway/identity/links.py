"""Links that a browser follows without a token, for a user: to one piece, to one stream."""

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

#: How long a link works: a stream that it has begun goes on.
LINK_S = 300
#: What is longer is no link: a user id takes four bytes a character at most, in base64.
MAX_LINK_CHARACTERS = 64 + MAX_USER_ID_CHARACTERS * 6
_PURPOSE = b"link to a piece"
_PURPOSE_OF_SERVICE = b"a service's link"
_PURPOSE_OF_STREAM = b"link to a stream"
_INVALID = refused(Code.AUTH_ERROR, "The link proves nothing here", reason=Reason.INVALID)
_EXPIRED = refused(Code.AUTH_ERROR, "The link has expired", reason=Reason.EXPIRED)


class PieceLinks:
    """Makes links to pieces, and says whom they were made for.

    Who follows one is that user, for that piece alone: asked again whether it may see the
    universe, counted in its allowances, and refused once it is revoked.
    """

    def __init__(self, proofs: Proofs, clock: Clock) -> None:
        self._proofs = proofs
        self._clock = clock

    def expire_at(self) -> int:
        """When a link expires that is made now, in Unix time."""
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
        """A link to a piece for a user or a service: what its address says as ``link``."""
        purpose = _PURPOSE_OF_SERVICE if service else _PURPOSE
        proof = self._proofs.make(purpose, _told(universe_id, request_id, user_id, until_s))
        user = base64.urlsafe_b64encode(user_id.encode(errors="surrogatepass")).decode()
        return f"{until_s}.{user.rstrip('=')}.{proof}"

    def identify(self, universe_id: str, request_id: str, link: str) -> Identity | Refused:
        """The user or service whom a link to a piece was made for, or why it proves nothing."""
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
    """Makes links to streams of one universe, and says who was given one.

    Who follows one is whom the token proved that asked for it, and for no longer: the stream ends
    when that token expires or is revoked.
    """

    def __init__(self, proofs: Proofs, clock: Clock) -> None:
        self._proofs = proofs
        self._clock = clock

    def make(self, universe_id: str, identity: Identity) -> tuple[str, int]:
        """A link to a universe's stream, and until when it begins one, in Unix time."""
        until_s = int(self._clock.now().timestamp()) + LINK_S
        told = (
            *(until_s, identity.user_id, identity.username),
            *(identity.expires_at_s, identity.issued_at_s, identity.jti),
        )
        encoded = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
        proof = self._proofs.make(_PURPOSE_OF_STREAM, f"{universe_id}/{encoded}")
        return f"{encoded}.{proof}", until_s

    def identify(self, universe_id: str, link: str) -> Identity | Refused:
        """Whom the token proved that asked for a link, or why it proves nothing."""
        encoded, _, proof = link.partition(".")
        if not self._proofs.is_good(_PURPOSE_OF_STREAM, f"{universe_id}/{encoded}", proof):
            return _INVALID
        # Made by a gateway: it can be read.
        told = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        until_s, user_id, username, expires_at_s, issued_at_s, jti = told
        if until_s <= self._clock.now().timestamp():
            return _EXPIRED
        return Identity(user_id, username, expires_at_s, issued_at_s, jti)


def expiry(until_s: int) -> str:
    """A time of expiry, as clients are told it."""
    return timestamp(datetime.fromtimestamp(until_s, UTC))


def _told(universe_id: str, request_id: str, user_id: str, until_s: int) -> str:
    # Neither id holds a slash, so that no two links tell the same.
    return f"{universe_id}/{request_id}/{until_s}/{user_id}"
