"""The secret by which a client that comes back is known: made for one user, proven by a digest.

Any gateway can tell a ``pid`` that one of them gave out, without asking anybody.
"""

import base64
import hashlib
import hmac

from harmonic_runtime.process.entropy import new_id

_DIGEST_BYTES = 16
_KEY_CONTEXT = b"harmonic pid"


class Pids:
    """Makes and recognises them, by a key derived from the gateways' shared secret."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.blake2b(secret.encode(), person=_KEY_CONTEXT, digest_size=32).digest()

    def issue(self, user_id: str) -> str:
        """A fresh one for a user: 128 random bits, and as many of proof."""
        nonce = new_id()
        return f"{nonce}.{self._proof(nonce, user_id)}"

    def is_good(self, pid: object, user_id: str) -> bool:
        """Whether it was made for that user."""
        if not isinstance(pid, str):
            return False
        nonce, _, proof = pid.partition(".")
        return hmac.compare_digest(proof.encode(), self._proof(nonce, user_id).encode())

    def _proof(self, nonce: str, user_id: str) -> str:
        text = f"{nonce}.{user_id}".encode(errors="replace")
        digest = hashlib.blake2b(text, key=self._key, digest_size=_DIGEST_BYTES).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
