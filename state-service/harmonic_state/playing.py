"""Endless pieces: asks composers for their bars, and has the next ones recorded in time.

The plans decide when: see :mod:`harmonic_state.bar_plan`.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import assert_never

from harmonic_protocol import subjects
from harmonic_protocol.envelope import Reply
from harmonic_protocol.internal import OwnRequest, RecordBar, ReleaseGateway
from harmonic_protocol.pieces import BarJob, PieceGoesOn
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.bus.routing import rank
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.lifecycle import Tasks
from harmonic_state import metrics as table
from harmonic_state.bar_plan import (
    AskComposer,
    AwaitWork,
    BarPlan,
    Forget,
    LookAtLog,
    RecordNext,
    WaitUntil,
)
from harmonic_state.bar_questions import BarQuestions
from harmonic_state.domain.universe import EndlessState, Universe

#: Pieces that a replica keeps plans of; news of further ones is dropped.
MAX_PLANS = 20_000
_US_PER_S = 10**6

#: Has a universe decide a request of the owner's own, and passes its reply on.
Ask = Callable[[str, OwnRequest, Callable[[Reply], None]], None]


class EndlessPieces:
    """The plans of all pieces that this replica knows of, and the work that they require."""

    def __init__(
        self,
        *,
        bus: Bus,
        questions: BarQuestions,
        replicas: Directory,
        replica_id: str,
        clock: SharedClock,
        tasks: Tasks,
        metrics: Metrics,
        log: SampledLog,
    ) -> None:
        self._bus = bus
        self._questions = questions
        self._replicas = replicas
        self._replica_id = replica_id
        self._clock = clock
        self._tasks = tasks
        self._log = log
        self._plans: dict[str, BarPlan] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ask: Ask | None = None
        self._known: Callable[[str], Universe | None] = lambda _: None
        metrics.gauge_from(table.ENDLESS_PIECES, lambda: len(self._plans))
        recorded = metrics.counters(table.BARS_RECORDED)
        self._in_time, self._late = recorded.of("in_time"), recorded.of("late")
        self._failed = recorded.of("failed")
        self._unanswered = metrics.counter(table.COMPOSERS_UNANSWERED)

    async def drive(self, ask: Ask, known: Callable[[str], Universe | None]) -> None:
        """Start: ``ask`` has a universe decide a request, ``known`` returns it as known here."""
        self._ask, self._known = ask, known
        await self._questions.listen()
        await self._bus.subscribe(subjects.PLAYING, self._hear)

    def close(self) -> None:
        """Stop all work: other replicas continue the pieces."""
        self._ask = None
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def resume(self, universe_id: str, piece: EndlessState | None) -> None:
        """Note the piece of a universe that was loaded, or whose piece has begun."""
        if piece is not None:
            self._learn(universe_id, piece)

    def over(self, universe_id: str, stream_id: str) -> None:
        """Note that the piece of a universe has ended, and tell the other replicas."""
        self._learn(universe_id, None)
        # A replica that is not told reads the log when the next bar would be due.
        self._tell(PieceGoesOn(universe_id=universe_id, stream_id=stream_id, bar=0))

    def _learn(self, universe_id: str, piece: EndlessState | None) -> None:
        plan = self._plan(universe_id)
        if plan is not None:
            plan.learned(piece)
            # In a later turn than the caller's.
            asyncio.get_running_loop().call_soon(self._go_on, universe_id)

    def _plan(self, universe_id: str) -> BarPlan | None:
        plan = self._plans.get(universe_id)
        if plan is None and len(self._plans) < MAX_PLANS:
            plan = self._plans[universe_id] = BarPlan(universe_id)
        if plan is None:
            self._log.error("piece_unplanned", universe=universe_id, most=MAX_PLANS)
        return plan

    def _hear(self, message: Message) -> None:
        word = PieceGoesOn.model_validate_json(message.payload)
        plan = self._plan(word.universe_id)
        if plan is not None:
            plan.told(word)
            self._go_on(word.universe_id)

    def _tell(self, word: PieceGoesOn) -> None:
        try:
            self._bus.post(subjects.PLAYING, word.to_json())
        except BusUnavailable:
            self._log.warning("piece_untold", universe=word.universe_id)

    def _turn(self, universe_id: str) -> int:
        replicas = self._replicas.live() | {self._replica_id}
        return rank(universe_id, replicas).index(self._replica_id)

    def _go_on(self, universe_id: str) -> None:
        """Take the next step of a plan, if it is due."""
        plan, ask = self._plans.get(universe_id), self._ask
        timer = self._timers.pop(universe_id, None)
        if timer is not None:
            timer.cancel()
        if plan is None or ask is None:
            return
        step = plan.next(self._now_us(), self._turn(universe_id))
        match step:
            case AskComposer(job):
                self._tasks.start(self._compose(universe_id, plan, job), name="compose bar")
            case RecordNext(request):
                ask(universe_id, request, partial(self._decided, universe_id, request))
            case LookAtLog():
                look = ReleaseGateway(universe_id=universe_id, gateway_id="")
                ask(universe_id, look, partial(self._decided, universe_id, None))
            case WaitUntil(at_us):
                delay_s = max(0.0, (at_us - self._now_us()) / _US_PER_S)
                loop = asyncio.get_running_loop()
                self._timers[universe_id] = loop.call_later(delay_s, self._go_on, universe_id)
            case AwaitWork():
                pass
            case Forget():
                del self._plans[universe_id]
            case _:
                assert_never(step)

    def _decided(self, universe_id: str, asked: RecordBar | None, reply: Reply) -> None:
        plan = self._plans.get(universe_id)
        if plan is None:
            return
        if reply.error is not None:
            self._failed.inc()
            code, reason = reply.error.code.value, str(reply.error.reason or "")
            self._log.warning(
                "bar_not_recorded", kind=code, universe=universe_id, code=code, reason=reason
            )
            plan.failed(self._now_us())
        else:
            universe = self._known(universe_id)
            piece = universe.endless if universe is not None else None
            if asked is not None and piece is not None and piece.latest is not None:
                self._count(asked, piece.latest.bar, piece.latest.starts_us)
            plan.done()
            plan.learned(piece)
        asyncio.get_running_loop().call_soon(self._go_on, universe_id)

    def _count(self, asked: RecordBar, bar: int, starts_us: int) -> None:
        if bar == asked.bar:
            (self._in_time if starts_us == asked.starts_us else self._late).inc()

    async def _compose(self, universe_id: str, plan: BarPlan, job: BarJob) -> None:
        word = None
        try:
            word = plan.made(await self._questions.ask(job))
        except BusUnavailable as error:
            self._unanswered.inc()
            self._log.warning("bar_not_composed", reason=f"{type(error).__name__}: {error}")
            plan.unanswered(self._now_us())
        if word is not None:
            self._tell(word)
        self._go_on(universe_id)

    def _now_us(self) -> int:
        return int(self._clock.unix_s() * _US_PER_S)
