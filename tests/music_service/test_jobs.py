"""Jobs whose queue cannot be reached: what is logged and counted of that."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from harmonic_music import jobs
from harmonic_music import metrics as table
from harmonic_music.bar_jobs import BarComposers
from harmonic_music.jobs import Composers
from harmonic_protocol import subjects
from harmonic_protocol.pieces import MusicJob
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.workqueue import Job
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harness.memory import Failure, MemoryStreams, SetClock

#: Nobody waits for it any more.
ASKED = MusicJob(
    universe_id="u",
    request_id="r",
    user_id="ann",
    duration=1,
    seed=1,
    music=MusicParameters(),
    physics=PhysicsParameters(),
    deadline_ms=0,
)
PATIENCE_S = 10.0


class _Away:
    """A job whose queue is told nothing."""

    payload = ASKED.model_dump_json(by_alias=True).encode()
    is_answer = False

    async def _tell(self) -> None:
        raise BusUnavailable("away")

    ack = term = release = in_progress = _tell


class _Queue(MemoryStreams):
    """Gives one job, or cannot be asked."""

    def __init__(self, *given: Job) -> None:
        super().__init__({})
        self._given = list(given)
        self.is_away = not given

    async def fetch(self, *_: object, **__: object) -> list[Job]:
        if self.is_away:
            raise BusUnavailable("away")
        if not self._given:
            await asyncio.Event().wait()
        return [self._given.pop()]


class _Scene:
    def __init__(self, queue: _Queue) -> None:
        self.metrics = Metrics()
        self.composers = Composers(
            streams=queue,
            owners=cast("Any", None),
            executor=ThreadPoolExecutor(1),
            clock=SetClock(),
            metrics=self.metrics,
            log=get_log(),
        )

    def counted(self, of: str) -> float:
        name = "harmonic_queue_failures_total"
        return self.metrics.registry.get_sample_value(name, {"of": of}) or 0.0

    @asynccontextmanager
    async def running(self, *work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(each()) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 -- of a counter
            await asyncio.sleep(0)


async def test_a_queue_that_cannot_be_asked_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "RETRY_PAUSE_S", 0)
    scene = _Scene(_Queue())
    with capture_logs() as lines:
        async with scene.running(scene.composers.fetch):
            await until(lambda: scene.counted("fetch") >= 3)
    assert [line["event"] for line in lines] == ["jobs_not_fetched"]


async def test_a_queue_that_cannot_be_told_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PROGRESS_INTERVAL_S", 0)
    composers = (scene := _Scene(_Queue(cast("Job", _Away())))).composers
    with capture_logs() as lines:
        async with scene.running(composers.fetch, composers.report):
            await until(lambda: scene.counted("progress") >= 2)
        await composers.release()
        async with scene.running(composers.work):
            await until(lambda: scene.counted("settle") == 1)
    assert scene.counted("release") == 1
    events = [line["event"] for line in lines]
    assert events == ["progress_untold", "jobs_unreleased", "job_too_late", "job_unsettled"]
    assert lines[-1]["request"] == "r"


async def test_what_is_not_composed_is_told_and_counted_by_its_reason() -> None:
    scene = _Scene(queue := _Queue())
    queue.patterns = {"HU_NOTES": ["hu.>"]}
    queue.failures.append(Failure(BusUnavailable("away")))
    job = cast("Job", SimpleNamespace(term=_nothing, ack=_nothing))
    late = jobs._Held(job, ASKED)
    # What is composed is not stored, and the style is none of this release.
    later = ASKED.model_copy(update={"deadline_ms": 10**13, "style": "polka"})
    with capture_logs() as lines:
        await scene.composers._take(late)
        await scene.composers._take(jobs._Held(job, later))

    assert [line["event"] for line in lines] == ["job_too_late", "style_unknown", "job_interrupted"]
    assert {line["request"] for line in lines} == {"r"}
    value = scene.metrics.registry.get_sample_value
    assert value("harmonic_pieces_total", {"outcome": "too_late"}) == 1
    assert value("harmonic_pieces_total", {"outcome": "interrupted"}) == 1
    assert value("harmonic_styles_unknown_total") == 1


async def test_a_queue_whose_length_is_not_told_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "QUEUE_INTERVAL_S", 0)
    scene = _Scene(_Queue())

    async def away(*_: object) -> int:
        raise BusUnavailable("away")

    sampled = SampledLog(get_log(), SetClock())
    inspection = cast("Any", SimpleNamespace(unfinished=away))
    with capture_logs() as lines:
        async with scene.running(lambda: jobs.watch_queue(inspection, scene.metrics, sampled)):
            await until(
                lambda: (
                    (scene.metrics.registry.get_sample_value("harmonic_queue_unseen_total") or 0)
                    >= 2
                )
            )
    assert [line["event"] for line in lines] == ["queue_unseen"]


async def test_all_parts_of_a_replica_have_metrics_of_their_own() -> None:
    """A metric that two of them declared ended the service as it began."""
    scene = _Scene(queue := _Queue())
    some = cast("Any", None)
    BarComposers(
        bus=some,
        streams=queue,
        executor=some,
        clock=SetClock(),
        tasks=some,
        metrics=scene.metrics,
        log=some,
    )
    scene.metrics.counter(table.QUEUE_UNSEEN)
    scene.metrics.gauge(table.PIECES_PENDING)


async def _nothing() -> None:
    """The queue is told."""


async def test_a_theme_that_is_none_is_counted() -> None:
    scene = _Scene(queue := _Queue())
    queue.patterns = {"HU_NOTES": ["hu.>"]}
    asked = ASKED.model_copy(update={"after": "earlier"})
    await queue.append(subjects.midi("u", "earlier"), b"no MIDI", timeout_s=1)
    assert await scene.composers._theme(asked) is None
    assert scene.metrics.registry.get_sample_value("harmonic_themes_unreadable_total") == 1
