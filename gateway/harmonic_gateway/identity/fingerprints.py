"""Fingerprints of clients that send no id of their own: from the browser and the page's origin.

Two clients of a user with the same fingerprint are taken for one client that reconnects. A
fingerprint proves nothing about a user.
"""

import hashlib
from collections.abc import Mapping

from harmonic_gateway.identity.proofs import derived_key

_DIGEST_BYTES = 16
_PURPOSE = b"harmonic client"
_HEADERS = ("User-Agent", "Origin")


class Fingerprints:
    """Digests of clients' headers, with a key derived from the gateways' shared secret.

    The key keeps readers of stored digests from guessing the headers.
    """

    def __init__(self, secret: str) -> None:
        self._key = derived_key(secret, _PURPOSE)

    def of(self, headers: Mapping[str, str]) -> str:
        """The fingerprint of a client with these headers."""
        digest = hashlib.blake2b(key=self._key, digest_size=_DIGEST_BYTES)
        for name in _HEADERS:
            value = headers.get(name)
            # Each text is preceded by its length, so that no two pairs give the same input.
            text = b"-" if value is None else value.encode(errors="replace")
            digest.update(b"%d:" % len(text) if value is not None else b":")
            digest.update(text)
        return digest.hexdigest()
