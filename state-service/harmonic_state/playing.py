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

#: Pieces that a replica keeps plans of, and the memory of the plans. News of further ones of other
#: replicas is dropped: should their owner die, they go on when their universe is next asked for
#: something. Beyond the memory, this replica begins no more pieces, either: one takes up to 14 kB
#: where its bars are recorded, and 1.5 kB elsewhere.
MAX_PLANS = 20_000
MAX_PLANS_BYTES = 64 * 1024 * 1024
_US_PER_S = 10**6

#: Has a universe decide a request of the owner's own, and passes its reply on.
Ask = Callable[[str, OwnRequest, Callable[[Reply], None]], None]


def turn_of(replicas: Directory, replica_id: str, universe_id: str) -> int:
    """The rank of a replica for a universe among those that are alive, from 0: its owner."""
    alive = replicas.live() | {replica_id}
    return rank(universe_id, alive).index(replica_id)


class EndlessPieces:
    """The plans of all pieces that this replica knows of, and the work that they require.

    ``turn`` tells this replica's rank for a universe. It records the bars of those where that is 0,
    of at most ``most_pieces`` of them: then it begins no more, nor while the plans take
    ``MAX_PLANS_BYTES``. It goes on with all pieces of a replica that dies.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        questions: BarQuestions,
        turn: Callable[[str], int],
        most_pieces: int,
        clock: SharedClock,
        tasks: Tasks,
        metrics: Metrics,
        log: SampledLog,
    ) -> None:
        self._bus = bus
        self._questions = questions
        self._turn = turn
        self._most_pieces = most_pieces
        self._clock = clock
        self._tasks = tasks
        self._log = log
        self._plans: dict[str, BarPlan] = {}
        self._sizes: dict[str, int] = {}
        self._size_bytes = 0
        self._recorded_here: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ask: Ask | None = None
        self._known: Callable[[str], Universe | None] = lambda _: None
        metrics.gauge_from(table.ENDLESS_PIECES, lambda: len(self._plans))
        metrics.gauge_from(table.PIECES_BYTES, lambda: self._size_bytes)
        metrics.gauge_from(table.PIECES_RECORDED, lambda: len(self._recorded_here))
        metrics.gauge_from(table.PIECES_SHARE, lambda: len(self._recorded_here) / most_pieces)
        recorded = metrics.counters(table.BARS_RECORDED)
        self._in_time, self._late = recorded.of("in_time"), recorded.of("late")
        self._failed = recorded.of("failed")
        self._unanswered = metrics.counter(table.COMPOSERS_UNANSWERED)

    @property
    def is_full(self) -> bool:
        """Whether this replica begins no more pieces: for their number, or for the memory."""
        return len(self._recorded_here) >= self._most_pieces or self._size_bytes >= MAX_PLANS_BYTES

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
        self._plan(universe_id).learned(piece)
        if piece is None:
            self._note_recorder(universe_id, is_here=False)
        # In a later turn than the caller's.
        asyncio.get_running_loop().call_soon(self._go_on, universe_id)

    def _plan(self, universe_id: str) -> BarPlan:
        plan = self._plans.get(universe_id)
        if plan is None:
            plan = self._plans[universe_id] = BarPlan(universe_id)
        return plan

    def _hear(self, message: Message) -> None:
        word = PieceGoesOn.model_validate_json(message.payload)
        has_space = len(self._plans) < MAX_PLANS and self._size_bytes < MAX_PLANS_BYTES
        if word.universe_id in self._plans or has_space:
            self._plan(word.universe_id).told(word)
            self._go_on(word.universe_id)
        else:
            self._log.error(
                "piece_unplanned",
                universe=word.universe_id,
                most=MAX_PLANS,
                most_bytes=MAX_PLANS_BYTES,
            )

    def _tell(self, word: PieceGoesOn) -> None:
        try:
            self._bus.post(subjects.PLAYING, word.to_json())
        except BusUnavailable:
            self._log.warning("piece_untold", universe=word.universe_id)

    def _go_on(self, universe_id: str) -> None:
        """Take the next step of a plan, if it is due. Every change of a plan leads here."""
        self._weigh(universe_id)
        plan, ask = self._plans.get(universe_id), self._ask
        timer = self._timers.pop(universe_id, None)
        if timer is not None:
            timer.cancel()
        if plan is None or ask is None:
            return
        turn = self._turn(universe_id)
        self._note_recorder(universe_id, is_here=turn == 0 and not plan.is_over)
        step = plan.next(self._now_us(), turn)
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
                self._weigh(universe_id)
            case _:
                assert_never(step)

    def _weigh(self, universe_id: str) -> None:
        self._size_bytes -= self._sizes.pop(universe_id, 0)
        plan = self._plans.get(universe_id)
        if plan is not None:
            self._sizes[universe_id] = plan.size_bytes
            self._size_bytes += plan.size_bytes

    def _note_recorder(self, universe_id: str, *, is_here: bool) -> None:
        if is_here:
            self._recorded_here.add(universe_id)
        else:
            self._recorded_here.discard(universe_id)

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
