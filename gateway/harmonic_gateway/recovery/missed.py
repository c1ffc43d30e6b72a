"""Reading what a client missed in a room, and making the frames of its return of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.feed import frames_of
from harmonic_gateway.delivery.frames import deliver, encode, with_notes
from harmonic_gateway.delivery.history import History, LogTrimmed
from harmonic_gateway.delivery.places import Place, Position, mark_of
from harmonic_gateway.limits.debts import Debts, Verdict
from harmonic_gateway.membership.session import Session
from harmonic_gateway.recovery.replay import MissedEvent, frames_of_return, missed_since
from harmonic_gateway.sockets import Frame
from harmonic_protocol.internal import JoinResult, LoggedRecord, LogPart
from harmonic_protocol.log import MusicStored, Notice, record_mark
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.observability.metrics import Metrics

#: Records that one return may have missed in one room; beyond, it begins anew.
MAX_MISSED_RECORDS = 20_000
#: Records encoded before others may go on: thousands in a row would be heard in every room.
RECORDS_IN_A_ROW = 100


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

    def __init__(self, history: History, debts: Debts, metrics: Metrics) -> None:
        self._history = history
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
        room = result.room
        records = None
        if at is not None:
            records = await self._records(room.universe_id, at, position, result.missed)
        if at is None or records is None:
            return RoomFrames(
                frames_of_return(result, position, (), room.seq, recovered=False), is_complete=False
            )
        missed = missed_since(room.universe_id, at, records, room.seq)
        again: list[Frame] = []
        for number, event in enumerate(missed.events):
            if number % RECORDS_IN_A_ROW == 0:
                await asyncio.sleep(0)
            frame = await self._frame(event)
            if frame is not None:
                again.append(frame)
        if not self._may_owe(session, again):
            return RoomFrames(
                frames_of_return(result, position, (), room.seq, recovered=False), is_complete=False
            )
        self._sent_again.inc(len(again))
        frames = frames_of_return(result, position, again, missed.from_seq, recovered=True)
        return RoomFrames(frames, is_complete=True)

    def _may_owe(self, session: Session, frames: Sequence[Frame]) -> bool:
        size_bytes = sum(frame.size_bytes for frame in frames)
        user_id, connection = session.identity.user_id, session.connection
        match self.debts.owe(user_id, connection, size_bytes, len(frames)):
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
        records = await self._records(universe_id, at, position, result.missed)
        if records is None:
            return None
        frames: list[Frame] = []
        notices: list[Notice] = []
        for logged in records:
            if logged.position == at.position:
                continue
            events = [event.model_dump() for event in logged.record.events]
            delivery = deliver(events, logged.record.id)
            notes = {
                piece.request_id: await self._history.notes(piece) for piece in delivery.pieces()
            }
            known = {request: each for request, each in notes.items() if each is not None}
            where = Position.of_record(logged.position, logged.record.id)
            frames += frames_of(universe_id, where, delivery, known)
            notices += delivery.notices
        return Unsent(frames, notices)

    async def _records(
        self, universe_id: str, at: Place, position: int, part: LogPart | None
    ) -> list[LoggedRecord] | None:
        """The records from a place up to a position; ``None`` if they are not to be had."""
        after, mark, inclusive = at.position, at.mark, at.frames is not None
        found: list[LoggedRecord] = []
        try:
            while True:
                if part is None:
                    part = await self._history.read(
                        universe_id, after, after_mark=mark, inclusive=inclusive
                    )
                found.extend(part.records)
                if part.records:
                    # What follows them is verified by the record that was read last.
                    after, inclusive = part.records[-1].position, False
                    mark = mark_of(Position.of_record(after, part.records[-1].record.id))
                if after >= position or (part.complete and not part.records):
                    break
                if len(found) > MAX_MISSED_RECORDS:
                    return None
                part = None
        except LogTrimmed:
            return None
        missed = [record for record in found if at.position <= record.position <= position]
        return missed if _begins_at(at, missed) else None

    async def _frame(self, missed: MissedEvent) -> Frame | None:
        name, data = missed.event.name, missed.event.data
        if name == MusicStored.name:
            music = MusicStored.model_validate(data)
            notes = await self._history.notes(music)
            if notes is None:
                return None
            frame = with_notes(music, notes, replayed=True)
        else:
            frame = encode(name, data, replayed=True)
        frame.offset = missed.offset
        return frame


def _begins_at(at: Place, missed: Sequence[LoggedRecord]) -> bool:
    """Whether the record at a place is the one that the client has, as far as it can be told."""
    first = missed[0] if missed else None
    if first is None or first.position != at.position:
        # The rest of a record's frames is to be had from the record alone.
        return at.frames is None
    return at.mark in {None, record_mark(first.record.id)}
