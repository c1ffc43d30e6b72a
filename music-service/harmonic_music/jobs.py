"""Pieces to compose, from the work queue: composed off the event loop, stored, handed over.

A job is acknowledged once its piece is with the universe's owner; a replica that dies before
leaves it to another. Done twice, it is the same piece, and the owner takes the first.
"""

import asyncio
from concurrent.futures import Executor

from pydantic import ValidationError

from harmonic_music.composing import CompositionRequest
from harmonic_music.performing import perform
from harmonic_music.score import Score
from harmonic_protocol import subjects
from harmonic_protocol.envelope import Caller, Envelope, Reply
from harmonic_protocol.internal import CompleteMusic
from harmonic_protocol.log import MusicJob
from harmonic_runtime.bus import BusUnavailable
from harmonic_runtime.clock import Clock, milliseconds
from harmonic_runtime.logs import BoundLogger
from harmonic_runtime.metrics import Metrics
from harmonic_runtime.routing import OwnerClient
from harmonic_runtime.streams import Job, StreamFull, Streams

CONSUMER = "composers"
#: A job whose replica says nothing for so long is given to another.
ACK_WAIT_S = 3.0
PROGRESS_INTERVAL_S = 1.0
#: A job is tried so often; its requester has long been told by then that nothing came.
MAX_DELIVERIES = 4
FETCH_EXPIRES_S = 5.0
STORE_TIMEOUT_S = 2.0
HAND_OVER_TIMEOUT_S = 3.0
RETRY_PAUSE_S = 0.5

CONSUMER_CONFIG = {
    "durable_name": CONSUMER,
    "ack_policy": "explicit",
    "ack_wait": int(ACK_WAIT_S * 10**9),
    "max_deliver": MAX_DELIVERIES,
    "max_ack_pending": 1000,
}


class Composers:
    """So many workers that fetch a job each, one after the other."""

    def __init__(
        self,
        *,
        streams: Streams,
        owners: OwnerClient,
        executor: Executor,
        clock: Clock,
        metrics: Metrics,
        log: BoundLogger,
    ) -> None:
        self._streams = streams
        self._owners = owners
        self._executor = executor
        self._clock = clock
        self._log = log
        self._outcomes = metrics.counter("pieces_total", "jobs by outcome", ["outcome"])
        self._seconds = metrics.histogram("composing_seconds", "time to compose one piece")

    async def work(self) -> None:
        """Compose for ever."""
        while True:
            try:
                jobs = await self._streams.fetch(
                    subjects.JOBS_STREAM, CONSUMER, batch=1, expires_s=FETCH_EXPIRES_S
                )
                for job in jobs:
                    await self._take(job)
            except BusUnavailable:
                await asyncio.sleep(RETRY_PAUSE_S)

    async def _take(self, job: Job) -> None:
        try:
            asked = MusicJob.model_validate_json(job.payload)
        except ValidationError:
            self._log.error("job_unreadable")
            await job.term()
            return
        if asked.deadline_ms <= milliseconds(self._clock.now()):
            self._outcomes.labels("too_late").inc()
            await job.term()
            return
        try:
            async with asyncio.TaskGroup() as group:
                progress = group.create_task(self._progress(job))
                await self._make(asked)
                progress.cancel()
            await job.ack()
            self._outcomes.labels("composed").inc()
        except* (BusUnavailable, StreamFull):
            # Given again after the acknowledgement's time, to this replica or another.
            self._outcomes.labels("interrupted").inc()
        except* Exception:  # noqa: BLE001 -- a bug in one piece must not end the worker
            self._log.exception("composing_failed", request=asked.request_id)
            self._outcomes.labels("failed").inc()
            await job.term()

    async def _progress(self, job: Job) -> None:
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_S)
            await job.in_progress()

    async def _make(self, asked: MusicJob) -> None:
        request = CompositionRequest(asked.music, asked.physics, asked.duration, asked.seed)
        loop = asyncio.get_running_loop()
        started = self._clock.monotonic()
        piece = await loop.run_in_executor(self._executor, perform, request)
        self._seconds.observe(self._clock.monotonic() - started)
        await self._store(subjects.notes(asked.universe_id, asked.request_id), piece.notes)
        await self._store(subjects.midi(asked.universe_id, asked.request_id), piece.midi)
        await self._hand_over(asked, piece.score)

    async def _store(self, subject: str, payload: bytes) -> None:
        await self._streams.append(subject, payload, timeout_s=STORE_TIMEOUT_S)

    async def _hand_over(self, asked: MusicJob, score: Score) -> None:
        result = CompleteMusic(
            universe_id=asked.universe_id,
            request_id=asked.request_id,
            tempo=score.tempo,
            key=score.key,
            scale=score.scale,
        )
        envelope = Envelope(Caller(asked.user_id, ""), asked.deadline_ms, "")
        message = await self._owners.request(
            asked.universe_id,
            result.operation(),
            result.to_json(),
            headers=envelope.to_headers(),
            deadline_s=HAND_OVER_TIMEOUT_S,
        )
        error = Reply.model_validate_json(message.payload).error
        if error is not None:
            raise BusUnavailable(error.message)
