"""One queue per universe: order inside, parallel outside.

What waits for the same universe is decided together and stored in one record, so that a busy
universe needs one append for many commands. A room's task lives only while something waits.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from harmonic_protocol.envelope import Caller, Reply
from harmonic_protocol.internal import ReleaseGateway
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus import BusUnavailable
from harmonic_runtime.clock import Clock, milliseconds, timestamp
from harmonic_runtime.entropy import new_id, new_seed
from harmonic_runtime.lifecycle import Tasks
from harmonic_runtime.logs import BoundLogger
from harmonic_runtime.metrics import Metrics
from harmonic_runtime.streams import StreamFull
from harmonic_state.domain.answers import answer
from harmonic_state.domain.decide import Decision, UniverseRequest, decide
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.presence import Moment
from harmonic_state.domain.universe import Universe
from harmonic_state.effects import Effects
from harmonic_state.journal import Conflict, Journal, Loaded, RecordTooLarge
from harmonic_state.settings import StateSettings

#: Requests decided together at most, so that one record stays well below its bound.
MAX_BATCH = 128
#: How often a batch is decided anew because another owner was faster.
MAX_CONFLICTS = 20

_UNAVAILABLE = refused(
    Code.INTERNAL_ERROR, "The universe cannot be reached at the moment", retryAfterMs=1000
)
_BROKEN = refused(Code.INTERNAL_ERROR, "The server failed to carry this out")
_FULL = refused(
    Code.INTERNAL_ERROR, "The server has no room to store this at the moment", retryAfterMs=5000
)
_BUSY = refused(
    Code.RATE_LIMITED, "Too many requests wait for this universe", reason="BUSY", retryAfterMs=1000
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request in a room's queue; past ``deadline_ms`` nobody waits for its reply."""

    request: UniverseRequest
    caller: Caller
    deadline_ms: int
    reply: Callable[[Reply], None]


@dataclass(frozen=True, slots=True)
class _Outcome:
    waiting: Waiting
    moment: Moment
    decision: Decision | Refused


class Room:
    """A universe that this replica has at hand, and what waits for it."""

    def __init__(self, universe_id: str, rooms: "Rooms") -> None:
        self.universe_id = universe_id
        self._rooms = rooms
        self._queue: deque[Waiting] = deque()
        self._loaded: Loaded | None = None
        self._records_since_snapshot = 0
        self._working = False
        self._finished = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is being done."""
        return not self._working

    @property
    def universe(self) -> Universe | None:
        """The universe as this replica last knew it."""
        return self._loaded.universe if self._loaded else None

    def submit(self, waiting: Waiting) -> bool:
        """Queue a request; ``False`` if too many wait already."""
        if len(self._queue) >= self._rooms.settings.queued_requests_per_universe:
            return False
        self._queue.append(waiting)
        if not self._working:
            self._working = True
            self._finished.clear()
            self._rooms.tasks.start(self._work(), name=f"room {self.universe_id}")
        return True

    async def _work(self) -> None:
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
                await self._carry_out(self._in_time(batch))
        finally:
            self._working = False
            self._finished.set()

    async def done(self) -> None:
        """Wait until nothing is being done."""
        await self._finished.wait()

    def _in_time(self, batch: list[Waiting]) -> list[Waiting]:
        now_ms = milliseconds(self._rooms.clock.now())
        return [waiting for waiting in batch if waiting.deadline_ms > now_ms]

    async def _carry_out(self, batch: list[Waiting]) -> None:
        if not batch:
            return
        try:
            await self._commit(batch)
        except RecordTooLarge:
            if len(batch) == 1:
                self.refuse(batch, _BROKEN)
                return
            middle = len(batch) // 2
            await self._carry_out(batch[:middle])
            await self._carry_out(batch[middle:])
        except StreamFull:
            self.refuse(batch, _FULL)
        except (BusUnavailable, Conflict):
            # What was stored is not known: the next request begins by reading the log.
            self._loaded = None
            self.refuse(batch, _UNAVAILABLE)
        except Exception:
            self._loaded = None
            self._rooms.log.exception("request_failed", universe=self.universe_id)
            self.refuse(batch, _BROKEN)

    def refuse(self, batch: list[Waiting], refusal: Refused) -> None:
        """Answer all of ``batch`` with one refusal."""
        for waiting in batch:
            waiting.reply(Reply(error=refusal))

    async def _commit(self, batch: list[Waiting]) -> None:
        journal = self._rooms.journal
        for _ in range(MAX_CONFLICTS):
            before = self._loaded or await self._load()
            outcomes, events, after = self._decide(batch, before.universe)
            try:
                if events:
                    at = outcomes[-1].moment.timestamp
                    position = await journal.append(
                        self.universe_id, new_id(), at, events, before.position
                    )
                else:
                    position = await journal.confirm(self.universe_id, before.position)
            except Conflict:
                self._rooms.conflicts.inc()
                self._loaded = await journal.advance(self.universe_id, before)
                continue
            self._loaded = Loaded(after, position)
            if events:
                await self._after(before.universe, after, events, position)
            self._answer(outcomes, after, position)
            return
        raise Conflict

    async def _load(self) -> Loaded:
        loaded = await self._rooms.journal.load(self.universe_id)
        if loaded.universe is not None:
            self._rooms.effects.resume(loaded.universe)
        return loaded

    def _decide(
        self, batch: list[Waiting], universe: Universe | None
    ) -> tuple[list[_Outcome], list[LogEvent], Universe | None]:
        outcomes: list[_Outcome] = []
        events: list[LogEvent] = []
        for waiting in batch:
            moment = self._moment(universe)
            decision = decide(universe, waiting.request, waiting.caller, moment)
            outcomes.append(_Outcome(waiting, moment, decision))
            if isinstance(decision, Decision):
                universe = fold(universe, decision.events)
                events.extend(decision.events)
        return outcomes, events, universe

    def _moment(self, universe: Universe | None) -> Moment:
        now = self._rooms.clock.now()
        at = timestamp(now)
        if universe is not None:
            at = max(at, universe.updated_at)
        return Moment(at, milliseconds(now), new_id(), new_seed())

    async def _after(
        self,
        before: Universe | None,
        after: Universe | None,
        events: list[LogEvent],
        position: int,
    ) -> None:
        await self._rooms.effects.carry_out(before, after, events)
        self._records_since_snapshot += 1
        if after is not None and (
            self._records_since_snapshot >= self._rooms.settings.snapshot_every_records
        ):
            self._records_since_snapshot = 0
            self._rooms.tasks.start(self._rooms.effects.snapshot(after, position), name="snapshot")

    def _answer(self, outcomes: list[_Outcome], after: Universe | None, position: int) -> None:
        for outcome in outcomes:
            waiting, decision = outcome.waiting, outcome.decision
            if isinstance(decision, Refused):
                waiting.reply(Reply(error=decision))
                continue
            result = (
                answer(waiting.request, waiting.caller, outcome.moment, decision.events, after)
                if after
                else None
            )
            waiting.reply(
                Reply(
                    seq=decision.seq,
                    position=position,
                    result=result.to_wire() if result else None,
                )
            )


class Rooms:
    """The universes at hand, at most so many; the least used are let go when idle."""

    def __init__(
        self,
        *,
        journal: Journal,
        effects: Effects,
        settings: StateSettings,
        clock: Clock,
        tasks: Tasks,
        metrics: Metrics,
        log: BoundLogger,
    ) -> None:
        self.journal = journal
        self.effects = effects
        self.settings = settings
        self.clock = clock
        self.tasks = tasks
        self.log = log
        self.conflicts = metrics.counter("append_conflicts_total", "appends that found news")
        self._refusals = metrics.counter("queue_refusals_total", "requests refused: queue full")
        self._evictions = metrics.counter("evictions_total", "universes let go from memory")
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        metrics.gauge("cached_universes", "universes at hand").set_function(
            lambda: len(self._rooms)
        )

    def submit(self, universe_id: str, waiting: Waiting) -> None:
        """Queue a request for a universe, or refuse it if its queue is full."""
        room = self._rooms.get(universe_id)
        if room is None:
            self._evict()
            room = self._rooms[universe_id] = Room(universe_id, self)
        self._rooms.move_to_end(universe_id)
        if not room.submit(waiting):
            self._refusals.inc()
            room.refuse([waiting], _BUSY)

    def _evict(self) -> None:
        surplus = len(self._rooms) - self.settings.cached_universes + 1
        for universe_id in [key for key, room in self._rooms.items() if room.idle][
            : max(surplus, 0)
        ]:
            del self._rooms[universe_id]
            self._evictions.inc()

    async def finish(self) -> None:
        """Wait until nothing is being done; for a replica that takes no more requests."""
        await asyncio.gather(*(room.done() for room in self._rooms.values() if not room.idle))

    def release_lost_gateways(self, alive: frozenset[str]) -> None:
        """Let the participants of gateways that are not ``alive`` leave the rooms at hand."""
        for room in list(self._rooms.values()):
            universe = room.universe
            if universe is None or not universe.connections:
                continue
            gateways = {seat.gateway_id for seat in universe.connections.values()}
            for gateway_id in gateways - alive:
                self.submit(room.universe_id, self._release(room.universe_id, gateway_id))

    def _release(self, universe_id: str, gateway_id: str) -> Waiting:
        deadline_ms = milliseconds(self.clock.now()) + 60_000
        request = ReleaseGateway(universe_id=universe_id, gateway_id=gateway_id)
        return Waiting(request, OWNER, deadline_ms, unheard)


#: Who asks when the owner asks itself.
OWNER = Caller("", "")


def unheard(_: Reply) -> None:
    """The reply to a request that nobody waits for."""
