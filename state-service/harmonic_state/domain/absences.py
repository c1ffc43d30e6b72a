"""Connections that lost their transport: whose sessions may be continued, and until when.

An absence begins when a connection leaves without its client's word, and ends when the session is
continued, when the user may not see the universe any more, or when the bounds below are reached.
So a session that is continued was allowed to see the room at every moment since it joined.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from harmonic_protocol.log import ConnectionJoined, ConnectionLeft, ConnectionModeChanged
from harmonic_state.domain.bounds import MAX_ABSENCE_BYTES, absence_bytes
from harmonic_state.domain.permissions import allowed_mode
from harmonic_state.domain.universe import Absence, Universe

#: Absences that a universe keeps; beyond, the oldest ones end.
MAX_ABSENCES = 2048
#: How long an absence is kept at most: as long as saved sessions are.
ABSENCE_KEPT_S = 24 * 3600


def absences_after(
    universe: Universe, event: ConnectionJoined | ConnectionLeft | ConnectionModeChanged
) -> Mapping[str, Absence]:
    """The absences after a connection joined, left or changed its mode."""
    if isinstance(event, ConnectionModeChanged):
        return universe.absences
    seat = universe.connections.get(event.connection_id)
    kept = {name: one for name, one in universe.absences.items() if name != event.connection_id}
    if isinstance(event, ConnectionLeft) and event.away_since is not None and seat is not None:
        kept[event.connection_id] = Absence(seat.user_id, event.away_since)
        return _within_bounds(kept, event.away_since)
    return kept


def allowed_absences(universe: Universe) -> Mapping[str, Absence]:
    """The absences of those users who may see the universe as it is now."""
    return {
        name: absence
        for name, absence in universe.absences.items()
        if allowed_mode(universe, absence.user_id) is not None
    }


def _within_bounds(absences: Mapping[str, Absence], now: str) -> Mapping[str, Absence]:
    horizon = datetime.fromisoformat(now) - timedelta(seconds=ABSENCE_KEPT_S)
    kept = list(absences.items())[-MAX_ABSENCES:]
    old, size = 0, sum(absence_bytes(name, absence) for name, absence in kept)
    while size > MAX_ABSENCE_BYTES:
        size -= absence_bytes(*kept[old])
        old += 1
    while datetime.fromisoformat(kept[old][1].since) < horizon:
        old += 1
    return dict(kept[old:])
