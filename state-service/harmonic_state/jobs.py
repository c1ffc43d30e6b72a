"""Requested pieces: publishes their jobs, and watches their deadlines."""

from collections.abc import Callable

from harmonic_protocol import subjects
from harmonic_protocol.log import MusicRequested
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import StreamFull, Streams
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.clock import Clock, milliseconds
from harmonic_runtime.process.lifecycle import Tasks
from harmonic_state.domain.music import MUSIC_TIMEOUT_MS
from harmonic_state.timers import Timers

JOB_TIMEOUT_S = 2.0


class MusicJobs:
    """Publishes jobs for the music service, and tells when one is overdue."""

    def __init__(
        self, *, streams: Streams, clock: Clock, tasks: Tasks, timers: Timers, log: BoundLogger
    ) -> None:
        self._streams = streams
        self._clock = clock
        self._tasks = tasks
        self._timers = timers
        self._log = log
        self._on_overdue: list[Callable[[MusicRequested], None]] = []

    def on_overdue(self, callback: Callable[[MusicRequested], None]) -> None:
        """Call ``callback`` at the deadline of each piece, whether it was made or not."""
        self._on_overdue.append(callback)

    def begin(self, requested: MusicRequested) -> None:
        """Have a piece made, and watch its deadline; the broker drops a repeated job by its id."""
        # Bounded here too: the clock of another replica must not make the requester wait longer.
        left_ms = min(requested.job.deadline_ms - milliseconds(self._clock.now()), MUSIC_TIMEOUT_MS)
        self._timers.after(max(left_ms, 0) / 1000, lambda: self._overdue(requested))
        if left_ms > 0:
            self._tasks.start(self._publish(requested), name="publish job")

    def _overdue(self, requested: MusicRequested) -> None:
        for callback in self._on_overdue:
            callback(requested)

    async def _publish(self, requested: MusicRequested) -> None:
        try:
            await self._streams.append(
                subjects.JOBS_SUBJECT, requested.job.to_json(), timeout_s=JOB_TIMEOUT_S
            )
        except (BusUnavailable, StreamFull):
            # The requester gets an error at the deadline.
            self._log.warning("job_not_published", request=requested.job.request_id)
