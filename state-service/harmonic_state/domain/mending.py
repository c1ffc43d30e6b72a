"""Going on with a universe whose log has lost records."""

from datetime import datetime, timedelta

from harmonic_protocol.log import HistoryLost
from harmonic_state.domain.universe import Universe

#: More frames than were ever lost at once: what members saw of them is not numbered again.
SEQ_JUMP = 1_000_000


def history_lost(universe: Universe, now: str) -> HistoryLost:
    """The event that the log goes on with: later than all that is known, and far above."""
    known = datetime.fromisoformat(universe.updated_at) + timedelta(milliseconds=1)
    after = known.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return HistoryLost(seq=universe.seq + SEQ_JUMP, timestamp=max(now, after))
