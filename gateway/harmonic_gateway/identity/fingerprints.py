"""What tells a user's clients apart where they do not say it: the browser and the page's origin.

Two clients with the same one are taken for one that comes back; it proves nothing about a user.
"""

import hashlib
from collections.abc import Mapping

from harmonic_gateway.identity.proofs import derived_key

_DIGEST_BYTES = 16
_PURPOSE = b"harmonic client"
_HEADERS = ("User-Agent", "Origin")


class Fingerprints:
    """Digests of clients' headers, by a key derived from the gateways' shared secret.

    Without the key, nobody who reads what is stored can try which header a digest is of.
    """

    def __init__(self, secret: str) -> None:
        self._key = derived_key(secret, _PURPOSE)

    def of(self, headers: Mapping[str, str]) -> str:
        """The fingerprint of a client that sends these headers."""
        digest = hashlib.blake2b(key=self._key, digest_size=_DIGEST_BYTES)
        for name in _HEADERS:
            value = headers.get(name)
            # Each begins with its length, so that no two pairs give the same text.
            text = b"-" if value is None else value.encode(errors="replace")
            digest.update(b"%d:" % len(text) if value is not None else b":")
            digest.update(text)
        return digest.hexdigest()
