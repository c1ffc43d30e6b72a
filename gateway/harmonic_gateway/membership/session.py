"""One client on one namespace: who it is, and which rooms it is in."""

from dataclasses import dataclass, field

from harmonic_gateway.delivery.places import Place
from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.limits.signals import SignalGuard
from harmonic_gateway.sockets import Connection
from harmonic_protocol.envelope import Caller
from harmonic_protocol.values import Mode


@dataclass(slots=True)
class Session:
    """A client with a verified identity.

    ``rooms`` are those it is in, with its mode, and ``places`` where it began in their logs;
    ``seats`` also those where it may have one, since a join that got no answer may have been
    carried out. With a ``pid`` it can be gone on with elsewhere: ``acknowledged`` are the positions
    that the client has certainly come to, ``sent`` those that it will have once it answers the
    next ping, ``saved_at`` is where the session's last word is stored, and ``replaced`` says that
    somebody else has had a later one.
    """

    connection: Connection
    identity: Identity
    gateway_id: str
    rooms: dict[str, Mode] = field(default_factory=dict)
    seats: set[str] = field(default_factory=set)
    signals: SignalGuard = field(default_factory=SignalGuard)
    places: dict[str, Place] = field(default_factory=dict)
    pid: str | None = None
    acknowledged: dict[str, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    warned: bool = False
    saved_at: int | None = None
    replaced: bool = False

    @property
    def caller(self) -> Caller:
        """Whom the owners are told that they hear."""
        return Caller(
            self.identity.user_id, self.identity.username, self.connection.id, self.gateway_id
        )
