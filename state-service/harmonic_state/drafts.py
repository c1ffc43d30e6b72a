"""Records that are to be stored."""

from collections.abc import Mapping

from harmonic_protocol.value import value
from harmonic_state.domain.events import loses_history
from harmonic_state.ring import RecentRecord


@value
class Draft:
    """A record that is to follow the one at ``position``.

    Until ``resolved_by_s``, by the monotonic clock, an unknown outcome is resolved by more tries.
    """

    universe_id: str
    record_id: str
    position: int
    payload: bytes
    headers: Mapping[str, str]
    resolved_by_s: float

    @property
    def may_begin(self) -> bool:
        """Whether it may also follow nothing, since it says that records were lost."""
        return self.position > 0 and loses_history(self.payload)

    def stored(self, position: int) -> RecentRecord:
        """The record once it is stored at a position."""
        return RecentRecord(position, self.position, self.payload, self.record_id)
