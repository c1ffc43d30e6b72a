"""Reading what a client missed in a room, and making the frames of its return of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import assert_never
from weakref import WeakValueDictionary

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.feed import read_frames
from harmonic_gateway.delivery.frames import encode, with_notes
from harmonic_gateway.delivery.history import History, LogTrimmed
from harmonic_gateway.delivery.places import Place, Position, mark_of
from harmonic_gateway.limits.debts import Debts, Verdict
from harmonic_gateway.membership.session import Session
from harmonic_gateway.recovery.kept import KeptEvent, KeptLog, KeptLogs, KeptRecord, Missed
from harmonic_gateway.recovery.replay import ShownEvent, frames_of_return, shown_events
from harmonic_gateway.sockets import Frame
from harmonic_protocol.internal import JoinResult, LoggedRecord, LogPart
from harmonic_protocol.log import MusicStored, Notice, record_mark
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock

#: Records that one return may have missed in one room; beyond, it begins anew.
MAX_MISSED_RECORDS = 20_000
#: Records encoded before others may go on: thousands in a row would be heard in every room.
RECORDS_IN_A_ROW = 100
#: What was read for one return is kept for others that miss the same: so many bytes of all logs,
#: for so long after the last of them.
KEPT_BYTES, KEPT_S = 64 * 1024 * 1024, 10.0


@dataclass(frozen=True, slots=True)
class RoomFrames:
    """What a client is sent that is back in a room; ``is_complete`` if that is all it missed."""

    frames: list[Frame]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Unsent:
    """What a member has not been sent yet, and what its gateway is to act upon."""

    frames: list[Frame]
    notices: list[Notice]


class MissedReader:
    """Reads from logs what single clients missed."""

    def __init__(self, history: History, debts: Debts, clock: Clock, metrics: Metrics) -> None:
        self._history = history
        self._clock = clock
        self._kept = KeptLogs(KEPT_BYTES, KEPT_S)
        self._timer: asyncio.TimerHandle | None = None
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        metrics.gauge_from(table.KEPT_BYTES, lambda: self._kept.size_bytes)
        self.debts = debts
        self._put_off = metrics.counters(table.OWED_REFUSALS)
        metrics.gauge_from(table.OWED_BYTES, lambda: debts.size_bytes)
        self._sent_again = metrics.counter(table.MISSED_EVENTS)

    async def read(
        self, session: Session, result: JoinResult, at: Place | None, position: int
    ) -> RoomFrames:
        """All that a client is due that was at a place, and is a member as of ``position``.

        Without a place, or where the log does not reach back to it, that is nothing of the past;
        so it is where that is too much for any client. Raise :class:`BusUnavailable` where it is
        too much beside what the user's other clients are owed.
        """
        missed = await self._missed(result, at, position) if at is not None else None
        if missed is None or not self._may_owe(session, missed):
            return RoomFrames(frames_of_return(result, position), is_complete=False)
        self._sent_again.inc(missed.events)
        return RoomFrames(frames_of_return(result, position, missed), is_complete=True)

    async def _missed(self, result: JoinResult, at: Place, position: int) -> Missed | None:
        """What a client at a place missed; ``None`` if that is not to be had.

        Clients of one room take turns: what is read for the first is kept for the next.
        """
        universe_id = result.room.universe_id
        turns = self._turns.get(universe_id)
        if turns is None:
            turns = self._turns[universe_id] = asyncio.Lock()
        async with turns:
            kept = self._kept.of(universe_id, self._clock.monotonic())
            try:
                if kept is None or not await self._goes_on(kept, result, at, position):
                    kept = KeptLog(Position(at.position, at.mark))
                    await self._extend(kept, universe_id, at, position, result.missed)
            except LogTrimmed:
                self._kept.forget(universe_id)
                return None
            if not kept.reaches_back_to(at):
                self._kept.forget(universe_id)
                return None
            self._kept.keep(universe_id, kept, self._clock.monotonic())
            if self._timer is None:
                self._tidy()
            return kept.missed(at, position, result.room.seq)

    def _tidy(self) -> None:
        """Forget what nobody returns for any more, for as long as there is something."""
        loop = asyncio.get_running_loop()
        is_left = self._kept.expire(self._clock.monotonic())
        self._timer = loop.call_later(KEPT_S, self._tidy) if is_left else None

    async def _goes_on(self, kept: KeptLog, result: JoinResult, at: Place, position: int) -> bool:
        """Have what is kept reach up to a position; ``False`` if it is not what the client missed.

        It is if it ends with the very record that the owner named: each follows the one before.
        """
        if result.record is None or not kept.records or not kept.reaches_back_to(at):
            return False
        last = kept.records[-1]
        if last.position < position:
            after = Place(last.position, mark=record_mark(last.record_id))
            await self._extend(kept, result.room.universe_id, after, position, None)
        return kept.ends_with(position, result.record)

    async def _extend(
        self, kept: KeptLog, universe_id: str, after: Place, position: int, part: LogPart | None
    ) -> None:
        """Add what follows a place, up to a position; others may go on meanwhile."""
        number = 0
        async for logged in self._records(universe_id, after, position, part):
            if not kept.records or logged.position > kept.records[-1].position:
                kept.add(await self._kept_record(universe_id, logged))
            number += 1
            if number % RECORDS_IN_A_ROW == 0:
                await asyncio.sleep(0)

    async def _kept_record(self, universe_id: str, logged: LoggedRecord) -> KeptRecord:
        events = [
            KeptEvent(shown.event.data.get("seq"), await self._frame(shown))
            for shown in shown_events(universe_id, logged)
        ]
        return KeptRecord(logged.position, logged.record.id, tuple(events))

    def _may_owe(self, session: Session, missed: Missed) -> bool:
        size_bytes = sum(frame.size_bytes for frame in missed.frames)
        user_id, connection = session.identity.user_id, session.connection
        match self.debts.owe(user_id, connection, size_bytes, missed.events):
            case Verdict.OWED:
                return True
            case Verdict.NEVER:
                self._put_off.of("never").inc()
                return False
            case Verdict.LATER:
                self._put_off.of("later").inc()
                raise BusUnavailable("the user's clients are owed too much")
            case unreachable:
                assert_never(unreachable)

    async def unsent(self, result: JoinResult, at: Place, position: int) -> Unsent | None:
        """What members are sent after a place and up to a position, as they are sent it.

        ``None`` where that is not to be had.
        """
        universe_id = result.room.universe_id
        try:
            records = [
                logged
                async for logged in self._records(universe_id, at, position, result.missed)
                if logged.position <= position
            ]
        except LogTrimmed:
            return None
        if not _begins_at(at, records):
            return None
        frames: list[Frame] = []
        notices: list[Notice] = []
        for logged in records:
            if logged.position == at.position:
                continue
            delivery, read = await read_frames(universe_id, logged, self._history)
            frames += read
            notices += delivery.notices
        return Unsent(frames, notices)

    async def _records(
        self, universe_id: str, at: Place, position: int, part: LogPart | None
    ) -> AsyncIterator[LoggedRecord]:
        """The records from a place up to a position, or somewhat further.

        Raise :class:`LogTrimmed` if they are not to be had, or too many.
        """
        after, mark, inclusive = at.position, at.mark, at.frames is not None
        count = 0
        while True:
            if part is None:
                part = await self._history.read(
                    universe_id, after, after_mark=mark, inclusive=inclusive
                )
            for logged in part.records:
                if logged.position >= at.position:
                    yield logged
            count += len(part.records)
            if part.records:
                # What follows them is verified by the record that was read last.
                after, inclusive = part.records[-1].position, False
                mark = mark_of(Position.of_record(after, part.records[-1].record.id))
            if after >= position or (part.complete and not part.records):
                break
            if count > MAX_MISSED_RECORDS:
                raise LogTrimmed
            part = None

    async def _frame(self, shown: ShownEvent) -> Frame | None:
        if not shown.is_replayed:
            return None
        name, data = shown.event.name, shown.event.data
        if name == MusicStored.name:
            music = MusicStored.model_validate(data)
            notes = await self._history.notes(music)
            if notes is None:
                return None
            frame = with_notes(music, notes, replayed=True)
        else:
            frame = encode(name, data, replayed=True)
        frame.offset = shown.offset
        return frame


def _begins_at(at: Place, missed: Sequence[LoggedRecord]) -> bool:
    """Whether the record at a place is the one that the client has, as far as it can be told."""
    first = missed[0] if missed else None
    if first is None or first.position != at.position:
        # The rest of a record's frames is to be had from the record alone.
        return at.frames is None
    return at.mark in {None, record_mark(first.record.id)}
