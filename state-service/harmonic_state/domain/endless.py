"""The endless piece: started, recorded bar by bar, and ended.

A bar is recorded once: an append takes the log's next position, so a second owner that tries to
record the same bar finds it there. A bar begins where the one before ends, to the microsecond. If
no bar was recorded in time, the next one begins later.
"""

from datetime import datetime, timedelta
from typing import assert_never

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import RecordBar
from harmonic_protocol.log import BarRecorded
from harmonic_protocol.messages.endless import MusicStarted, MusicStopped, StartMusic, StopMusic
from harmonic_protocol.messages.parameters import MUSIC, PHYSICS
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.presence import DecisionInputs, editable
from harmonic_state.domain.timestamps import shifted
from harmonic_state.domain.universe import EndlessState, Universe

#: Milliseconds from the start request to the first bar: time to deliver that bar to everybody.
FIRST_LEAD_MS = 1500
#: A bar that would begin sooner than this many milliseconds after its record is put off, ...
LEAST_LEAD_MS = 600
#: ... until this many milliseconds after its record.
LATE_LEAD_MS = 1000
#: Milliseconds that bars sent ahead go on sounding after the end: time to deliver it to everybody.
END_LEAD_MS = 500
#: Seconds without participants after which a piece ends.
EMPTY_S = 30
_US_PER_MS = 1000


def decided(
    universe: Universe | None,
    request: StartMusic | StopMusic | RecordBar,
    caller: Caller,
    moment: DecisionInputs,
) -> list[LogEvent] | Refused:
    """The events of a request about an endless piece, or its refusal."""
    match request:
        case StartMusic():
            return start(universe, request, caller, moment)
        case StopMusic():
            return stop(universe, caller, moment)
        case RecordBar():
            return record(universe, request, moment)
        case unreachable:
            assert_never(unreachable)


def start(
    universe: Universe | None, request: StartMusic, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Begin a piece, with the record of its first bar."""
    seen = editable(universe, caller)
    if isinstance(seen, Refused):
        return seen
    if seen.endless is not None:
        return refused(
            Code.INVALID_PARAMETERS,
            "The universe plays already",
            reason=Reason.PLAYING,
            streamId=seen.endless.stream_id,
        )
    started = MusicStarted(
        universe_id=seen.id,
        stream_id=moment.fresh_id,
        user_id=caller.user_id,
        style=request.style,
        seed=moment.fresh_seed if request.seed is None else request.seed,
        timestamp=moment.timestamp,
        seq=seen.seq + 1,
    )
    starts_us = (moment.unix_ms + FIRST_LEAD_MS) * _US_PER_MS
    return [started, _bar(seen, started.stream_id, 0, starts_us, started.seq)]


def stop(
    universe: Universe | None, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """End the piece."""
    seen = editable(universe, caller)
    if isinstance(seen, Refused):
        return seen
    if seen.endless is None:
        return refused(Code.NOT_FOUND, "The universe plays nothing", reason=Reason.SILENT)
    return [_stopped(seen, seen.endless, moment, caller.user_id)]


def record(universe: Universe | None, request: RecordBar, moment: DecisionInputs) -> list[LogEvent]:
    """Record the next bar with the current parameters, unless it is recorded already."""
    piece = universe.endless if universe is not None else None
    if universe is None or piece is None or piece.stream_id != request.stream_id:
        return []
    if is_abandoned(piece, moment.timestamp):
        return [_stopped(universe, piece, moment)]
    latest = piece.latest
    if latest is not None and request.bar != latest.bar + 1:
        return []
    starts_us = request.starts_us
    if starts_us < (moment.unix_ms + LEAST_LEAD_MS) * _US_PER_MS:
        starts_us = (moment.unix_ms + LATE_LEAD_MS) * _US_PER_MS
    return [
        _bar(universe, piece.stream_id, request.bar, starts_us, universe.seq, state=request.state)
    ]


def is_abandoned(piece: EndlessState, now: str) -> bool:
    """Whether the room has been empty for too long for a piece to go on."""
    if piece.empty_since is None:
        return False
    since = datetime.fromisoformat(piece.empty_since)
    return datetime.fromisoformat(now) - since >= timedelta(seconds=EMPTY_S)


def _bar(
    universe: Universe,
    stream_id: str,
    number: int,
    starts_us: int,
    as_of: int,
    *,
    state: str | None = None,
) -> BarRecorded:
    return BarRecorded(
        stream_id=stream_id,
        bar=number,
        starts_us=starts_us,
        as_of=as_of,
        music=MUSIC.of(universe.parameters),
        physics=PHYSICS.of(universe.parameters),
        state=state,
    )


def _stopped(
    universe: Universe, piece: EndlessState, moment: DecisionInputs, user_id: str | None = None
) -> MusicStopped:
    return MusicStopped(
        universe_id=universe.id,
        stream_id=piece.stream_id,
        reason="empty" if user_id is None else "stopped",
        user_id=user_id,
        ends_at=shifted(moment.timestamp, timedelta(milliseconds=END_LEAD_MS)),
        timestamp=moment.timestamp,
        seq=universe.seq + 1,
    )
