"""Proofs that a gateway made a text: digests with shared secrets, which every gateway verifies."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

_DIGEST_BYTES = 16
_KEY_BYTES = 32
#: The purpose and length of fingerprints, which show whether two secrets differ.
_ALIKE, _ALIKE_DIGITS = b"harmonic alike", 8


def derived_key(secret: str, purpose: bytes) -> bytes:
    """The key for one purpose, of at most 16 bytes, from the gateways' shared secret."""
    return hashlib.blake2b(secret.encode(), person=purpose, digest_size=_KEY_BYTES).digest()


def fingerprint(secrets: Sequence[str]) -> str:
    """The fingerprint of the first of these secrets; empty if there is none."""
    return derived_key(secrets[0], _ALIKE).hex()[:_ALIKE_DIGITS] if secrets else ""


class Proofs:
    """Makes and verifies proofs, with keys derived from the gateways' shared secrets.

    The first secret makes proofs; proofs of the secrets that it replaced are still accepted. A
    proof for one ``purpose``, of at most 16 bytes, is not valid for another.
    """

    def __init__(self, *secrets: str) -> None:
        self._secrets: Sequence[str] = ()
        self._keys: dict[bytes, list[bytes]] = {}
        self.replace_secrets(*secrets)

    def replace_secrets(self, *secrets: str) -> None:
        """Make proofs with the first of these secrets from now on, and accept those of all."""
        self._secrets = secrets
        self.fingerprint = fingerprint(secrets)
        self._keys.clear()

    def make(self, purpose: bytes, text: str) -> str:
        """The proof that a gateway made a text: 22 characters, fit for URLs."""
        return _proof(self._keys_for(purpose)[0], text)

    def is_good(self, purpose: bytes, text: str, proof: str) -> bool:
        """Whether a gateway made this text for this purpose."""
        given = proof.encode(errors="replace")
        return any(
            hmac.compare_digest(given, _proof(key, text).encode())
            for key in self._keys_for(purpose)
        )

    def _keys_for(self, purpose: bytes) -> list[bytes]:
        keys = self._keys.get(purpose)
        if keys is None:
            keys = [derived_key(secret, purpose) for secret in self._secrets]
            self._keys[purpose] = keys
        return keys


def _proof(key: bytes, text: str) -> str:
    digest = hashlib.blake2b(
        text.encode(errors="replace"), key=key, digest_size=_DIGEST_BYTES
    ).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
