"""Endless pieces as a replica plays them, without a broker: by a clock that the test's loop has."""

import asyncio
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, cast

import pytest
from structlog.testing import capture_logs

from harmonic_protocol import subjects
from harmonic_protocol.envelope import Reply
from harmonic_protocol.internal import OwnRequest, RecordBar, ReleaseGateway
from harmonic_protocol.log import BarRecorded
from harmonic_protocol.pieces import BarJob, BarMade, PieceGoesOn
from harmonic_protocol.refusals import Code, refused
from harmonic_protocol.values import MusicParameters, PhysicsParameters
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.bus.wire import NO_HEADERS, Message
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock
from harmonic_state import playing
from harmonic_state.bar_plan import (
    ARRIVAL_US,
    LEAST_LEAD_US,
    PIECE_BYTES,
    PLAN_BYTES,
    RETRY_US,
    STEP_US,
)
from harmonic_state.domain.universe import EndlessState
from harmonic_state.playing import EndlessPieces, turn_of
from harmonic_state.refusals import BUSY
from harness.virtual_time import run

#: Of the test's beginning, in Unix time.
BEGIN_US = 10**15
BAR_US = 2_000_000
#: Of a bar whose follower is due at the test's beginning.
STARTS_US = BEGIN_US - ARRIVAL_US
US_PER_S = 10**6


def bar(number: int, starts_us: int = STARTS_US, *, stream: str = "s") -> EndlessState:
    latest = BarRecorded(
        stream_id=stream,
        bar=number,
        starts_us=starts_us,
        as_of=1,
        music=MusicParameters(),
        physics=PhysicsParameters(),
        state=f"after {number - 1}",
    )
    return EndlessState(stream, "ann", "waltz", 3, "2024-03-21T10:30:00.000Z", latest)


class Asked(NamedTuple):
    """A request that the owner made of itself, and when."""

    universe: str
    request: OwnRequest
    reply: Callable[[Reply], None]
    at_us: int


class Scene:
    """Everything around the pieces of a replica, in the hands of the test."""

    def __init__(self, turn: int = 0, most_pieces: int = 10) -> None:
        self._begin_s = asyncio.get_running_loop().time()
        self.metrics = Metrics()
        self.turns: dict[str, int] = {}
        self.told: list[PieceGoesOn] = []
        self.questions: list[tuple[BarJob, asyncio.Future[BarMade]]] = []
        self.asked: list[Asked] = []
        #: What the log has of each universe's piece.
        self.logged: dict[str, EndlessState | None] = {}
        self.is_away = False
        self._hear: Callable[[Message], None] = lambda _message: None
        self._tasks: set[asyncio.Task[None]] = set()
        there: Any = self
        self.pieces = EndlessPieces(
            bus=there,
            questions=there,
            turn=lambda universe: self.turns.get(universe, turn),
            most_pieces=most_pieces,
            clock=there,
            tasks=there,
            metrics=self.metrics,
            log=SampledLog(get_log(), SystemClock()),
        )

    # The clock, the tasks, the bus, and the composers.

    def unix_s(self) -> float:
        return BEGIN_US / US_PER_S + asyncio.get_running_loop().time() - self._begin_s

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        assert name
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def post(self, subject: str, payload: bytes) -> None:
        if self.is_away:
            raise BusUnavailable("away")
        assert subject == subjects.PLAYING
        self.told.append(PieceGoesOn.model_validate_json(payload))

    async def subscribe(self, subject: str, hear: Callable[[Message], None]) -> None:
        assert subject == subjects.PLAYING
        self._hear = hear

    async def listen(self) -> None:
        """Answers would be heard from here on."""

    async def ask(self, job: BarJob) -> BarMade:
        answer: asyncio.Future[BarMade] = asyncio.get_running_loop().create_future()
        self.questions.append((job, answer))
        return await answer

    # What a test does, and sees.

    def _own(self, universe: str, request: OwnRequest, reply: Callable[[Reply], None]) -> None:
        self.asked.append(Asked(universe, request, reply, self.now_us))

    async def begin(self) -> None:
        def known(name: str) -> Any:
            return Known(self.logged[name]) if name in self.logged else None

        await self.pieces.drive(self._own, known)

    def hears(self, universe: str, number: int, due_us: int | None, stream: str = "s") -> None:
        word = PieceGoesOn(universe_id=universe, stream_id=stream, bar=number, due_us=due_us)
        self._hear(Message(subjects.PLAYING, word.to_json(), NO_HEADERS, ""))

    async def plays(self, universe: str = "u", number: int = 0, **of: Any) -> None:
        """The log has a bar, of which this replica learns."""
        self.logged[universe] = bar(number, **of)
        self.pieces.resume(universe, self.logged[universe])
        await settled()

    async def composes(self, duration_us: int = BAR_US) -> BarJob:
        """The next question is answered."""
        job, answer = self.questions.pop(0)
        made = BarMade(
            stream_id=job.stream_id,
            bar=job.bar,
            duration_us=duration_us,
            state=f"after {job.bar}",
        )
        answer.set_result(made)
        await settled()
        return job

    async def composes_not(self) -> None:
        self.questions.pop(0)[1].set_exception(BusUnavailable("away"))
        await settled()

    async def stores(self, asked: Asked, *, later_us: int = 0) -> None:
        """A bar is recorded as asked, or ``later_us`` later."""
        request = asked.request
        assert isinstance(request, RecordBar)
        self.logged[asked.universe] = bar(request.bar, request.starts_us + later_us)
        asked.reply(Reply())
        await settled()

    def may_begin(self) -> bool:
        return not self.pieces.is_full

    @property
    def now_us(self) -> int:
        return round(self.unix_s() * US_PER_S)

    def shows(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(f"harmonic_{name}", labels)
        assert value is not None, name
        return value

    @property
    def numbers(self) -> list[float]:
        """How many pieces are known here, and how many of them are recorded here."""
        return [self.shows("endless_pieces"), self.shows("endless_pieces_recorded")]


class Known(NamedTuple):
    """A universe, of which only its piece matters."""

    endless: EndlessState | None


async def settled() -> None:
    """All is done that needs no time."""
    for _ in range(8):
        await asyncio.sleep(0)


async def passes_us(time_us: int) -> None:
    """Time passes, and what was due until then is done; timers are exact to the microsecond."""
    await asyncio.sleep((time_us + 1) / US_PER_S)
    await settled()


def scene(test: Callable[[Scene], Coroutine[Any, Any, None]], **given: int) -> None:
    """Run a test in a loop whose time passes in a moment."""

    async def played() -> None:
        made = Scene(**given)
        await made.begin()
        await test(made)

    run(played())


def test_a_bar_is_composed_announced_and_followed_by_the_record_of_the_next() -> None:
    async def test(here: Scene) -> None:
        await here.plays()
        job = await here.composes()
        assert (job.universe_id, job.bar, job.starts_us, job.state) == (
            "u",
            0,
            STARTS_US,
            "after -1",
        )
        word = PieceGoesOn(universe_id="u", stream_id="s", bar=0, due_us=BEGIN_US)
        assert here.told == [word]
        await passes_us(0)
        (asked,) = here.asked
        assert asked.request == RecordBar(
            universe_id="u", stream_id="s", bar=1, starts_us=STARTS_US + BAR_US, state="after 0"
        )
        await here.stores(asked)
        assert (await here.composes()).bar == 1
        assert here.told[-1].due_us == BEGIN_US + BAR_US
        assert here.shows("bars_recorded_total", outcome="in_time") == 1
        assert here.shows("bars_recorded_total", outcome="late") == 0

    scene(test)


def test_records_come_when_they_are_due_and_not_before() -> None:
    async def test(here: Scene) -> None:
        await here.plays(starts_us=BEGIN_US + 3 * US_PER_S)
        await here.composes(1_000_000)
        due_us = 4 * US_PER_S - LEAST_LEAD_US
        await passes_us(due_us - 1000)
        assert here.asked == []
        await passes_us(1000)
        assert abs(here.asked[0].at_us - BEGIN_US - due_us) <= 2

    scene(test)


def test_a_bar_that_begins_later_than_asked_is_counted_as_late() -> None:
    async def test(here: Scene) -> None:
        await here.plays()
        await here.composes()
        await passes_us(0)
        await here.stores(here.asked.pop(), later_us=1)
        assert here.shows("bars_recorded_total", outcome="late") == 1

    scene(test)


def test_a_bar_that_another_replica_recorded_is_not_counted() -> None:
    async def test(here: Scene) -> None:
        await here.plays()
        await here.composes()
        await passes_us(0)
        here.logged["u"] = bar(2)
        here.asked.pop().reply(Reply())
        await settled()
        counted = [here.shows("bars_recorded_total", outcome=o) for o in ("in_time", "late")]
        assert counted == [0, 0]
        assert here.questions[0][0].bar == 2

    scene(test)


def test_without_an_answer_another_composer_is_asked_a_little_later() -> None:
    async def test(here: Scene) -> None:
        await here.plays()
        with capture_logs() as lines:
            await here.composes_not()
        (line,) = lines
        assert (line["event"], line["reason"]) == ("bar_not_composed", "BusUnavailable: away")
        assert here.questions == []
        await passes_us(RETRY_US - 1000)
        assert here.questions == []
        await passes_us(1000)
        assert here.questions[0][0].bar == 0
        assert here.shows("composers_unanswered_total") == 1

    scene(test)


def test_a_record_that_is_refused_is_asked_for_again() -> None:
    async def test(here: Scene) -> None:
        await here.plays()
        await here.composes()
        await passes_us(0)
        here.asked.pop().reply(Reply(error=BUSY))
        await passes_us(RETRY_US)
        assert isinstance(here.asked.pop().request, RecordBar)
        assert here.shows("bars_recorded_total", outcome="in_time") == 0

    scene(test)


def test_a_record_that_is_refused_is_logged_once_for_each_code() -> None:
    async def test(here: Scene) -> None:
        await here.plays()
        await here.composes()
        await passes_us(0)
        with capture_logs() as lines:
            for refusal in (BUSY, BUSY, refused(Code.PERMISSION_DENIED, "Not here")):
                here.asked.pop().reply(Reply(error=refusal))
                await passes_us(4 * RETRY_US)
        assert [(line["event"], line["universe"]) for line in lines] == [
            ("bar_not_recorded", "u")
        ] * 2
        assert [(line["code"], line["reason"]) for line in lines] == [
            ("RATE_LIMITED", "BUSY"),
            ("PERMISSION_DENIED", ""),
        ]

    scene(test)


def test_a_replica_in_waiting_reads_the_log_if_nobody_announces_the_next_bar() -> None:
    async def test(here: Scene) -> None:
        here.hears("u", 4, BEGIN_US + BAR_US)
        await passes_us(BAR_US + STEP_US - 1000)
        assert here.asked == []
        await passes_us(1000)
        (look,) = here.asked
        assert look.universe == "u"
        assert look.request == ReleaseGateway(universe_id="u", gateway_id="")
        here.logged["u"] = bar(4)
        look.reply(Reply())
        await settled()
        # The owner is gone: this one goes on.
        assert (await here.composes()).bar == 4

    scene(test, turn=1)


def test_a_piece_of_a_universe_that_is_not_there_is_forgotten() -> None:
    async def test(here: Scene) -> None:
        here.hears("u", 4, BEGIN_US)
        await passes_us(0)
        here.asked.pop().reply(Reply())
        await settled()
        assert here.numbers == [0, 0]

    scene(test)


def test_a_replica_in_waiting_that_hears_of_the_next_bar_does_nothing() -> None:
    async def test(here: Scene) -> None:
        for number in range(20):
            here.hears("u", number, BEGIN_US + (number + 1) * BAR_US)
            await passes_us(BAR_US)
        assert (here.asked, here.questions, here.told) == ([], [], [])
        assert here.numbers == [1, 0]

    scene(test, turn=1)


def test_a_piece_that_is_over_is_forgotten_by_all() -> None:
    async def test(here: Scene) -> None:
        await here.plays()
        assert here.numbers == [1, 1]
        assert not here.may_begin()
        here.pieces.over("u", "s")
        # Another one may begin at once.
        assert here.may_begin()
        await settled()
        assert here.told == [PieceGoesOn(universe_id="u", stream_id="s", bar=0)]
        assert here.numbers == [1, 0]
        # What is under way has no effect any more.
        await here.composes()
        assert here.numbers == [0, 0]
        await passes_us(10 * BAR_US)
        assert (here.asked, len(here.told)) == ([], 1)
        here.hears("other", 1, BEGIN_US + 100 * BAR_US)
        assert here.numbers[0] == 1
        here.hears("other", 0, None)
        assert here.numbers[0] == 0

    scene(test, most_pieces=1)


def test_a_piece_that_ends_while_no_composer_answers_is_forgotten_at_once() -> None:
    async def test(here: Scene) -> None:
        await here.plays()
        await here.composes_not()
        here.pieces.over("u", "s")
        await settled()
        assert here.numbers == [0, 0]

    scene(test)


def test_an_answer_about_a_piece_that_is_over_does_not_touch_the_next_one() -> None:
    async def test(here: Scene) -> None:
        await here.plays()
        here.pieces.over("u", "s")
        await settled()
        here.logged["u"] = bar(0, BEGIN_US + BAR_US, stream="t")
        here.pieces.resume("u", here.logged["u"])
        await settled()
        await here.composes()
        assert [word.stream_id for word in here.told] == ["s"]
        assert (await here.composes()).stream_id == "t"
        assert [word.stream_id for word in here.told] == ["s", "t"]

    scene(test)


def test_nothing_is_noted_of_a_universe_that_plays_nothing() -> None:
    async def test(here: Scene) -> None:
        here.pieces.resume("u", None)
        await settled()
        assert here.numbers == [0, 0]

    scene(test)


def test_a_piece_goes_on_though_nobody_can_be_told() -> None:
    async def test(here: Scene) -> None:
        here.is_away = True
        await here.plays()
        with capture_logs() as lines:
            await here.composes()
        assert [(line["event"], line["universe"]) for line in lines] == [("piece_untold", "u")]
        await passes_us(0)
        assert len(here.asked) == 1

    scene(test)


def test_a_replica_that_stops_does_nothing_more() -> None:
    async def test(here: Scene) -> None:
        await here.plays(starts_us=BEGIN_US + 3 * US_PER_S)
        await here.composes()
        here.pieces.close()
        await passes_us(10 * BAR_US)
        here.hears("other", 1, BEGIN_US)
        await passes_us(10 * BAR_US)
        assert here.asked == []

    scene(test)


def test_a_replica_is_full_with_as_many_pieces_as_it_may_record_until_one_ends() -> None:
    async def test(here: Scene) -> None:
        here.turns["other"] = 1
        await here.plays("u")
        here.hears("other", 1, BEGIN_US + BAR_US)
        assert here.may_begin()
        assert here.shows("endless_pieces_share") == 0.5
        await here.plays("v")
        assert not here.may_begin()
        # It goes on with those of a replica that died.
        here.turns["other"] = 0
        await passes_us(BAR_US + STEP_US)
        assert here.shows("endless_pieces_share") == 1.5
        here.pieces.over("u", "s")
        here.pieces.over("other", "s")
        await settled()
        assert here.may_begin()

    scene(test, most_pieces=2)


def test_pieces_of_others_beyond_the_bound_are_not_noted_and_own_ones_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(playing, "MAX_PLANS", 1)

    async def test(here: Scene) -> None:
        here.hears("a", 1, BEGIN_US + 9 * BAR_US)
        here.hears("b", 1, BEGIN_US + 9 * BAR_US)
        assert here.numbers[0] == 1
        await here.plays("c")
        assert here.numbers[0] == 2
        assert here.questions[0][0].universe_id == "c"
        for universe in ("a", "c"):
            here.hears(universe, 2, None)
        # There is space again, and its next bar is announced.
        here.hears("b", 2, BEGIN_US + 9 * BAR_US)
        assert here.numbers[0] == 1

    scene(test, turn=1)


def test_pieces_beyond_the_memory_of_plans_are_not_begun_and_not_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is noted and what is recorded here, with a state of 7 characters before and after a bar.
    noted, recorded = PLAN_BYTES, PLAN_BYTES + PIECE_BYTES + 2 * len("after 0")
    monkeypatch.setattr(playing, "MAX_PLANS_BYTES", noted + recorded)

    async def test(here: Scene) -> None:
        here.turns["a"] = here.turns["b"] = 1
        here.hears("a", 1, BEGIN_US + 9 * BAR_US)
        assert here.shows("endless_pieces_bytes") == noted
        await here.plays("u", 1)
        assert here.may_begin()
        await here.composes()
        assert here.shows("endless_pieces_bytes") == noted + recorded
        assert not here.may_begin()
        with capture_logs() as lines:
            here.hears("b", 1, BEGIN_US + 9 * BAR_US)
        (line,) = lines
        assert (line["event"], line["universe"]) == ("piece_unplanned", "b")
        assert (line["most"], line["most_bytes"]) == (playing.MAX_PLANS, noted + recorded)
        assert here.numbers == [2, 1]
        # Those that are known go on.
        here.hears("a", 2, BEGIN_US + 9 * BAR_US)
        here.hears("a", 2, None)
        assert here.shows("endless_pieces_bytes") == recorded
        assert here.may_begin()
        here.hears("b", 2, BEGIN_US + 9 * BAR_US)
        assert here.numbers == [2, 1]
        here.hears("b", 2, None)
        here.logged["u"] = None
        here.asked.pop().reply(Reply())
        await settled()
        assert here.shows("endless_pieces_bytes") == 0

    scene(test)


def test_a_plan_takes_about_what_is_counted_for_it() -> None:
    """Of the memory that plans take, as Python allocates it, most is counted and little else."""

    async def test(here: Scene) -> None:
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for number in range(200):
                here.hears(f"u{number}", number + 1000, BEGIN_US + (9 + number) * BAR_US)
            taken = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert 0.5 < taken / here.shows("endless_pieces_bytes") < 1.5

    scene(test, turn=1)


def test_the_rank_of_a_replica_is_the_same_for_all_and_counts_itself() -> None:
    alive = cast("Directory", Alive(frozenset({"a", "b", "c"})))
    for universe in ("u", "v", "w", "x"):
        turns = {name: turn_of(alive, name, universe) for name in ("a", "b", "c")}
        assert sorted(turns.values()) == [0, 1, 2]
        # One that is not known to live yet counts itself.
        assert turn_of(alive, "d", universe) in range(4)


class Alive(NamedTuple):
    """The replicas that are alive."""

    names: frozenset[str]

    def live(self) -> frozenset[str]:
        return self.names
