"""One universe at hand: what waits for it is decided together and stored in one record.

So a busy universe needs one append for many commands. A room's task lives only while something
waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from harmonic_protocol.envelope import Caller, Reply
from harmonic_protocol.internal import JoinResult, ReleaseGateway, ResumeRoom
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.universes import DeleteUniverse
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import AppendUnknown, StreamFull
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.clock import Clock, milliseconds, timestamp
from harmonic_runtime.process.entropy import new_id, new_seed
from harmonic_runtime.process.lifecycle import Tasks
from harmonic_state.domain.answers import answer
from harmonic_state.domain.decide import Decision, UniverseRequest, decide
from harmonic_state.domain.events import LogEvent
from harmonic_state.domain.evolve import fold
from harmonic_state.domain.presence import Moment
from harmonic_state.domain.universe import Universe
from harmonic_state.effects import Effects
from harmonic_state.heads import HeadAnnouncements
from harmonic_state.journal import Conflict, Journal, Loaded, RecordTooLarge
from harmonic_state.parts import log_part
from harmonic_state.ring import RecentRecord, Ring
from harmonic_state.settings import StateSettings

#: Requests decided together at most, so that one record stays well below its bound.
MAX_BATCH = 128
#: How often a batch is decided anew because another owner was faster.
MAX_CONFLICTS = 20
#: How soon a universe whose last append may have been stored or not is looked at again.
LOOK_AGAIN_S = 1.0
#: How long what an owner asks of itself may wait.
OWN_REQUEST_TIMEOUT_MS = 60_000
#: What a universe takes in memory, roughly: by itself, and for each of what it remembers.
UNIVERSE_BYTES = 6_000
ENTRY_BYTES = 500

_UNAVAILABLE = refused(
    Code.INTERNAL_ERROR, "The universe cannot be reached at the moment", retryAfterMs=1000
)
_BROKEN = refused(Code.INTERNAL_ERROR, "The server failed to carry this out")
_FULL = refused(
    Code.INTERNAL_ERROR, "The server has no room to store this at the moment", retryAfterMs=5000
)


_AHEAD = refused(Code.INVALID_PARAMETERS, "The log has not come so far", reason=Reason.OFFSET)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request in a room's queue; past ``deadline_ms`` nobody waits for its reply."""

    request: UniverseRequest
    caller: Caller
    deadline_ms: int
    reply: Callable[[Reply], None]


def of_its_own(request: UniverseRequest, clock: Clock) -> Waiting:
    """A request that the owner makes itself, and whose reply nobody waits for."""
    deadline_ms = milliseconds(clock.now()) + OWN_REQUEST_TIMEOUT_MS
    return Waiting(request, Caller("", ""), deadline_ms, lambda _: None)


@dataclass(frozen=True, slots=True)
class Means:
    """What all rooms work with; ``on_conflict`` is called when another owner was faster."""

    journal: Journal
    effects: Effects
    heads: HeadAnnouncements
    settings: StateSettings
    clock: Clock
    tasks: Tasks
    log: BoundLogger
    next_record_id: Callable[[], str]
    on_conflict: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Outcome:
    waiting: Waiting
    moment: Moment
    decision: Decision | Refused


def _is_ahead(request: UniverseRequest, position: int) -> bool:
    after = request.after_position if isinstance(request, ResumeRoom) else None
    return after is not None and after > position


class Room:
    """A universe that this replica has at hand, and what waits for it."""

    def __init__(self, universe_id: str, means: Means) -> None:
        self.universe_id = universe_id
        self._means = means
        self._queue: deque[Waiting] = deque()
        self._loaded: Loaded | None = None
        self._ring = Ring(means.settings.ring_bytes)
        self._records_since_snapshot = 0
        self._saving = False
        self._working = False
        self._unresolved = False
        self._finished = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is being done."""
        return not self._working and not self._saving and not self._unresolved

    @property
    def universe(self) -> Universe | None:
        """The universe as it was last known here; ``None`` also if it is not loaded."""
        return self._loaded.universe if self._loaded else None

    @property
    def position(self) -> int | None:
        """The end of the log as it was last known here, if it is."""
        return self._loaded.position if self._loaded else None

    @property
    def cost_bytes(self) -> int:
        """What the room takes in memory, roughly."""
        universe = self.universe
        if universe is None:
            return UNIVERSE_BYTES
        entries = (
            len(universe.connections)
            + len(universe.absences)
            + len(universe.operations)
            + len(universe.members)
            + len(universe.pending_music)
        )
        return UNIVERSE_BYTES + entries * ENTRY_BYTES + self._ring.bytes

    def submit(self, waiting: Waiting) -> bool:
        """Queue a request; ``False`` if too many wait already."""
        if len(self._queue) >= self._means.settings.queued_requests_per_universe:
            return False
        self._queue.append(waiting)
        if not self._working:
            self._working = True
            self._finished.clear()
            self._means.tasks.start(self._work(), name=f"room {self.universe_id}")
        return True

    def look(self) -> None:
        """Load the universe, if it is not, and say how far its log has come."""
        # Nobody's gateway: loading is all that it does.
        request = ReleaseGateway(universe_id=self.universe_id, gateway_id="")
        self.submit(of_its_own(request, self._means.clock))

    async def done(self) -> None:
        """Wait until nothing is being done."""
        await self._finished.wait()

    def recent(self, after_position: int) -> list[RecentRecord] | None:
        """The records above a position, if they are all in memory.

        That there are none is for the log to say: another owner may have stored some.
        """
        return self._ring.after(after_position) or None

    async def hand_over(self) -> None:
        """Store a snapshot for whoever owns the universe next, if there is much to read else."""
        if self._loaded is not None and self._records_since_snapshot:
            await self._save()

    def refuse(self, batch: list[Waiting], refusal: Refused) -> None:
        """Answer all of ``batch`` with one refusal."""
        for waiting in batch:
            waiting.reply(Reply(error=refusal))

    async def _work(self) -> None:
        try:
            while self._queue:
                await self._carry_out(self._in_time(self._next_batch()))
        finally:
            self._working = False
            self._finished.set()

    def _next_batch(self) -> list[Waiting]:
        batch = [self._queue.popleft()]
        # A tombstone has a record to itself, since all that precedes it is erased.
        while (
            self._queue
            and len(batch) < MAX_BATCH
            and not isinstance(batch[-1].request, DeleteUniverse)
            and not isinstance(self._queue[0].request, DeleteUniverse)
        ):
            batch.append(self._queue.popleft())
        return batch

    def _in_time(self, batch: list[Waiting]) -> list[Waiting]:
        now_ms = milliseconds(self._means.clock.now())
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
            # Nothing is trimmed without a snapshot; one that failed may succeed now.
            self._begin_snapshot()
        except (BusUnavailable, Conflict) as error:
            # What was stored is not known: the next request begins by reading the log.
            self._forget()
            self.refuse(batch, _UNAVAILABLE)
            if self._unresolved or isinstance(error, AppendUnknown):
                # There may be no next request, and perhaps nobody saw what was stored.
                self._unresolved = True
                self._means.tasks.start(self._look_again(), name="look again")
        except Exception:
            self._forget()
            self._means.log.exception("request_failed", universe=self.universe_id)
            self.refuse(batch, _BROKEN)

    async def _commit(self, batch: list[Waiting]) -> None:
        for _ in range(MAX_CONFLICTS):
            before = self._loaded or await self._load()
            outcomes, events, after = self._decide(batch, before.universe, before.position)
            try:
                if events:
                    at = outcomes[-1].moment.timestamp
                    position = await self._append(at, events, before.position)
                else:
                    position = await self._means.journal.confirm(self.universe_id, before.position)
            except Conflict:
                self._means.on_conflict()
                self._keep(*await self._means.journal.advance(self.universe_id, before))
                continue
            # A snapshot may have been stored meanwhile.
            self._loaded = (self._loaded or before).then(after, position)
            if events:
                await self._follow_up(before.universe, after, events)
            self._answer(outcomes, after, position)
            return
        raise Conflict

    async def _look_again(self) -> None:
        await asyncio.sleep(LOOK_AGAIN_S)
        self.look()

    async def _load(self) -> Loaded:
        loaded, records = await self._means.journal.load(self.universe_id)
        self._ring.clear()
        self._keep(loaded, records)
        self._records_since_snapshot = len(records)
        self._unresolved = False
        self._means.heads.changed(self.universe_id, loaded.position)
        if loaded.universe is not None:
            self._means.effects.resume(loaded.universe)
            if loaded.universe.deleted:
                self._erase(loaded)
        return loaded

    def _keep(self, loaded: Loaded, records: list[RecentRecord]) -> None:
        self._loaded = loaded
        for record in records:
            self._ring.add(record)

    def _forget(self) -> None:
        self._loaded = None
        self._ring.clear()

    async def _append(self, at: str, events: list[LogEvent], after_position: int) -> int:
        record, was_unknown = await self._means.journal.append(
            self.universe_id, self._means.next_record_id(), at, events, after_position
        )
        self._ring.add(record)
        self._means.heads.changed(self.universe_id, record.position)
        if was_unknown:
            # Perhaps nobody saw it republished, and soon it is acknowledged.
            self._means.heads.announce()
        return record.position

    def _decide(
        self, batch: list[Waiting], universe: Universe | None, position: int
    ) -> tuple[list[_Outcome], list[LogEvent], Universe | None]:
        outcomes: list[_Outcome] = []
        events: list[LogEvent] = []
        for waiting in batch:
            moment = self._moment(universe, waiting.request)
            decision: Decision | Refused
            if _is_ahead(waiting.request, position):
                decision = _AHEAD
            else:
                decision = decide(universe, waiting.request, waiting.caller, moment)
            outcomes.append(_Outcome(waiting, moment, decision))
            if isinstance(decision, Decision):
                universe = fold(universe, decision.events)
                events.extend(decision.events)
        return outcomes, events, universe

    def _moment(self, universe: Universe | None, request: UniverseRequest) -> Moment:
        now = self._means.clock.now()
        at = timestamp(now)
        if universe is not None:
            at = max(at, universe.updated_at)
        if isinstance(request, GenerateMusic):
            return Moment(at, milliseconds(now), new_id(), new_seed())
        return Moment(at, milliseconds(now))

    async def _follow_up(
        self, before: Universe | None, after: Universe | None, events: list[LogEvent]
    ) -> None:
        await self._means.effects.carry_out(before, after, events)
        self._records_since_snapshot += 1
        if after is not None and after.deleted and self._loaded is not None:
            self._ring.clear()
            self._erase(self._loaded)
        elif self._records_since_snapshot >= self._means.settings.snapshot_every_records:
            self._begin_snapshot()

    def _begin_snapshot(self) -> None:
        if not self._saving and self._loaded is not None:
            self._means.tasks.start(self._save(), name="snapshot")

    async def _save(self) -> None:
        loaded, records = self._loaded, self._records_since_snapshot
        if self._saving or loaded is None:
            return
        self._saving = True
        try:
            coverage = await self._means.effects.snapshot(self.universe_id, loaded)
        finally:
            self._saving = False
        if coverage is not None and self._loaded is not None:
            self._loaded = replace(self._loaded, coverage=coverage)
            self._records_since_snapshot -= records

    def _erase(self, loaded: Loaded) -> None:
        self._means.tasks.start(
            self._means.effects.erase(self.universe_id, loaded), name="erase universe"
        )

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
            if isinstance(result, JoinResult) and isinstance(waiting.request, ResumeRoom):
                result = self._with_missed(result, waiting.request)
            waiting.reply(
                Reply(
                    seq=decision.seq,
                    position=position,
                    result=result.to_wire() if result else None,
                )
            )

    def _with_missed(self, result: JoinResult, request: ResumeRoom) -> JoinResult:
        if request.after_position is None or not result.continued:
            return result
        # The record at the position itself, too: of some of its frames the client may not know.
        missed = self.recent(request.after_position - 1)
        if missed is None:
            return result
        return result.model_copy(update={"missed": log_part(missed)})
