"""What all universes of a replica share: settings, clock, journal, and the rest."""

from collections.abc import Callable
from dataclasses import dataclass

from harmonic_protocol.envelope import NO_TRACE, Caller, Reply, RequestTrace
from harmonic_protocol.internal import OwnRequest
from harmonic_protocol.messages.endless import StartMusic
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.entropy import new_id, new_seed
from harmonic_runtime.process.lifecycle import Tasks
from harmonic_state.domain.auditing import is_noted
from harmonic_state.domain.universe_requests import UniverseRequest
from harmonic_state.effects import Effects
from harmonic_state.heads import HeadAnnouncements
from harmonic_state.journal import Journal
from harmonic_state.losses import NOTHING_SEEN, Seen
from harmonic_state.meters import Meters
from harmonic_state.pending import PendingRequest
from harmonic_state.playing import EndlessPieces
from harmonic_state.settings import StateSettings
from harmonic_state.witnesses import Witnesses

#: What needs a fresh id and seed.
_COMPOSED = (GenerateMusic, StartMusic)
#: Seconds that an owner's own requests may wait.
OWN_REQUEST_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Means:
    """What all universes of a replica share.

    ``turn`` tells this replica's rank for a universe among those that are alive: 0 is its owner.
    """

    journal: Journal
    effects: Effects
    endless: EndlessPieces
    heads: HeadAnnouncements
    witnesses: Witnesses
    settings: StateSettings
    clock: SharedClock
    tasks: Tasks
    meters: Meters
    log: BoundLogger
    turn: Callable[[str], int]

    def pending(
        self,
        request: UniverseRequest,
        caller: Caller,
        *,
        within_s: float,
        reply: Callable[[Reply], None],
        seen_position: int = 0,
        seen_seq: int = 0,
        trace: RequestTrace = NO_TRACE,
        name: str = "",
    ) -> PendingRequest:
        """A request whose caller waits ``within_s`` seconds from now."""
        deadline_s = self.clock.monotonic() + within_s
        fresh_id, fresh_seed = "", 0
        if type(request) in _COMPOSED:
            fresh_id, fresh_seed = new_id(), new_seed()
        elif is_noted(request, caller):
            fresh_id = new_id()
        return PendingRequest(
            request,
            caller,
            deadline_s,
            reply,
            fresh_id,
            fresh_seed,
            trace,
            seen_position,
            name,
            seen_seq,
        )

    def is_of_other_replica(self, record_id: str) -> bool:
        """Whether a record is known to be appended by another replica."""
        replica_id, _, number = record_id.rpartition(".")
        return number != "" and replica_id not in {"", self.settings.replica_id}

    def of_its_own(
        self,
        request: OwnRequest,
        reply: Callable[[Reply], None] = lambda _reply: None,
        seen: Seen = NOTHING_SEEN,
    ) -> PendingRequest:
        """A request that the owner itself makes, when it is told that members were sent that."""
        return self.pending(
            request,
            Caller("", ""),
            within_s=OWN_REQUEST_TIMEOUT_S,
            reply=reply,
            seen_position=seen.position,
            seen_seq=seen.seq,
        )
