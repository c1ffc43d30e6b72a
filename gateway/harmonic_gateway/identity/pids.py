"""The ``pid``: the secret by which a client resumes its session, bound to one user by a proof."""

from harmonic_gateway.identity.proofs import Proofs
from harmonic_runtime.process.entropy import new_id

_PURPOSE = b"harmonic pid"


class Pids:
    """Makes and verifies ``pid`` secrets. Each gateway verifies those of all gateways."""

    def __init__(self, proofs: Proofs) -> None:
        self._proofs = proofs

    def issue(self, user_id: str) -> str:
        """A new ``pid`` for a user: 128 random bits, and a proof of 128 bits."""
        nonce = new_id()
        return f"{nonce}.{self._proofs.make(_PURPOSE, f'{nonce}.{user_id}')}"

    def is_good(self, pid: object, user_id: str) -> bool:
        """Whether a gateway made this ``pid`` for that user."""
        if not isinstance(pid, str):
            return False
        nonce, _, proof = pid.partition(".")
        return self._proofs.is_good(_PURPOSE, f"{nonce}.{user_id}", proof)
