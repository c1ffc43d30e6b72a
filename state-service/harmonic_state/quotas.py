"""How many universes a user may own: each is counted before it is created.

A user's universes are one stored list, replaced by compare-and-set. So the bound holds exactly,
for any number of concurrent creations on any number of replicas. A universe may be counted and
never created, if its replica died or the outcome stayed unknown. It is found and removed from the
list when a creation would exceed the bound.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import Stored, StreamFull, Streams, WrongSequence
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.lifecycle import Tasks
from harmonic_state import metrics as table
from harmonic_state.journal import Conflict, Journal
from harmonic_state.skipping import SkippedMessages

#: Seconds that a user's changes may take, whatever the contention for the list.
CHANGE_TIMEOUT_S = 2.0
#: Seconds after which a universe without a log will not get one: no request waits that long.
CREATED_WITHIN_S = 60

#: Users for whom the time of the last search for missing universes is remembered.
MAX_USERS = 10_000

#: The Unix time at which each universe was counted.
Owned = Mapping[str, int]
_OWNED = TypeAdapter(Owned)


@dataclass(eq=False, slots=True)
class _Change:
    """A universe to be counted or uncounted; ``done`` tells whether that changed the list."""

    universe_id: str
    counts: bool
    done: asyncio.Future[bool | Refused] = field(default_factory=asyncio.Future)


class Quotas:
    """Counts the universes of all users; all waiting changes of a user are made together."""

    def __init__(
        self,
        *,
        streams: Streams,
        journal: Journal,
        universes_per_user: int,
        clock: Clock,
        tasks: Tasks,
        metrics: Metrics,
        skipped: SkippedMessages,
    ) -> None:
        self._streams = streams
        self._journal = journal
        self._most = universes_per_user
        self._clock = clock
        self._tasks = tasks
        self._skipped = skipped
        self._waiting: dict[str, list[_Change]] = {}
        self._looked_at_s: OrderedDict[str, float] = OrderedDict()
        self._refusals = metrics.counter(table.UNIVERSE_QUOTA_REFUSALS)
        self._reclaimed = metrics.counter(table.UNIVERSE_QUOTA_RECLAIMED)

    async def reserve(self, user_id: str, universe_id: str) -> bool | Refused:
        """Count a universe that is about to be created; ``False`` if it was counted already.

        Return a refusal if the user owns too many. Raise :class:`BusUnavailable` if the list
        cannot be read or written at the moment.
        """
        answer = await self._change(user_id, _Change(universe_id, counts=True))
        if isinstance(answer, Refused):
            self._refusals.inc()
        return answer

    async def release(self, user_id: str, universe_id: str) -> None:
        """Uncount a universe; may be repeated. Raise like :meth:`reserve`."""
        await self._change(user_id, _Change(universe_id, counts=False))

    async def _change(self, user_id: str, change: _Change) -> bool | Refused:
        waiting = self._waiting.get(user_id)
        if waiting is None:
            self._waiting[user_id] = [change]
            self._tasks.start(self._work(user_id), name="quotas")
        else:
            waiting.append(change)
        return await change.done

    async def _work(self, user_id: str) -> None:
        """Carry out all waiting changes of one user together, until none waits."""
        try:
            while changes := self._waiting[user_id]:
                self._waiting[user_id] = []
                await self._carry_out(user_id, changes)
        finally:
            del self._waiting[user_id]

    async def _carry_out(self, user_id: str, changes: Sequence[_Change]) -> None:
        failure: Exception | None = None
        answers: Sequence[bool | Refused] = ()
        try:
            async with asyncio.timeout(CHANGE_TIMEOUT_S):
                answers = await self._store(user_id, changes)
        except (BusUnavailable, StreamFull, TimeoutError) as error:
            failure = BusUnavailable(str(error))
        for number, change in enumerate(changes):
            if change.done.done():
                continue
            if failure is not None:
                change.done.set_exception(failure)
            else:
                change.done.set_result(answers[number])

    async def _store(self, user_id: str, changes: Sequence[_Change]) -> Sequence[bool | Refused]:
        subject = subjects.owned(user_id)
        absent: frozenset[str] = frozenset()
        while True:
            stored = await self._streams.last(subjects.OWNED_STREAM, subject)
            before = self._owned(stored)
            after, answers = self._applied(before, absent, changes)
            if any(isinstance(answer, Refused) for answer in answers) and self._may_look(user_id):
                absent = await self._never_created(before)
                after, answers = self._applied(before, absent, changes)
            if after == before:
                return answers
            try:
                await self._streams.append(
                    subject,
                    _OWNED.dump_json(after),
                    expected_last_subject_sequence=stored.sequence if stored is not None else 0,
                    timeout_s=CHANGE_TIMEOUT_S,
                )
            except WrongSequence:
                continue
            return answers

    def _owned(self, stored: Stored | None) -> Owned:
        """A user's list; an unreadable one counts as empty, rather than stopping all users."""
        if stored is None:
            return {}
        if not stored.is_placed:
            self._skipped.foreign("quota", stored)
            return {}
        try:
            return _OWNED.validate_json(stored.payload)
        except ValidationError:
            self._skipped.unreadable("quota", stored)
            return {}

    def _applied(
        self, before: Owned, absent: Collection[str], changes: Sequence[_Change]
    ) -> tuple[Owned, Sequence[bool | Refused]]:
        after = {each: since for each, since in before.items() if each not in absent}
        answers: list[bool | Refused] = []
        for change in changes:
            known = change.universe_id in after
            if not change.counts:
                after.pop(change.universe_id, None)
                answers.append(known)
            elif known or len(after) < self._most:
                after.setdefault(change.universe_id, int(self._clock.now().timestamp()))
                answers.append(not known)
            else:
                answers.append(too_many(self._most))
        return after, answers

    def _may_look(self, user_id: str) -> bool:
        """Whether a user's universes were not searched lately; the search is expensive."""
        now_s = self._clock.monotonic()
        if now_s - self._looked_at_s.get(user_id, -CREATED_WITHIN_S) < CREATED_WITHIN_S:
            return False
        self._looked_at_s[user_id] = now_s
        self._looked_at_s.move_to_end(user_id)
        if len(self._looked_at_s) > MAX_USERS:
            self._looked_at_s.popitem(last=False)
        return True

    async def _never_created(self, owned: Owned) -> frozenset[str]:
        until = self._clock.now().timestamp() - CREATED_WITHIN_S
        settled = [universe_id for universe_id, since in owned.items() if since < until]
        existing = await self._journal.newest(settled)
        absent = frozenset(
            [
                universe_id
                for universe_id in settled
                if universe_id not in existing and await self._is_absent(universe_id)
            ]
        )
        self._reclaimed.inc(len(absent))
        return absent

    async def _is_absent(self, universe_id: str) -> bool:
        """Whether a universe has no log, according to the stream's leader."""
        try:
            await self._journal.confirm(universe_id, 0)
        except Conflict:
            return False
        return True


def too_many(most: int) -> Refused:
    """The refusal of one more universe."""
    return refused(
        Code.INVALID_PARAMETERS,
        f"A user owns at most {most} universes",
        reason=Reason.QUOTA,
        limit=most,
    )
