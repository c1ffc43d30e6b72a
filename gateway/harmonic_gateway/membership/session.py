"""One client on one namespace, and who it is."""

from dataclasses import dataclass, field

from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.limits.signals import SignalGuard
from harmonic_gateway.sockets import Connection
from harmonic_protocol.envelope import Caller


@dataclass(slots=True)
class Session:
    """A client with a verified identity.

    With a ``pid`` it can be resumed on another connection: ``saved_at`` is where it was saved
    last, and ``replaced`` says that another connection has saved it since.
    """

    connection: Connection
    identity: Identity
    gateway_id: str
    signals: SignalGuard = field(default_factory=SignalGuard)
    pid: str | None = None
    warned: bool = False
    saved_at: int | None = None
    replaced: bool = False

    @property
    def caller(self) -> Caller:
        """Whom the owners are told that they hear."""
        return Caller(
            self.identity.user_id, self.identity.username, self.connection.id, self.gateway_id
        )
