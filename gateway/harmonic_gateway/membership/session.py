"""One client on one namespace, and who it is."""

import asyncio
from dataclasses import dataclass, field

from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.limits.connection import ConnectionRates
from harmonic_gateway.sockets import Connection
from harmonic_protocol.envelope import Caller


@dataclass(slots=True)
class Session:
    """A client with a verified identity.

    ``fingerprint`` tells its kind of client apart from others of the same user. With a ``pid``
    it can be resumed on another connection: ``saved_at`` is where it was saved last, ``is_saved``
    that it was, or may have been, and ``replaced`` that another connection has saved it since.
    It is connected since ``connected_at_s``, by the monotonic clock.
    Two saves at once would take each other for another connection: ``saving`` is held meanwhile.
    """

    connection: Connection
    identity: Identity
    gateway_id: str
    fingerprint: str
    rates: ConnectionRates = field(default_factory=ConnectionRates)
    pid: str | None = None
    warned: bool = False
    saved_at: int | None = None
    saving: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_saved: bool = False
    replaced: bool = False
    connected_at_s: float = 0.0

    @property
    def caller(self) -> Caller:
        """Whom the owners are told that they hear."""
        return Caller(
            self.identity.user_id, self.identity.username, self.connection.id, self.gateway_id
        )
