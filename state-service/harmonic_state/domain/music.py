"""Requests for a piece: one at a time for each user, answered by notes or, in time, by an error."""

from datetime import timedelta

from harmonic_protocol.envelope import Caller
from harmonic_protocol.internal import CompleteMusic, ExpireMusic
from harmonic_protocol.log import MusicFailed, MusicRequested, MusicStored
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.parameters import MUSIC, PHYSICS
from harmonic_protocol.pieces import MusicJob
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.permissions import visible
from harmonic_state.domain.presence import DecisionInputs, seat_of
from harmonic_state.domain.timestamps import shifted
from harmonic_state.domain.universe import Universe

#: Milliseconds without notes after which the requester gets an error, and a late piece is dropped.
MUSIC_TIMEOUT_MS = 5000
#: Milliseconds that a client should wait after such an error before it asks again.
RETRY_AFTER_FAILURE_MS = 1000
#: Milliseconds from the announcement of a piece to its begin: time to deliver it and its notes.
PLAY_LEAD_MS = 1000


def generate(
    universe: Universe | None, request: GenerateMusic, caller: Caller, moment: DecisionInputs
) -> list[LogEvent] | Refused:
    """Record the request, with the current parameters."""
    seen = visible(universe, caller)
    if isinstance(seen, Refused):
        return seen
    seat = None if caller.service else seat_of(seen, caller)
    if isinstance(seat, Refused):
        return seat
    for pending in seen.pending_music.values():
        if pending.job.user_id == caller.user_id:
            return refused(
                Code.RATE_LIMITED,
                "Your last piece is still being made",
                reason=Reason.BUSY,
                limit=1,
                windowMs=MUSIC_TIMEOUT_MS,
                retryAfterMs=min(
                    MUSIC_TIMEOUT_MS, max(1, pending.job.deadline_ms - moment.unix_ms)
                ),
            )
    job = MusicJob(
        universe_id=seen.id,
        request_id=moment.fresh_id,
        user_id=caller.user_id,
        duration=request.duration,
        seed=moment.fresh_seed if request.seed is None else request.seed,
        music=MUSIC.of(seen.parameters),
        physics=PHYSICS.of(seen.parameters),
        deadline_ms=moment.unix_ms + MUSIC_TIMEOUT_MS,
        style=request.style,
        after=request.after,
        service=caller.service or None,
    )
    return [
        MusicRequested(
            job=job,
            connection_id=caller.connection_id,
            op_id=request.op_id,
            timestamp=moment.timestamp,
        )
    ]


def complete(
    universe: Universe | None, request: CompleteMusic, moment: DecisionInputs
) -> list[LogEvent]:
    """Record the piece of a request, if the request still waits for one."""
    pending = universe.pending_music.get(request.request_id) if universe else None
    if universe is None or pending is None:
        return []
    job = pending.job
    return [
        MusicStored(
            universe_id=universe.id,
            timestamp=moment.timestamp,
            request_id=job.request_id,
            user_id=job.user_id,
            seed=job.seed,
            duration=job.duration,
            tempo=request.tempo,
            key=request.key,
            scale=request.scale,
            seq=universe.seq + 1,
            play_at=shifted(moment.timestamp, timedelta(milliseconds=PLAY_LEAD_MS)),
            composer_version=request.composer_version,
            service=job.service,
        )
    ]


def expire(universe: Universe | None, request: ExpireMusic) -> list[LogEvent]:
    """Answer a request with an error, if it still waits for its piece."""
    pending = universe.pending_music.get(request.request_id) if universe else None
    if universe is None or pending is None:
        return []
    return [
        MusicFailed(
            request_id=request.request_id,
            connection_id=pending.connection_id,
            refusal=refused(
                Code.INTERNAL_ERROR,
                "The music could not be made in time",
                opId=pending.op_id,
                retryAfterMs=RETRY_AFTER_FAILURE_MS,
            ),
        )
    ]
