"""Requests that are answered from stored data, without a universe's queue."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import assert_never

from pydantic import ValidationError

from harmonic_protocol.envelope import Caller, Reply
from harmonic_protocol.internal import CompareHeads, Heads, ReadEvents, ReadLog
from harmonic_protocol.intervening import TraceUser
from harmonic_protocol.messages.auditing import ListAudit
from harmonic_protocol.messages.universes import ListUniverses
from harmonic_runtime.bus.calls import settle
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_state.auditing import Auditing
from harmonic_state.domain.events import loses_history
from harmonic_state.journal import Journal
from harmonic_state.lineage import after, first_unreadable, is_record
from harmonic_state.listing import Listing
from harmonic_state.losses import Seen
from harmonic_state.ownership import OwnedUniverses
from harmonic_state.parts import MAX_PART_BYTES, log_part
from harmonic_state.refusals import TRIMMED, UNAVAILABLE
from harmonic_state.ring import RecentRecord
from harmonic_state.seeking import read_events
from harmonic_state.tracing_users import trace_user

#: Seconds that a question about lost rooms waits for their universes; the gateway asks again.
SETTLED_WITHIN_S = 1.0
#: All such requests. A function that dispatches on it ends in ``assert_never``.
ReadRequest = ListUniverses | CompareHeads | ReadLog | ReadEvents | TraceUser


class Reads:
    """Listings, heads of logs, and parts of logs; a read that fails is refused."""

    def __init__(
        self,
        *,
        universes: OwnedUniverses,
        journal: Journal,
        listing: Listing,
        auditing: Auditing,
        replica_id: str,
    ) -> None:
        self._universes = universes
        self._journal = journal
        self._listing = listing
        self._auditing = auditing
        self._replica_id = replica_id

    async def answer(self, request: ReadRequest, caller: Caller) -> Reply:
        """The reply to a request."""
        match request:
            case ListUniverses():
                return await self.list_universes(request, caller)
            case CompareHeads():
                return await self.compare_heads(request)
            case ReadLog():
                return await self.read_log(request)
            case ReadEvents():
                return await self.read_events(request)
            case TraceUser():
                return await self.trace_user(request)
            case unreachable:
                assert_never(unreachable)

    async def list_universes(self, request: ListUniverses, caller: Caller) -> Reply:
        """A page of the universes that the caller may see."""
        try:
            page = await self._listing.page(
                caller.user_id, cursor=request.cursor, limit=request.limit
            )
        except BusUnavailable:
            return Reply(error=UNAVAILABLE)
        return Reply(result=page)

    async def list_audit(self, request: ListAudit) -> Reply:
        """A page of a universe's audit log, for a caller who may see it."""
        try:
            page = await self._auditing.page(request)
        except BusUnavailable:
            return Reply(error=UNAVAILABLE)
        return Reply(result=page)

    async def compare_heads(self, request: CompareHeads) -> Reply:
        """The ends of those logs that go on after the positions that a gateway knows."""
        ahead, unknown = self._universes.compare(request.positions)
        # What is known here may be out of date, if another replica was taken for the owner.
        others = request.positions.keys() - ahead.keys()
        try:
            newest = await self._journal.newest(list(others))
            doubtful = {each for each in others if _is_doubtful(newest.get(each), each, request)}
            turned_back = [each for each in doubtful if await self._is_turned_back(each, request)]
        except BusUnavailable:
            return Reply(error=UNAVAILABLE)
        ahead.update(
            (each, end.position)
            for each, end in newest.items()
            if end.position > request.positions[each]
        )
        deferred = self._universes.adopt(unknown) if request.owner == self._replica_id else ()
        for universe_id in turned_back:
            # Whoever owns it: the universe's members are about to enter it again.
            named = request.positions[universe_id], request.seqs.get(universe_id, 0)
            self._universes.witness(universe_id, Seen.named(*named))
        return Reply(
            result=Heads(
                heads=ahead,
                turned_back=tuple(turned_back),
                deferred=tuple(deferred),
                settled=await self._settled(request.lost),
            )
        )

    async def _settled(self, lost: Mapping[str, int]) -> tuple[str, ...]:
        """Those of the lost rooms whose universes are numbered above what members have seen."""
        replies: dict[str, asyncio.Future[Reply]] = {}
        for universe_id, seq in lost.items():
            reply = replies[universe_id] = asyncio.get_running_loop().create_future()
            self._universes.witness(universe_id, Seen.named(0, seq), partial(settle, reply))
        if replies:
            await asyncio.wait(replies.values(), timeout=SETTLED_WITHIN_S)
        return tuple(
            universe_id
            for universe_id, reply in replies.items()
            if reply.done() and reply.result().error is None
        )

    async def _is_turned_back(self, universe_id: str, request: CompareHeads) -> bool:
        """Whether a log ends before the last record that a gateway was sent, or with another one.

        It asks the stream's leader.
        """
        return _is_doubtful(await self._journal.end(universe_id), universe_id, request)

    async def read_log(self, request: ReadLog) -> Reply:
        """The records after a position, or the answer that the log does not reach back to it."""
        try:
            records = await self._from(request.universe_id, request.after_position)
        except BusUnavailable:
            return Reply(error=UNAVAILABLE)
        after_record = request.after_record or ""
        found = after(request.after_position, after_record, records, request.after_mark)
        if found is not None and request.inclusive:
            # If the record itself is trimmed, the others are useless without it.
            found = records if len(found) < len(records) else None
        if found is None or any(loses_history(record.payload) for record in found):
            return Reply(error=TRIMMED)
        try:
            return Reply(result=log_part(found))
        except ValidationError:
            # Nobody can be sent the records after an unreadable one, or load them without memory.
            self._universes.cover(request.universe_id, first_unreadable(found))
            return Reply(error=TRIMMED)

    async def read_events(self, request: ReadEvents) -> Reply:
        """The records of a page of events."""
        try:
            part = await read_events(self._journal, request)
        except BusUnavailable:
            return Reply(error=UNAVAILABLE)
        return Reply(result=part)

    async def trace_user(self, request: TraceUser) -> Reply:
        """What is stored of a user in a universe."""
        try:
            found = await trace_user(self._journal, request)
        except BusUnavailable:
            return Reply(error=UNAVAILABLE)
        return Reply(result=found)

    async def _from(self, universe_id: str, position: int) -> Sequence[RecentRecord]:
        """The records of a log from a position on, with the one there."""
        before = max(0, position - 1)
        recent = self._universes.recent(universe_id, before)
        if recent is not None:
            return recent
        # A client that missed a whole log asks for it part by part; each part is read by itself.
        # The record at the position is not in the reply, and the first that is may have any size.
        return await self._journal.records(
            universe_id, after_position=before, enough_bytes=MAX_PART_BYTES + 1
        )


def _is_doubtful(end: RecentRecord | None, universe_id: str, request: CompareHeads) -> bool:
    """Whether a log that ends there lacks the record that a gateway was sent last."""
    position = request.positions[universe_id]
    if end is None or end.position < position:
        return True
    return end.position == position and not is_record(end, "", request.marks.get(universe_id))
