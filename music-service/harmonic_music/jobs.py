"""Pieces to compose, from the work queue: composed off the event loop, stored, handed over.

A job is acknowledged once its piece has reached the universe's owner. If a replica dies before
that, another gets the job. A job done twice gives the same piece: it is stored once, and the owner
takes the first. A replica holds more jobs than it works on, so that universes can take turns.
"""

import asyncio
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from harmonic_music import metrics as table
from harmonic_music.composing import COMPOSER_VERSION, CompositionRequest
from harmonic_music.composing.memory import Theme
from harmonic_music.midi import theme_of
from harmonic_music.performing import perform
from harmonic_music.score import Score
from harmonic_music.styles.catalogue import known_style
from harmonic_music.waiting import Waiting
from harmonic_protocol import subjects
from harmonic_protocol.envelope import Caller, Envelope, Reply
from harmonic_protocol.internal import CompleteMusic
from harmonic_protocol.pieces import MusicJob
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.inspection import Inspection
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.bus.streams import Job, StreamFull, Streams, WrongSequence
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import Clock, milliseconds

#: Seconds without progress after which a job is given to another replica. Requesters wait five
#: seconds, so the other one must make the piece in the rest of them.
ACK_WAIT_S = 1.5
PROGRESS_INTERVAL_S = 0.5
#: Attempts per job; after the last one, its requester has long been told that nothing came.
MAX_DELIVERIES = 4
#: Waiting jobs that a replica holds at most: two seconds' work if all are long. All of them are
#: delayed by ``ACK_WAIT_S`` if it dies.
MOST_WAITING = 32
FETCH_EXPIRES_S = 5.0
#: Seconds between two polls of the queue's length at its leader.
QUEUE_INTERVAL_S = 5.0
STORE_TIMEOUT_S = 2.0
HAND_OVER_TIMEOUT_S = 3.0
RETRY_PAUSE_S = 0.5
_MS_PER_S = 1000

CONSUMER_CONFIG = {
    "durable_name": subjects.JOBS_CONSUMER,
    "ack_policy": "explicit",
    "ack_wait": int(ACK_WAIT_S * 10**9),
    "max_deliver": MAX_DELIVERIES,
    "max_ack_pending": 1000,
}


@dataclass(frozen=True, eq=False, slots=True)
class _Held:
    """A job that this replica holds, and its parsed content."""

    job: Job
    asked: MusicJob


class Composers:
    """Fetches jobs, keeps them while they wait, and composes as many at a time as it has tasks."""

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
        self._sampled = SampledLog(log, clock)
        self._waiting: Waiting[_Held] = Waiting(MOST_WAITING)
        self._held: set[_Held] = set()
        self._outcomes = metrics.counters(table.PIECES)
        self._failures = metrics.counters(table.QUEUE_FAILURES)
        self._themes_unreadable = metrics.counter(table.THEMES_UNREADABLE)
        self._styles_unknown = metrics.counter(table.STYLES_UNKNOWN)
        self._seconds = metrics.histogram(table.COMPOSING_SECONDS)
        metrics.gauge_from(table.PIECES_WAITING, lambda: len(self._waiting))
        # All held jobs that do not wait are being worked on.
        metrics.gauge_from(
            table.PIECES_COMPOSING, lambda: max(0, len(self._held) - len(self._waiting))
        )

    async def fetch(self) -> None:
        """Take jobs from the queue while there is space for them, until cancelled."""
        while True:
            await self._waiting.room()
            try:
                # One at a time: the first of several would have to wait for the last.
                jobs = await self._streams.fetch(
                    subjects.JOBS_STREAM, subjects.JOBS_CONSUMER, batch=1, expires_s=FETCH_EXPIRES_S
                )
                for job in jobs:
                    await self._keep(job)
            except BusUnavailable as error:
                self._failures.of("fetch").inc()
                self._sampled.warning("jobs_not_fetched", reason=f"{type(error).__name__}: {error}")
                await asyncio.sleep(RETRY_PAUSE_S)

    async def work(self) -> None:
        """Compose one piece after the other, until cancelled."""
        while True:
            held = await self._waiting.take()
            try:
                await self._take(held)
            except BusUnavailable:
                # It is delivered again, and handed over again: the owner takes the first.
                self._failures.of("settle").inc()
                self._log.warning("job_unsettled", request=held.asked.request_id)
            self._held.discard(held)

    async def report(self) -> None:
        """Report progress on all held jobs, until cancelled, so that no other replica gets them."""
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_S)
            try:
                for held in list(self._held):
                    await held.job.in_progress()
            except BusUnavailable:
                self._failures.of("progress").inc()
                self._sampled.warning("progress_untold", jobs=len(self._held))

    async def release(self) -> None:
        """Return all held jobs to the queue at once, for other replicas; this one drops them."""
        try:
            for held in self._held:
                await held.job.release()
        except BusUnavailable:
            self._failures.of("release").inc()
            self._log.warning("jobs_unreleased", jobs=len(self._held))

    async def _keep(self, job: Job) -> None:
        try:
            asked = MusicJob.model_validate_json(job.payload)
        except ValidationError:
            asked = None
        if asked is None or job.is_answer:
            self._outcomes.of("unreadable" if asked is None else "foreign").inc()
            self._log.error("job_skipped", reason="unreadable" if asked is None else "foreign")
            await job.term()
            return
        held = _Held(job, asked)
        self._held.add(held)
        await self._waiting.add(asked.universe_id, held)

    async def _take(self, held: _Held) -> None:
        """Work on a job, unless and until its deadline has passed."""
        job, asked = held.job, held.asked
        left_s = (asked.deadline_ms - milliseconds(self._clock.now())) / _MS_PER_S
        outcome = "too_late"
        try:
            if left_s > 0:
                async with asyncio.timeout(left_s):
                    await self._make(asked)
                outcome = "composed"
            else:
                # It had waited for a composer, or its replica had died.
                self._sampled.warning("job_too_late", request=asked.request_id)
        except TimeoutError:
            self._log.warning("composing_took_too_long", request=asked.request_id)
        except (BusUnavailable, StreamFull) as error:
            # It is delivered again after the acknowledgement's timeout, to this replica or another.
            self._outcomes.of("interrupted").inc()
            reason = f"{type(error).__name__}: {error}"
            self._sampled.warning("job_interrupted", request=asked.request_id, reason=reason)
            return
        except Exception:  # noqa: BLE001 -- a bug in one piece must not end the worker
            self._log.exception("composing_failed", request=asked.request_id)
            outcome = "failed"
        self._outcomes.of(outcome).inc()
        await (job.ack() if outcome == "composed" else job.term())

    async def _make(self, asked: MusicJob) -> None:
        theme = await self._theme(asked)
        style = known_style(asked.style)
        if style != asked.style:
            self._styles_unknown.inc()
            self._sampled.warning("style_unknown", style=asked.style, request=asked.request_id)
        request = CompositionRequest(
            asked.music, asked.physics, asked.duration, asked.seed, style, theme
        )
        loop = asyncio.get_running_loop()
        started = self._clock.monotonic()
        piece = await loop.run_in_executor(self._executor, perform, request)
        self._seconds.observe(self._clock.monotonic() - started)
        await self._store(
            subjects.notes(asked.universe_id, asked.request_id),
            piece.members(asked.after if theme else None),
        )
        await self._store(subjects.midi(asked.universe_id, asked.request_id), piece.midi)
        await self._hand_over(asked, piece.score)

    async def _theme(self, asked: MusicJob) -> Theme | None:
        """The theme of the piece to be answered; ``None`` without one, or if it is not kept."""
        if asked.after is None:
            return None
        subject = subjects.midi(asked.universe_id, asked.after)
        stored = await self._streams.last(subjects.NOTES_STREAM, subject)
        # Another service may have had the broker store something else at that subject.
        theme = theme_of(stored.payload) if stored and not stored.is_answer else None
        if stored is not None and theme is None:
            self._themes_unreadable.inc()
            self._sampled.warning("theme_unreadable", request=asked.after)
        return theme

    async def _store(self, subject: str, payload: bytes) -> None:
        """Store a part of a piece once; if it was stored before, the stored one stays."""
        with suppress(WrongSequence):
            await self._streams.append(
                subject, payload, timeout_s=STORE_TIMEOUT_S, expected_last_subject_sequence=0
            )

    async def _hand_over(self, asked: MusicJob, score: Score) -> None:
        result = CompleteMusic(
            universe_id=asked.universe_id,
            request_id=asked.request_id,
            tempo=score.tempo,
            key=score.key,
            scale=score.scale,
            composer_version=COMPOSER_VERSION,
        )
        left_ms = int(HAND_OVER_TIMEOUT_S * _MS_PER_S)
        envelope = Envelope(Caller(asked.user_id, ""), asked.deadline_ms, left_ms=left_ms)
        message = await self._owners.request(
            asked.universe_id,
            result.operation(),
            result.to_json(),
            headers=envelope.to_headers(),
            deadline_s=HAND_OVER_TIMEOUT_S,
            repeatable=result.repeatable,
        )
        error = Reply.model_validate_json(message.payload).error
        if error is not None:
            raise BusUnavailable(error.message)


async def watch_queue(inspection: Inspection, metrics: Metrics, log: SampledLog) -> None:
    """Keep the metric of unfinished jobs up to date, until cancelled."""
    pending = metrics.gauge(table.PIECES_PENDING)
    unseen = metrics.counter(table.QUEUE_UNSEEN)
    while True:
        try:
            unfinished = await inspection.unfinished(subjects.JOBS_STREAM, subjects.JOBS_CONSUMER)
            pending.set(unfinished)
        except BusUnavailable as error:
            unseen.inc()
            log.warning("queue_unseen", reason=f"{type(error).__name__}: {error}")
        await asyncio.sleep(QUEUE_INTERVAL_S)
