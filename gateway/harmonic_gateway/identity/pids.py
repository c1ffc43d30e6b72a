"""The secret by which a client that comes back is known: made for one user, with a proof."""

from harmonic_gateway.identity.proofs import Proofs
from harmonic_runtime.process.entropy import new_id

_PURPOSE = b"harmonic pid"


class Pids:
    """Makes and recognises them. Any gateway can tell one that another gave out."""

    def __init__(self, proofs: Proofs) -> None:
        self._proofs = proofs

    def issue(self, user_id: str) -> str:
        """A fresh one for a user: 128 random bits, and as many of proof."""
        nonce = new_id()
        return f"{nonce}.{self._proofs.make(_PURPOSE, f'{nonce}.{user_id}')}"

    def is_good(self, pid: object, user_id: str) -> bool:
        """Whether it was made for that user."""
        if not isinstance(pid, str):
            return False
        nonce, _, proof = pid.partition(".")
        return self._proofs.is_good(_PURPOSE, f"{nonce}.{user_id}", proof)
