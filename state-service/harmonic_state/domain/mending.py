"""Continues a universe whose log has lost records."""

from datetime import timedelta

from harmonic_protocol.log import HistoryLost
from harmonic_state.domain.timestamps import shifted
from harmonic_state.domain.universe import Universe

#: More frames than were ever lost at once, so that no number that members have seen comes again.
SEQ_JUMP = 1_000_000


def history_lost(universe: Universe, now: str, seen_seq: int = 0) -> HistoryLost:
    """The event with which the log continues: later than all known ones, its number far higher.

    It is above ``seen_seq``, too: the number of the last frame that members were sent.
    """
    after = shifted(universe.updated_at, timedelta(milliseconds=1))
    jumps = 1 + max(0, seen_seq - universe.seq) // SEQ_JUMP
    return HistoryLost(seq=universe.seq + jumps * SEQ_JUMP, timestamp=max(now, after))


def covers(lost: HistoryLost, seq: int) -> bool:
    """Whether an owner that knew the universe up to ``seq``, or further, has written this event."""
    return lost.seq >= seq + SEQ_JUMP
