"""Continues a universe whose log has lost records."""

from datetime import datetime, timedelta

from harmonic_protocol.log import HistoryLost
from harmonic_state.domain.universe import Universe

#: More frames than were ever lost at once, so that no number that members have seen comes again.
SEQ_JUMP = 1_000_000


def history_lost(universe: Universe, now: str) -> HistoryLost:
    """The event with which the log continues: later than all known ones, its number far higher."""
    known = datetime.fromisoformat(universe.updated_at) + timedelta(milliseconds=1)
    after = known.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return HistoryLost(seq=universe.seq + SEQ_JUMP, timestamp=max(now, after))
