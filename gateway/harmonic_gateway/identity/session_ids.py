"""The ids of Engine.IO's sessions: a secret of the client's, that says which gateway made it.

One that no gateway made is known as such by its proof, so that nobody is asked about it.
"""

from harmonic_gateway.identity.proofs import Proofs
from harmonic_runtime.process.entropy import new_id

_PURPOSE = b"harmonic session"
#: The gateway's name, for balancers; the process, for gateways; random bits, and the proof.
_MAX_LENGTH = 32 + 64 + 64 + 22 + len("...")


class SessionIds:
    """Makes the ids of one gateway's sessions, and reads those of all."""

    def __init__(self, proofs: Proofs, name: str, gateway_id: str) -> None:
        self._proofs = proofs
        self._prefix = f"{name}.{gateway_id}"

    def issue(self) -> str:
        """A fresh one: 128 random bits, and as many of proof."""
        text = f"{self._prefix}.{new_id()}"
        return f"{text}.{self._proofs.make(_PURPOSE, text)}"

    def giver(self, sid: str) -> str | None:
        """The id of the gateway that made a session id; ``None`` if none did."""
        if len(sid) > _MAX_LENGTH:
            return None
        text, _, proof = sid.rpartition(".")
        if not self._proofs.is_good(_PURPOSE, text, proof):
            return None
        # What a gateway has made has all parts.
        return text.split(".")[1]
