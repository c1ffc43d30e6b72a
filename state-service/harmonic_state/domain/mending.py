"""Continues a universe whose log has lost records."""

from datetime import timedelta

from harmonic_protocol.log import HistoryLost
from harmonic_state.domain.timestamps import shifted
from harmonic_state.domain.universe import Universe

#: More frames than were ever lost at once, so that no number that members have seen comes again.
SEQ_JUMP = 1_000_000


def history_lost(universe: Universe, now: str) -> HistoryLost:
    """The event with which the log continues: later than all known ones, its number far higher."""
    after = shifted(universe.updated_at, timedelta(milliseconds=1))
    return HistoryLost(seq=universe.seq + SEQ_JUMP, timestamp=max(now, after))
