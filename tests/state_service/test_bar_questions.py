"""Questions for bars, without a broker: what counts as an answer, and for how long it is waited."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from harmonic_protocol import subjects
from harmonic_protocol.pieces import BAR_ANSWER_S, BarJob, BarMade
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_runtime.bus.client import BusTimeout, BusUnavailable, NoResponders
from harmonic_runtime.bus.wire import NO_HEADERS, STATUS, Message
from harmonic_state.bar_questions import BarQuestions
from harness.virtual_time import run

JOB = BarJob(
    universe_id="u",
    stream_id="s",
    seed=1,
    bar=3,
    starts_us=1,
    as_of=1,
    music=MusicParameters(),
    physics=PhysicsParameters(),
)
MADE = BarMade(stream_id="s", bar=3, duration_us=2_000_000, state="after")


class Composers:
    """The bus, with composers at its other end that are in the hands of the test."""

    def __init__(self) -> None:
        self.asked: list[tuple[BarJob, str]] = []
        self.is_away = False
        self._take: Callable[[Message], None] = lambda _message: None

    def new_inbox(self, purpose: str) -> str:
        return f"_INBOX.state.{purpose}.1"

    async def subscribe(self, subject: str, take: Callable[[Message], None]) -> None:
        assert subject == "_INBOX.state.bars.1.*"
        self._take = take

    def post(self, subject: str, payload: bytes, *, reply: str) -> None:
        if self.is_away:
            raise BusUnavailable("away")
        assert subject == subjects.COMPOSE_BAR
        self.asked.append((BarJob.model_validate_json(payload), reply))

    def answer(
        self, payload: bytes, number: int = 0, *, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        self._take(Message(self.asked[number][1], payload, headers, ""))


def scene(test: Callable[[Composers, BarQuestions], Coroutine[Any, Any, None]]) -> None:
    async def played() -> None:
        composers: Any = Composers()
        questions = BarQuestions(composers)
        await questions.listen()
        await test(composers, questions)

    run(played())


async def asking(questions: BarQuestions) -> "asyncio.Task[BarMade]":
    task = asyncio.ensure_future(questions.ask(JOB))
    await asyncio.sleep(0)
    return task


def test_a_bar_is_asked_for_and_answered() -> None:
    async def test(composers: Composers, questions: BarQuestions) -> None:
        task = await asking(questions)
        assert composers.asked[0][0] == JOB
        composers.answer(MADE.to_json())
        assert await task == MADE

    scene(test)


def test_each_question_has_an_answer_of_its_own() -> None:
    async def test(composers: Composers, questions: BarQuestions) -> None:
        first, second = await asking(questions), await asking(questions)
        composers.answer(MADE.model_copy(update={"state": "second"}).to_json(), 1)
        composers.answer(MADE.model_copy(update={"state": "first"}).to_json(), 0)
        assert ((await first).state, (await second).state) == ("first", "second")

    scene(test)


def test_an_answer_is_waited_for_no_longer_than_a_composer_may_take() -> None:
    async def test(composers: Composers, questions: BarQuestions) -> None:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        with pytest.raises(BusTimeout, match=r"^no bar in time$"):
            await questions.ask(JOB)
        assert loop.time() - begin_s == pytest.approx(BAR_ANSWER_S)
        # It comes all the same, and is for nobody.
        composers.answer(MADE.to_json())
        task = await asking(questions)
        composers.answer(MADE.to_json(), 1)
        assert await task == MADE

    scene(test)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        MADE.model_copy(update={"duration_us": 0}).to_json(),
        MADE.model_copy(update={"state": "x" * 4097}).to_json(),
        MADE.model_copy(update={"state": "\n"}).to_json(),
    ],
    ids=["turned away", "empty", "list", "no length", "large state", "no text"],
)
def test_what_is_no_bar_is_no_answer(payload: bytes) -> None:
    async def test(composers: Composers, questions: BarQuestions) -> None:
        task = await asking(questions)
        composers.answer(payload)
        with pytest.raises(BusUnavailable, match=r"^no bar, but an answer that turns away$"):
            await task

    scene(test)


@pytest.mark.parametrize("other", [{"bar": 4}, {"stream_id": "t"}], ids=str)
def test_another_bar_is_no_answer(other: dict[str, object]) -> None:
    async def test(composers: Composers, questions: BarQuestions) -> None:
        task = await asking(questions)
        composers.answer(MADE.model_copy(update=other).to_json())
        with pytest.raises(BusUnavailable, match=r"^another bar$"):
            await task

    scene(test)


def test_where_nobody_listens_it_is_known_at_once() -> None:
    async def test(composers: Composers, questions: BarQuestions) -> None:
        task = await asking(questions)
        composers.answer(b"", headers={STATUS: "503"})
        with pytest.raises(NoResponders, match=r"^no replica of the music service listens$"):
            await task

    scene(test)


def test_without_a_bus_nothing_is_asked() -> None:
    async def test(composers: Composers, questions: BarQuestions) -> None:
        composers.is_away = True
        with pytest.raises(BusUnavailable):
            await questions.ask(JOB)
        composers.is_away = False
        task = await asking(questions)
        composers.answer(MADE.to_json())
        assert await task == MADE

    scene(test)
