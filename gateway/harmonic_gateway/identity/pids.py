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
    """Makes and recognises them, by keys derived from the gateways' shared secrets.

    The first secret makes them; those that it replaced are still believed.
    """

    def __init__(self, *secrets: str) -> None:
        self._keys: list[bytes] = []
        self.replace_secrets(*secrets)

    def replace_secrets(self, *secrets: str) -> None:
        """Make them by the first of these secrets from now on, and believe the others, too."""
        self._keys = [
            hashlib.blake2b(secret.encode(), person=_KEY_CONTEXT, digest_size=32).digest()
            for secret in secrets
        ]

    def issue(self, user_id: str) -> str:
        """A fresh one for a user: 128 random bits, and as many of proof."""
        nonce = new_id()
        return f"{nonce}.{_proof(self._keys[0], nonce, user_id)}"

    def is_good(self, pid: object, user_id: str) -> bool:
        """Whether it was made for that user."""
        if not isinstance(pid, str):
            return False
        nonce, _, proof = pid.partition(".")
        return any(
            hmac.compare_digest(proof.encode(), _proof(key, nonce, user_id).encode())
            for key in self._keys
        )


def _proof(key: bytes, nonce: str, user_id: str) -> str:
    text = f"{nonce}.{user_id}".encode(errors="replace")
    digest = hashlib.blake2b(text, key=key, digest_size=_DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
