"""Connections that are no longer in the room and whose sessions may be continued.

An absence begins when a connection is lost without a goodbye, or is replaced. It ends when the
client joins or leaves with it after all, when the user may no longer see the universe, or when the
bounds below are reached. So the user of a session that is continued was allowed to see the room at
every moment since it joined. A session may be continued more than once: a client that knows its
``pid`` may return after another one has taken its rooms over.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from harmonic_protocol.log import ConnectionJoined, ConnectionLeft, ConnectionModeChanged
from harmonic_state.domain.bounds import MAX_ABSENCE_BYTES, absence_bytes
from harmonic_state.domain.permissions import allowed_mode
from harmonic_state.domain.universe import Absence, Universe

#: Absences that a universe keeps in all, and of one user; beyond, the oldest ones end.
MAX_ABSENCES = 2048
MAX_ABSENCES_PER_USER = 64
#: Seconds that an absence is kept at most: as long as saved sessions are.
ABSENCE_KEPT_S = 24 * 3600


def absences_after(
    universe: Universe, event: ConnectionJoined | ConnectionLeft | ConnectionModeChanged
) -> Mapping[str, Absence]:
    """The absences after a connection joined, left or changed its mode."""
    if isinstance(event, ConnectionModeChanged):
        return universe.absences
    known = event.connection_id
    if isinstance(event, ConnectionJoined) and known not in universe.absences:
        return universe.absences
    was = universe.connections.get(known) or universe.absences.get(known)
    kept = {name: one for name, one in universe.absences.items() if name != known}
    if isinstance(event, ConnectionLeft) and event.away_since is not None and was is not None:
        kept[known] = Absence(was.user_id, event.away_since)
        return _within_bounds(kept, kept[known])
    return kept


def allowed_absences(universe: Universe) -> Mapping[str, Absence]:
    """The absences of those users who may see the universe now."""
    return {
        name: absence
        for name, absence in universe.absences.items()
        if allowed_mode(universe, absence.user_id) is not None
    }


def _within_bounds(absences: dict[str, Absence], newest: Absence) -> Mapping[str, Absence]:
    """``absences`` by age, the oldest first, without those that are too old or too many."""
    own = [name for name, one in absences.items() if one.user_id == newest.user_id]
    for name in own[:-MAX_ABSENCES_PER_USER]:
        del absences[name]
    horizon = datetime.fromisoformat(newest.since) - timedelta(seconds=ABSENCE_KEPT_S)
    kept = list(absences.items())[-MAX_ABSENCES:]
    old, size = 0, sum(absence_bytes(name, absence) for name, absence in kept)
    while size > MAX_ABSENCE_BYTES:
        size -= absence_bytes(*kept[old])
        old += 1
    while datetime.fromisoformat(kept[old][1].since) < horizon:
        old += 1
    return dict(kept[old:])
