"""One client on one namespace, and who it is."""

from dataclasses import dataclass

from harmonic_gateway.identity.verification import Identity
from harmonic_gateway.limits.allowances import FloodGuard, limited
from harmonic_gateway.sockets import Connection
from harmonic_protocol.envelope import Caller
from harmonic_protocol.messages.declaration import ALLOWANCES_PER_MINUTE, RateClass
from harmonic_protocol.refusals import Refused

#: Live signals are counted on each connection alone: they are stored nowhere.
AUDIO_PER_S = ALLOWANCES_PER_MINUTE[RateClass.AUDIO] / 60
AUDIO_BURST = 50


@dataclass(slots=True)
class Session:
    """A client with a verified identity.

    With a ``pid`` it can be resumed on another connection: ``saved_at`` is where it was saved
    last, and ``replaced`` says that another connection has saved it since.
    """

    connection: Connection
    identity: Identity
    gateway_id: str
    audio: FloodGuard | None = None
    pid: str | None = None
    warned: bool = False
    saved_at: int | None = None
    replaced: bool = False

    def take_audio(self, now_s: float) -> Refused | None:
        """Grant one audio analysis, or say when to ask again."""
        if self.audio is None:
            self.audio = FloodGuard(AUDIO_PER_S, AUDIO_BURST)
        wait_s = self.audio.take(now_s)
        return limited(self.audio.allowance, int(wait_s * 1000) + 1) if wait_s else None

    @property
    def caller(self) -> Caller:
        """Whom the owners are told that they hear."""
        return Caller(
            self.identity.user_id, self.identity.username, self.connection.id, self.gateway_id
        )
