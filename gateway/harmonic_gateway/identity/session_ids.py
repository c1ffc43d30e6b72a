"""The ids of Engine.IO sessions: secrets of clients, each of which names the gateway that made it.

The proof in an id shows that a gateway made it, so that no gateway is asked about a forged id.
"""

from harmonic_gateway.identity.proofs import Proofs
from harmonic_runtime.process.entropy import new_id

_PURPOSE = b"harmonic session"
#: The parts: the gateway's name, for balancers; its process id, for gateways; random bits; proof.
_MAX_LENGTH = 32 + 64 + 64 + 22 + len("...")


class SessionIds:
    """Makes the ids of one gateway's sessions, and reads those of all."""

    def __init__(self, proofs: Proofs, name: str, gateway_id: str) -> None:
        self._proofs = proofs
        self._prefix = f"{name}.{gateway_id}"

    def issue(self) -> str:
        """A new session id: 128 random bits, and a proof of 128 bits."""
        text = f"{self._prefix}.{new_id()}"
        return f"{text}.{self._proofs.make(_PURPOSE, text)}"

    def giver(self, sid: str) -> str | None:
        """The id of the gateway that made a session id; ``None`` if none did."""
        if len(sid) > _MAX_LENGTH:
            return None
        text, _, proof = sid.rpartition(".")
        if not self._proofs.is_good(_PURPOSE, text, proof):
            return None
        # An id with a valid proof has all parts.
        return text.split(".")[1]
