"""A music service that was taken over: bars that are none, and answers that are none."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from harmonic_local.stack import Stack
from harmonic_music.bar_jobs import make_bar
from harmonic_protocol import subjects
from harmonic_protocol.pieces import MAX_BAR_STATE_BYTES, BarJob, BarMade, StoredBar, StoredNote
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.streams import Streams
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.process.clock import timestamp
from harness.broker import connected_as
from harness.world import World, started

UNREADABLE = 'bars_total{outcome="unreadable"}'
Answer = Callable[[BarJob, BarMade], bytes]


@pytest.fixture(scope="module")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A product whose music service is the test's own."""
    async with started(tmp_path_factory.mktemp("attacked"), gateways=1, musics=0) as running:
        yield running


class Music:
    """What somebody can do with the credentials of the music service."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._streams = Streams(bus)
        self._tasks: set[asyncio.Task[None]] = set()
        #: How the next requests of a universe are answered; the others are, as they should be.
        self.answers: dict[str, list[Answer]] = {}
        #: The bars that were asked for, by their numbers.
        self.asked: list[BarJob] = []
        self.is_asked = asyncio.Event()

    async def listen(self) -> None:
        await self._bus.subscribe(subjects.COMPOSE_BAR, self._receive, queue=subjects.BAR_COMPOSERS)

    def _receive(self, message: Message) -> None:
        task = asyncio.get_running_loop().create_task(self._compose(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _compose(self, message: Message) -> None:
        asked = BarJob.model_validate_json(message.payload)
        self.asked.append(asked)
        self.is_asked.set()
        made, stored = make_bar(asked)
        answers = self.answers.get(asked.universe_id)
        if answers:
            self._bus.post(message.reply, answers.pop(0)(asked, made))
            return
        await self.stores(asked.universe_id, asked.bar, stored)
        self._bus.post(message.reply, made.to_json())

    async def stores(self, universe: str, number: int, payload: bytes) -> None:
        await self._streams.append(subjects.bar(universe, number), payload, timeout_s=5)


@asynccontextmanager
async def taken_over(world: World) -> AsyncIterator[Music]:
    async with connected_as("music", world.stack) as bus:
        music = Music(bus)
        await music.listen()
        yield music


def forged(universe: str, stream: str, number: int = 0, **changed: Any) -> bytes:
    """A bar as a composer would store it, that begins in a second."""
    note = StoredNote(pitch=60, start_time=0, duration=1, velocity=80)
    begins = datetime.fromtimestamp(time.time() + 1, UTC)
    known = {
        "universe_id": universe,
        "stream_id": stream,
        "bar": number,
        "starts_at": timestamp(begins),
        "duration": 2.0,
        "tempo": 120,
        "key": "C",
        "scale": "major",
        "as_of": 1,
        "notes": (note,),
    }
    return StoredBar.model_construct(**{**known, **changed}).to_json()


async def passed_over(world: World, count: float) -> None:
    """Wait until the gateway has passed over ``count`` bars."""
    await world.counted(UNREADABLE, count)


async def test_nobody_hears_bars_of_a_universe_that_plays_nothing(target: World) -> None:
    universe, (ann,) = await target.together("ann")
    before = await target.metric(UNREADABLE)
    async with taken_over(target) as music:
        for number in range(3):
            await music.stores(universe, number, forged(universe, "made-up", number))
        await passed_over(target, before + 3)
    newcomer = await target.client(target.name("new"))
    await newcomer.joins(universe)
    assert ann.all_heard("music_bar") == newcomer.all_heard("music_bar") == []
    assert "bar_passed_over" in await target.logged("no bar of the piece that is played")


async def test_of_a_piece_that_is_played_others_bars_are_not_heard(target: World) -> None:
    other = await target.universe()
    universe, (ann,) = await target.together("ann")
    async with taken_over(target) as music:
        ack = await ann.asks("start_music", universeId=universe)
        assert ack["ok"], ack
        stream = (await ann.hears("music_started"))["streamId"]
        await ann.hears("music_bar")
        before = await target.metric(UNREADABLE)
        forgeries = [
            forged(universe, "another-piece", 900),
            forged(other, stream, 900),
            forged(universe, stream, 900, starts_at="2999-03-21T10:30:00.000Z"),
            forged(universe, stream, 900, duration=1e-9),
            forged(universe, stream, 900, duration=1e9),
            forged(universe, stream, 900, scale="<script>"),
            forged(universe, stream, -1),
            b'42/ws,["music_bar",{}]',
            b"\xff" * 60_000,
        ]
        for payload in forgeries:
            await music.stores(universe, 0, payload)
        await passed_over(target, before + len(forgeries))
        last = await ann.hears("music_bar")
        await ann.hears("music_bar", bar=last["bar"] + 1)
    heard = ann.all_heard("music_bar")
    assert {each["streamId"] for each in heard} == {stream}
    assert [each["bar"] for each in heard] == list(range(len(heard)))


async def test_a_flood_of_bars_reaches_nobody_beyond_what_a_piece_may_have(target: World) -> None:
    universe, (ann,) = await target.together("ann")
    async with taken_over(target) as music:
        ack = await ann.asks("start_music", universeId=universe)
        assert ack["ok"], ack
        stream = (await ann.hears("music_started"))["streamId"]
        before = await target.metric(UNREADABLE)
        flood = 10 * subjects.BAR_SLOTS
        for number in range(flood):
            payload = forged(universe, stream, 1000 + number, duration=60.0)
            await music.stores(universe, number, payload)
        await passed_over(target, before + flood - subjects.BAR_SLOTS)
        ack = await ann.asks("stop_music", universeId=universe)
        assert ack["ok"], ack
    assert len([each for each in ann.all_heard("music_bar") if each["bar"] >= 1000]) <= (
        subjects.BAR_SLOTS
    )


ANSWERS: dict[str, Answer] = {
    "nothing": lambda _asked, _made: b"",
    "no JSON": lambda _asked, _made: b"\xff{",
    "a deep list": lambda _asked, _made: b"[" * 100_000,
    "a state beyond the bound": lambda _asked, made: BarMade.model_construct(
        **{**made.model_dump(), "state": "x" * (MAX_BAR_STATE_BYTES + 1)}
    ).to_json(),
    "a state that is no text": lambda _asked, made: BarMade.model_construct(
        **{**made.model_dump(), "state": "\u0000\u202e"}
    ).to_json(),
    "a bar that never ends": lambda _asked, made: BarMade.model_construct(
        **{**made.model_dump(), "duration_us": 10**15}
    ).to_json(),
    "a bar of no length": lambda _asked, made: BarMade.model_construct(
        **{**made.model_dump(), "duration_us": 0}
    ).to_json(),
    "another piece's": lambda _asked, made: made.model_copy(update={"stream_id": "x"}).to_json(),
    "another bar": lambda asked, made: made.model_copy(update={"bar": asked.bar + 7}).to_json(),
}


async def test_answers_that_are_none_are_asked_for_again_and_the_piece_goes_on(
    target: World,
) -> None:
    universe, (ann,) = await target.together(target.name("ann"))
    async with taken_over(target) as music:
        music.answers[universe] = list(ANSWERS.values())
        ack = await ann.asks("start_music", universeId=universe)
        assert ack["ok"], ack
        first = await ann.hears("music_bar")
        await ann.hears("music_bar", bar=first["bar"] + 1)
    asked = [asked.bar for asked in music.asked if asked.universe_id == universe]
    assert asked[: len(ANSWERS) + 2] == [*[0] * (len(ANSWERS) + 1), 1]
    assert all(process.runs for process in target.stack.services)
    await target.logged("bar_not_composed")


async def test_a_state_that_was_made_up_does_not_stop_the_music_of_others(target: World) -> None:
    """Others read it from the record that the attack has written into."""
    universe, (ann,) = await target.together(target.name("ann"))
    forged_state = '1;0;1;0|{"style":"'
    async with taken_over(target) as music:
        music.answers[universe] = [
            lambda _asked, made: made.model_copy(update={"state": forged_state}).to_json()
        ]
        ack = await ann.asks("start_music", universeId=universe)
        assert ack["ok"], ack
        bar = await ann.hears("music_bar", bar=1)
    assert bar["notes"]
    states = [asked.state for asked in music.asked if asked.universe_id == universe]
    assert states[:2] == [None, forged_state]
