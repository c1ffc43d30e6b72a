"""Bars on request, without a broker: what is answered, what is stored, and what is turned away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from harmonic_music import bar_jobs
from harmonic_music.bar_jobs import BarComposers, make_bar
from harmonic_music.endless import ComposedBar, compose_bar
from harmonic_protocol import subjects
from harmonic_protocol.pieces import BAR_ANSWER_S, BarJob, BarMade, StoredBar
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import StreamFull
from harmonic_runtime.bus.wire import NO_HEADERS, Message
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harness.memory import Failure, MemoryStreams, SetClock

INBOX = "_INBOX.state.bars.1.7"
PATIENCE_S = 10.0


def asked(number: int = 0, universe: str = "u") -> BarJob:
    return BarJob(
        universe_id=universe,
        stream_id="s",
        seed=3,
        style="waltz",
        bar=number,
        starts_us=1_700_000_000_123_567,
        as_of=7,
        music=MusicParameters(tempo=91),
        physics=PhysicsParameters(),
    )


class HeldExecutor(Executor):
    """A thread that composes when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(work(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 -- as an executor's thread does
                future.set_exception(error)

        self.waiting.append(run)
        return future

    def composes(self, count: int = 1) -> None:
        """Compose what waits longest."""
        for _ in range(count):
            self.waiting.pop(0)()


class Scene:
    """A replica's composers of bars, with all around them in memory."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.metrics = Metrics()
        self.thread = HeldExecutor()
        self.streams = MemoryStreams({subjects.BARS_STREAM: [subjects.BARS_SUBJECTS]})
        self.posted: list[tuple[str, bytes]] = []
        self.is_away = False
        self._tasks: set[asyncio.Task[None]] = set()
        there: Any = self
        self.composers = BarComposers(
            bus=there,
            streams=self.streams,
            executor=self.thread,
            clock=self.clock,
            tasks=there,
            metrics=self.metrics,
            log=SampledLog(get_log(), self.clock),
        )

    def post(self, subject: str, payload: bytes) -> None:
        if self.is_away:
            raise BusUnavailable("away")
        self.posted.append((subject, payload))

    def start(self, work: Any, *, name: str) -> None:
        assert name
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def receives(self, payload: bytes, reply: str = INBOX) -> None:
        self.composers.receive(Message(subjects.COMPOSE_BAR, payload, NO_HEADERS, reply))

    async def is_asked(self, job: BarJob, reply: str = INBOX) -> None:
        """A request comes, and waits for the thread."""
        self.receives(job.to_json(), reply)
        await asyncio.sleep(0)

    async def done(self) -> None:
        """All that the thread has finished is stored and answered."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*self._tasks)

    async def composes(self, job: BarJob, reply: str = INBOX) -> None:
        await self.is_asked(job, reply)
        self.thread.composes()
        await self.done()

    def counted(self, outcome: str) -> float:
        name = "harmonic_bars_total"
        return self.metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0.0

    @property
    def outcomes(self) -> dict[str, float]:
        names = (*("composed", "turned_away", "too_late", "not_stored", "failed", "unreadable"),)
        return {name: self.counted(name) for name in names if self.counted(name)}

    def shows(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"harmonic_{name}")


@pytest.fixture
async def scene() -> Scene:
    return Scene()


@asynccontextmanager
async def logging(event: str, **fields: object) -> AsyncIterator[None]:
    """Exactly one event is logged within the block, with these fields."""
    with capture_logs() as lines:
        yield
    (line,) = lines
    assert (line["event"], fields.items() <= line.items()) == (event, True), line


async def test_a_bar_is_stored_and_then_answered(scene: Scene) -> None:
    await scene.composes(asked(11))
    made, stored = make_bar(asked(11))
    ((subject, answer),) = scene.posted
    assert (subject, BarMade.model_validate_json(answer)) == (INBOX, made)
    (kept,) = scene.streams.stored
    assert (kept.subject, kept.payload) == (subjects.bar("u", 11), stored)
    assert scene.outcomes == {"composed": 1}
    assert scene.shows("bars_composing") == 0
    assert scene.shows("bar_seconds_count") == 1


async def test_what_is_stored_has_the_record_and_the_notes() -> None:
    _, stored = make_bar(asked(4))
    bar = StoredBar.model_validate_json(stored)
    assert (bar.universe_id, bar.stream_id, bar.bar, bar.as_of) == ("u", "s", 4, 7)
    assert bar.starts_at == "2023-11-14T22:13:20.124Z"
    assert (bar.style, bar.meter, bar.tempo, bar.key, bar.scale) == (
        *("waltz", "3/4", 91, "C", "major"),
    )
    assert bar.notes


async def test_what_is_stored_has_the_instruments_and_the_drums() -> None:
    job = asked().model_copy(update={"style": "pop"})
    drums = 0
    for number in range(200):
        job = job.model_copy(update={"bar": number})
        made, stored = make_bar(job)
        composed = compose_bar(
            job.music, job.physics, style="pop", seed=job.seed, bar=number, state=job.state
        )
        bar = StoredBar.model_validate_json(stored)
        assert bar.instruments == composed.instruments
        strokes = [(each.key, each.start_time, each.velocity) for each in bar.drums or ()]
        assert strokes == list(composed.drums)
        assert (made.duration_us, made.state) == (composed.duration_us, composed.next_state)
        drums += len(strokes)
        if drums:
            break
        job = job.model_copy(update={"state": made.state})
    assert drums > 0


async def test_a_bar_brings_the_next_one_as_it_will_be_if_nothing_is_changed() -> None:
    made, raw = make_bar(asked())
    forecast = StoredBar.model_validate_json(raw).forecast
    _, raw = make_bar(asked(1).model_copy(update={"state": made.state}))
    after = StoredBar.model_validate_json(raw)

    assert forecast is not None
    assert forecast.notes
    assert (forecast.duration, forecast.notes) == (after.duration, after.notes)
    assert (forecast.instruments, forecast.drums) == (after.instruments, after.drums)


async def test_a_bar_brings_the_drums_of_the_next_one() -> None:
    job = asked().model_copy(update={"style": "pop"})
    drums = 0
    while not drums:
        made, raw = make_bar(job)
        forecast = StoredBar.model_validate_json(raw).forecast
        job = job.model_copy(update={"bar": job.bar + 1, "state": made.state})
        after = StoredBar.model_validate_json(make_bar(job)[1])
        assert forecast is not None
        assert forecast.drums == after.drums
        drums = len(after.drums or ())
        assert job.bar < 200


async def test_a_bar_that_was_foreseen_is_not_composed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    composed: list[int] = []

    def noting(*of: Any, bar: int, **rest: Any) -> ComposedBar:
        composed.append(bar)
        return compose_bar(*of, bar=bar, **rest)

    monkeypatch.setattr(bar_jobs, "compose_bar", noting)
    # The same process may have run this test before.
    bar_jobs._composed.cache_clear()
    first = asked().model_copy(update={"seed": 20_261_129})
    made, _ = make_bar(first)
    goes_on = first.model_copy(update={"bar": 1, "state": made.state})
    make_bar(goes_on)
    assert composed == [0, 1, 2]
    # Something was changed.
    make_bar(goes_on.model_copy(update={"music": MusicParameters(tempo=92)}))
    assert composed == [0, 1, 2, 1, 2]


async def test_what_cannot_be_read_is_answered_at_once_and_logged_once(scene: Scene) -> None:
    async with logging("bar_request_unreadable"):
        for payload in (b"", b"{}", b"[1]", asked().to_json()[:-2]):
            scene.receives(payload)
    assert (scene.posted, scene.thread.waiting) == ([(INBOX, b"")] * 4, [])
    assert scene.outcomes == {"unreadable": 4}


async def test_a_request_beyond_the_bound_is_turned_away_until_another_one_is_done(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 3
    monkeypatch.setattr(bar_jobs, "MOST_BARS", most)
    for _ in range(most):
        await scene.is_asked(asked())
    assert scene.shows("bars_composing") == most
    async with logging("bar_turned_away", bars=most):
        await scene.is_asked(asked(), "_INBOX.state.bars.2.1")
    assert scene.posted == [("_INBOX.state.bars.2.1", b"")]
    assert len(scene.thread.waiting) == most
    scene.thread.composes()
    while scene.shows("bars_composing") == most:  # noqa: ASYNC110 -- of a gauge
        await asyncio.sleep(0)
    await scene.is_asked(asked())
    assert len(scene.thread.waiting) == most
    scene.thread.composes(most)
    await scene.done()
    assert scene.outcomes == {"composed": most + 1, "turned_away": 1}


async def test_it_is_measured_how_long_a_bar_takes_from_its_request_on(scene: Scene) -> None:
    scene.clock.seconds = 64.0
    await scene.is_asked(asked())
    scene.clock.seconds = 64.5
    scene.thread.composes()
    await scene.done()
    assert scene.shows("bar_seconds_sum") == 0.5


async def test_a_bar_that_could_not_be_begun_in_time_is_not_composed(scene: Scene) -> None:
    scene.clock.seconds = 0.0
    await scene.is_asked(asked(1))
    await scene.is_asked(asked(2))
    scene.clock.seconds = BAR_ANSWER_S
    scene.thread.composes()
    scene.clock.seconds = BAR_ANSWER_S + 0.001
    scene.thread.composes()
    async with logging("bar_too_late", universe="u"):
        await scene.done()
    assert [each.subject for each in scene.streams.stored] == [subjects.bar("u", 1)]
    assert len(scene.posted) == 1
    assert scene.outcomes == {"composed": 1, "too_late": 1}
    assert scene.shows("bar_seconds_sum") == pytest.approx(2 * BAR_ANSWER_S, abs=0.01)
    # The owner asks again.
    await scene.composes(asked(2))
    assert scene.outcomes == {"composed": 2, "too_late": 1}
    assert scene.shows("bars_composing") == 0


@pytest.mark.parametrize("error", [StreamFull("full"), BusUnavailable("away")], ids=str)
async def test_a_bar_that_is_not_stored_is_answered_as_none(scene: Scene, error: Exception) -> None:
    scene.streams.failures.append(Failure(error))
    async with logging("bar_not_stored", reason=f"{type(error).__name__}: {error}"):
        await scene.composes(asked())
    assert scene.posted == [(INBOX, b"")]
    await scene.composes(asked())
    assert len(scene.posted) == 2
    assert scene.outcomes == {"not_stored": 1, "composed": 1}


@pytest.mark.parametrize("state", ["", "no state", "1;0;500000000;0|{}"])
async def test_a_piece_that_begins_anew_for_its_state_is_told_and_counted(
    scene: Scene, state: str
) -> None:
    async with logging("bar_state_unreadable", universe="u"):
        await scene.composes(asked(5).model_copy(update={"state": state}))
    assert scene.outcomes == {"composed": 1}
    assert scene.shows("bar_states_unreadable_total") == 1


async def test_a_piece_that_goes_on_or_begins_is_not_counted_as_one_that_begins_anew(
    scene: Scene,
) -> None:
    made, _ = make_bar(asked())
    with capture_logs() as lines:
        await scene.composes(asked())
        await scene.composes(asked(1).model_copy(update={"state": made.state}))
    assert lines == []
    assert scene.shows("bar_states_unreadable_total") == 0


async def test_a_piece_that_is_asked_for_in_another_style_than_its_state_begins_anew(
    scene: Scene,
) -> None:
    made, _ = make_bar(asked())
    other = asked(1).model_copy(update={"state": made.state, "style": "strings"})
    async with logging("bar_state_unreadable", universe="u"):
        await scene.composes(other)
    assert scene.shows("bar_states_unreadable_total") == 1


async def test_a_style_that_only_a_newer_release_has_is_told_and_counted(scene: Scene) -> None:
    async with logging("style_unknown", style="polka"):
        await scene.composes(asked().model_copy(update={"style": "polka"}))
    assert scene.outcomes == {"composed": 1}
    assert scene.shows("bar_styles_unknown_total") == 1


async def test_a_bar_that_cannot_be_made_harms_no_other(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as smaller:
        smaller.setattr(bar_jobs, "MAX_BAR_BYTES", 10)
        with capture_logs() as lines:
            await scene.composes(asked())
        assert [line["event"] for line in lines] == ["bar_failed"]
        assert "a bar of" in str(lines[0]["exc_info"])
    assert (scene.posted, scene.streams.stored) == ([(INBOX, b"")], [])
    # As large as it may be.
    monkeypatch.setattr(bar_jobs, "MAX_BAR_BYTES", len(make_bar(asked())[1]))
    await scene.composes(asked())
    assert scene.outcomes == {"failed": 1, "composed": 1}
    assert scene.shows("bars_composing") == 0


async def test_a_state_that_cannot_be_gone_on_with_does_not_end_the_piece(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(job: BarJob) -> tuple[BarMade, bytes]:
        if job.state is not None:
            raise ZeroDivisionError
        return make_bar(job)

    monkeypatch.setattr(bar_jobs, "make_bar", failing)
    scene.clock.seconds = 100.0
    with capture_logs() as lines:
        await scene.is_asked(asked(8).model_copy(update={"state": "a bug's"}))
        scene.thread.composes()
        while not scene.thread.waiting:  # noqa: ASYNC110 -- it waits for nothing else
            await asyncio.sleep(0)
        scene.clock.seconds += 0.125
        scene.thread.composes()
        await scene.done()
    assert scene.shows("bar_seconds_sum") == 0.125
    (line,) = lines
    assert (line["event"], type(line["exc_info"])) == ("bar_failed", ZeroDivisionError)
    ((_, answer),) = scene.posted
    assert BarMade.model_validate_json(answer).bar == 8
    assert scene.outcomes == {"composed": 1}


@pytest.mark.parametrize("reply", ["", subjects.log("u"), subjects.bar("u", 1)])
async def test_nothing_is_answered_into_a_stream(scene: Scene, reply: str) -> None:
    await scene.composes(asked(), reply)
    assert scene.posted == []
    assert scene.outcomes == {"composed": 1}


async def test_an_answer_that_cannot_be_sent_is_logged(scene: Scene) -> None:
    scene.is_away = True
    async with logging("bar_unanswered"):
        await scene.composes(asked())
    assert len(scene.streams.stored) == 1
