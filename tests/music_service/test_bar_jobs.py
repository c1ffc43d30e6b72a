"""Requests for bars that cannot be carried out: each is answered, logged and counted."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from harmonic_music import bar_jobs
from harmonic_music.bar_jobs import MOST_BARS, BarComposers, make_bar
from harmonic_protocol import subjects
from harmonic_protocol.pieces import BarJob, BarMade, StoredBar
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.streams import StreamFull
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.lifecycle import Tasks
from harness.memory import Failure, MemoryStreams, SetClock

ASKED = BarJob(
    universe_id="u",
    stream_id="s",
    seed=5,
    style="strings",
    bar=0,
    starts_us=10**15,
    as_of=7,
    music=MusicParameters(),
    physics=PhysicsParameters(),
)


class _Process:
    """What a group of tasks asks of its process."""

    def fail(self, reason: str) -> None:
        raise AssertionError(reason)


class Scene:
    """A replica that is asked for bars over a real bus, and stores them in memory."""

    def __init__(self, bus: Bus, tasks: Tasks) -> None:
        self.bus = bus
        self.metrics = Metrics()
        self.streams = MemoryStreams({subjects.BARS_STREAM: [subjects.BARS_SUBJECTS]})
        self.composers = BarComposers(
            bus=bus,
            streams=self.streams,
            executor=ThreadPoolExecutor(1),
            clock=SetClock(),
            tasks=tasks,
            metrics=self.metrics,
            log=SampledLog(get_log(), SetClock()),
        )
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self._inbox = bus.new_inbox()

    async def listen(self) -> None:
        await self.bus.subscribe(self._inbox, lambda each: self._answers.put_nowait(each.payload))

    def asks(self, payload: bytes) -> None:
        self.composers.receive(Message(subjects.COMPOSE_BAR, payload, {}, self._inbox))

    async def answer(self) -> bytes:
        async with asyncio.timeout(20):
            return await self._answers.get()

    def counted(self, outcome: str) -> float:
        name = "harmonic_bars_total"
        return self.metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0.0


@pytest.fixture
async def scene(bus: Bus) -> AsyncIterator[Scene]:
    async with Tasks(cast("Any", _Process())) as tasks:
        made = Scene(bus, tasks)
        await made.listen()
        yield made


async def test_a_request_that_cannot_be_read_is_answered_and_logged_once(scene: Scene) -> None:
    with capture_logs() as lines:
        for payload in (b"", b"{}", b"\xff"):
            scene.asks(payload)
            assert await scene.answer() == b""
    assert scene.counted("unreadable") == 3
    assert [(line["event"], line["outcome"]) for line in lines] == [("bar_not_made", "unreadable")]


async def test_one_beyond_the_bound_is_turned_away_at_once(scene: Scene) -> None:
    for number in range(MOST_BARS + 1):
        scene.asks(ASKED.model_copy(update={"universe_id": f"u{number}"}).to_json())
    assert await scene.answer() == b""
    answers = [await scene.answer() for _ in range(MOST_BARS)]
    assert all(BarMade.model_validate_json(answer).stream_id == "s" for answer in answers)
    assert scene.counted("turned_away") == 1


@pytest.mark.parametrize("error", [BusUnavailable("away"), StreamFull("full")])
async def test_a_bar_that_cannot_be_stored_is_answered_as_none(
    scene: Scene, error: Exception
) -> None:
    scene.streams.failures.append(Failure(error))
    scene.asks(ASKED.to_json())
    assert await scene.answer() == b""
    assert scene.counted("not_stored") == 1
    scene.asks(ASKED.to_json())
    assert BarMade.model_validate_json(await scene.answer()).bar == 0


async def test_a_state_that_cannot_be_gone_on_with_does_not_end_the_piece(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(asked: BarJob) -> tuple[BarMade, bytes]:
        if asked.state is not None or asked.seed == 0:
            raise ZeroDivisionError
        return make_bar(asked)

    monkeypatch.setattr(bar_jobs, "make_bar", failing)
    with capture_logs() as lines:
        scene.asks(ASKED.model_copy(update={"bar": 8, "state": "a bug's"}).to_json())
        assert BarMade.model_validate_json(await scene.answer()).bar == 8
    assert [line["event"] for line in lines] == ["bar_failed"]
    stored = await scene.streams.last(subjects.BARS_STREAM, subjects.bar("u", 8))
    assert stored is not None
    assert StoredBar.model_validate_json(stored.payload).notes

    scene.asks(ASKED.model_copy(update={"seed": 0}).to_json())
    assert await scene.answer() == b""
    assert (scene.counted("composed"), scene.counted("failed")) == (1, 1)
