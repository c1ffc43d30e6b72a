"""Write and read the audit log of universes, after the events that it tells of were stored.

An action is noted in the universe's log, in the record of its events, so it is stored with them
or not at all. The audit log's entry is made from that note in the background: no request waits for
it. If an entry was not written, because its owner died or had too many waiting, the replica that
next loads the universe writes it: the universe knows its latest noted action. An entry's id is its
message's id, so the broker drops duplicates.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.log import ActionNoted
from harmonic_protocol.messages.auditing import AuditEntry, AuditPage, ListAudit
from harmonic_protocol.value import value
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import StreamFull, Streams
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_state import metrics as table
from harmonic_state.domain.events import LogEvent, read_record
from harmonic_state.domain.universe import LastAction, Universe
from harmonic_state.journal import Journal
from harmonic_state.skipping import SkippedMessages

#: Entries of all universes that may wait to be written. Beyond, only their universes are noted, ...
MAX_WAITING = 10_000
#: ... at most this many of them; the others are written when their universe is next loaded.
MAX_BEHIND = 10_000
APPEND_TIMEOUT_S = 2.0
#: Seconds between two attempts while the stream cannot be written: first and longest.
PAUSE_S, MAX_PAUSE_S = 0.25, 10.0
#: Seconds that a reading of the audit log waits for entries that were noted just before.
SETTLED_WITHIN_S = 1.0
#: Entries of one universe that are read in one call.
READ_ENTRIES = 1000
#: Header with a message's id, by which the broker drops duplicates.
MESSAGE_ID = "Nats-Msg-Id"
_MS_PER_S = 1000


@value
class _Waiting:
    """An entry to be written."""

    universe_id: str
    action: ActionNoted


class Auditing:
    """Writes and reads the audit log of universes."""

    def __init__(
        self,
        *,
        streams: Streams,
        journal: Journal,
        kept_s: float,
        clock: SharedClock,
        skipped: SkippedMessages,
        metrics: Metrics,
        log: BoundLogger,
    ) -> None:
        self._streams = streams
        self._journal = journal
        self._kept_s = kept_s
        self._clock = clock
        self._skipped = skipped
        self._log = log
        self._waiting: deque[_Waiting] = deque()
        self._of: Counter[str] = Counter()
        self._behind: OrderedDict[str, LastAction] = OrderedDict()
        self._changed = asyncio.Condition()
        self._news = asyncio.Event()
        outcomes = metrics.counters(table.AUDIT_ENTRIES)
        self._written, self._late = outcomes.of("written"), outcomes.of("late")
        self._deferred, self._failed = outcomes.of("deferred"), outcomes.of("failed")
        self._unwritable = outcomes.of("unwritable")
        metrics.gauge_from(table.AUDIT_WAITING, lambda: len(self._waiting) + len(self._behind))

    def note(self, universe_id: str, events: Sequence[LogEvent]) -> None:
        """Queue the entries of the actions that stored events note."""
        for event in events:
            if not isinstance(event, ActionNoted):
                continue
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(_Waiting(universe_id, event))
                self._of[universe_id] += 1
            else:
                self._deferred.inc()
                self._catch_up_later(universe_id, LastAction(event.id, event.timestamp))
            self._news.set()

    def resume(self, universe: Universe) -> None:
        """Queue a check that the audit log holds all actions of a universe that was just loaded."""
        last = universe.last_action
        if last is not None and not self._is_past(last.timestamp):
            self._catch_up_later(universe.id, last)
            self._news.set()

    def _catch_up_later(self, universe_id: str, last: LastAction) -> None:
        if universe_id in self._behind or len(self._behind) < MAX_BEHIND:
            self._behind[universe_id] = last

    def _is_past(self, at: str) -> bool:
        """Whether an entry of this time is older than the log keeps."""
        at_s = _unix_s(at)
        return at_s is not None and at_s < self._clock.unix_s() - self._kept_s

    async def keep_writing(self) -> None:
        """Write queued entries in order until cancelled; retry what fails."""
        pause_s = PAUSE_S
        while True:
            if not self._waiting and not self._behind:
                self._news.clear()
                await self._news.wait()
            try:
                await self._write_next()
            except (BusUnavailable, StreamFull) as error:
                self._failed.inc()
                self._log.warning("audit_not_written", reason=f"{type(error).__name__}: {error}")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, MAX_PAUSE_S)
            else:
                pause_s = PAUSE_S

    async def settled(self, universe_id: str) -> None:
        """Return once all entries noted here of a universe are written, or after a timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_WITHIN_S), self._changed:
                await self._changed.wait_for(lambda: not self.is_due(universe_id))

    async def finish(self, within_s: float) -> None:
        """Return once all entries are written, or after a timeout; others write the rest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: not self._waiting)

    async def page(self, request: ListAudit) -> AuditPage:
        """A page of a universe's entries; raise :class:`BusUnavailable` if it cannot be read."""
        await self.settled(request.universe_id)
        found = await self._streams.read(
            subjects.AUDIT_STREAM,
            subjects.audit_of(request.universe_id),
            from_sequence=request.cursor + 1,
            limit=request.limit + 1,
        )
        page = found[: request.limit]
        entries = (self._read(each.payload) for each in page)
        return AuditPage(
            items=tuple(entry for entry in entries if entry is not None),
            next_cursor=str(page[-1].sequence) if len(found) > request.limit else None,
        )

    def is_due(self, universe_id: str) -> bool:
        """Whether a universe has an entry to be written, or is to be checked for one."""
        return universe_id in self._of or universe_id in self._behind

    async def _write_next(self) -> None:
        if self._waiting:
            first = self._waiting[0]
            if await self._is_written(first.universe_id, first.action):
                self._written.inc()
            self._waiting.popleft()
            self._of[first.universe_id] -= 1
            if not self._of[first.universe_id]:
                del self._of[first.universe_id]
        elif self._behind:
            universe_id, last = next(iter(self._behind.items()))
            # A universe whose log cannot be read at the moment does not hold up the others.
            self._behind.move_to_end(universe_id)
            await self._catch_up(universe_id, last)
            if self._behind.get(universe_id) is last:
                del self._behind[universe_id]
        async with self._changed:
            self._changed.notify_all()

    async def _is_written(self, universe_id: str, action: ActionNoted) -> bool:
        """Write an entry. Log one that cannot be made, give it up, and return ``False``."""
        try:
            await self._write(universe_id, action)
        except ValueError as error:
            self._unwritable.inc()
            # The universe's log tells who did it, and to whom.
            self._log.error(
                "audit_entry_given_up",
                universe=universe_id,
                entry=action.id,
                action=action.action,
                reason=type(error).__name__,
            )
            return False
        return True

    async def _write(self, universe_id: str, action: ActionNoted) -> None:
        who = subjects.audited(
            action.user_id, service=bool(action.service), operator=bool(action.operator)
        )
        await self._streams.append(
            subjects.audit(universe_id, who, action.target),
            entry_of(universe_id, action).to_json(),
            timeout_s=APPEND_TIMEOUT_S,
            headers={MESSAGE_ID: action.id},
        )

    async def _catch_up(self, universe_id: str, last: LastAction) -> None:
        """Write the actions that a universe's log notes and the audit log lacks."""
        latest = await self._streams.last(subjects.AUDIT_STREAM, subjects.audit_of(universe_id))
        if latest is not None and self._id_of(latest.payload) == last.id:
            return
        oldest = await self._streams.first(subjects.AUDIT_STREAM, subjects.AUDIT_SUBJECTS)
        # Where older entries were discarded, a missing one may be among them.
        since_ms = oldest.stored_ms if oldest is not None and oldest.sequence > 1 else 0
        if _is_before(last.timestamp, since_ms):
            return
        known = await self._known(universe_id)
        for record in await self._journal.records(universe_id, after_position=0):
            for action in _noted(record.payload):
                is_gone = _is_before(action.timestamp, since_ms) or self._is_past(action.timestamp)
                if action.id in known or is_gone:
                    continue
                if await self._is_written(universe_id, action):
                    self._late.inc()

    async def _known(self, universe_id: str) -> set[str]:
        known: set[str] = set()
        sequence = 1
        while True:
            found = await self._streams.read(
                subjects.AUDIT_STREAM,
                subjects.audit_of(universe_id),
                from_sequence=sequence,
                limit=READ_ENTRIES,
            )
            known.update(self._id_of(each.payload) for each in found)
            if len(found) < READ_ENTRIES:
                return known
            sequence = found[-1].sequence + 1

    def _id_of(self, payload: bytes) -> str:
        entry = self._read(payload)
        return "" if entry is None else entry.id

    def _read(self, payload: bytes) -> AuditEntry | None:
        """An entry; ``None`` for a foreign message, such as a broker's answer stored there."""
        try:
            return AuditEntry.model_validate_json(payload)
        except ValidationError:
            return None


def entry_of(universe_id: str, action: ActionNoted) -> AuditEntry:
    """The audit log's entry of an action that a universe's log notes."""
    return AuditEntry(
        id=action.id,
        at=action.timestamp,
        action=action.action,
        user_id=action.user_id,
        operator=action.operator,
        service=action.service,
        target=action.target,
        universe_id=universe_id,
        details=action.details,
    )


def _noted(payload: bytes) -> list[ActionNoted]:
    """The actions that a record notes; none for a message that no owner wrote."""
    try:
        events = read_record(payload).events
    except ValidationError:
        return []
    return [event for event in events if isinstance(event, ActionNoted)]


def _is_before(at: str, unix_ms: float) -> bool:
    at_s = _unix_s(at)
    return at_s is not None and at_s * _MS_PER_S < unix_ms


def _unix_s(at: str) -> float | None:
    """The Unix time of a timestamp; ``None`` if it has the form of one and is invalid."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return None
