"""Restoring the rooms of a session: seats, missed events, and the end of the return."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.places import Place, Position
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.membership import Entry, Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_gateway.recovery.finding import Known
from harmonic_gateway.recovery.missed import MissedReader
from harmonic_gateway.sockets import Connection, Frame
from harmonic_protocol.internal import (
    CloseConnection,
    JoinResult,
    ResumeRoom,
    SavedRoom,
    SavedSession,
)
from harmonic_protocol.reasons import Reason, RecoveryReason
from harmonic_protocol.refusals import Refused
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.process.lifecycle import Tasks

#: How often, and how long apart, an owner is told that a seat is not needed after all.
RELEASE_ATTEMPTS, RELEASE_PAUSE_S = 10, 1.0


class OffsetRefused(Exception):
    """The log has not reached the place that the client says."""


def entered(
    rooms: Rooms, membership: Membership, frames: Sequence[Frame], connection: Connection
) -> Refused | None:
    """Admit a client that has its seat again, with ``frames``, or return its refusal.

    One that lost the seat meanwhile has to connect again, and is brought up to date then.
    """
    match rooms.admit(membership, frames):
        case Entry.UNSEATED if membership.refusal is not None:
            return membership.refusal
        case Entry.UNSEATED | Entry.STALE:
            connection.close()
        case Entry.ADMITTED | Entry.RENEWED | Entry.OVERTAKEN | Entry.GONE:
            pass
        case unreachable:
            assert_never(unreachable)
    return None


@dataclass(frozen=True, slots=True)
class ReturnedRoom:
    """A room that a client returned to, or the refusal for it.

    ``reason`` says why it is not sent what it missed, if it is not.
    """

    universe_id: str
    membership: Membership | None = None
    frames: Sequence[Frame] = ()
    reason: RecoveryReason | None = None
    refusal: Refused | None = None


@dataclass(slots=True)
class Return:
    """What a recovered client is to be sent; ``pid`` is the one that it keeps, if all was found."""

    pid: str | None
    rooms: list[ReturnedRoom] = field(default_factory=list)

    @property
    def reason(self) -> RecoveryReason | None:
        """Why something is missing, if it is."""
        return next((room.reason for room in self.rooms if room.reason is not None), None)


class RoomReturns:
    """Takes a session's seats, reads the missed events, and completes the return in one turn."""

    def __init__(
        self,
        *,
        owners: Owners,
        memberships: Memberships,
        rooms: Rooms,
        departures: Departures,
        sessions: Sessions,
        reader: MissedReader,
        answers: Answers,
        tasks: Tasks,
    ) -> None:
        self._owners = owners
        self._memberships = memberships
        self._rooms = rooms
        self._departures = departures
        self._sessions = sessions
        self._reader = reader
        self._answers = answers
        self._tasks = tasks

    async def prepare(self, session: Session, known: Known) -> Return:
        """Do everything that may fail. Call :meth:`complete` or :meth:`undo` afterwards.

        Raise :class:`BusUnavailable` where it cannot be done now, and :class:`OffsetRefused`.
        """
        returning = Return(known.pid)
        saved = known.found.saved if known.found is not None else None
        if saved is None:
            return returning
        try:
            for universe_id, room in saved.rooms.items():
                at = known.places[universe_id] if known.places is not None else None
                returning.rooms.append(await self._room(session, universe_id, room, saved, at))
        except BaseException:
            self._stop_entering(returning)
            raise
        if returning.reason is not None:
            returning.pid = None
        return returning

    def complete(self, session: Session, returning: Return) -> None:
        """Make the client a member again, and send it everything; nothing is awaited."""
        connection = session.connection
        for back in returning.rooms:
            refusal = back.refusal
            if back.membership is not None:
                refusal = entered(self._rooms, back.membership, back.frames, connection) or refusal
            if refusal is not None:
                self._answers.evicted(connection, refusal, back.universe_id)
        self._reader.debts.sent(session.identity.user_id, connection)
        # Not before the client has its rooms: it is back in them, whether that can be stored.
        self.keep(session)

    def keep(self, session: Session) -> None:
        """Save the session as it is now."""
        self._tasks.start(self._save(session), name="save session")

    def ended(self, session: Session) -> None:
        """The client is gone: forget what it was to be sent."""
        self._reader.debts.forget(session.identity.user_id, session.connection)

    def abandon(self, returning: Return) -> None:
        """The client is not accepted: release its seats by its departure."""
        self._stop_entering(returning)

    async def undo(self, session: Session, known: Known, returning: Return) -> None:
        """Release the seats that were, or may have been, taken for a client in vain."""
        self._stop_entering(returning)
        saved = known.found.saved.rooms if known.found is not None else {}
        for universe_id, membership in list(self._memberships.of(session.connection).items()):
            if universe_id in saved and membership.may_hold_seat:
                await self._release(session, membership)

    async def _release(self, session: Session, membership: Membership) -> None:
        """Ask the owner to release a seat. If it never answers, the departure releases it."""
        request = CloseConnection(universe_id=membership.universe_id)
        for attempt in range(RELEASE_ATTEMPTS):
            if attempt:
                await asyncio.sleep(RELEASE_PAUSE_S)
            if session.connection.is_closed():
                self._departures.seated(session, membership)
                return
            reply = await self._owners.ask(
                membership.universe_id, request.operation(), request, session.caller
            )
            if reply.error is None:
                self._memberships.released(membership)
                return

    def _stop_entering(self, returning: Return) -> None:
        for back in returning.rooms:
            if back.membership is not None:
                self._rooms.refused(back.membership, frees_seat=False)

    async def _save(self, session: Session) -> None:
        memberships = list(self._memberships.of(session.connection).values())
        await self._sessions.save(session, memberships)

    async def _room(
        self,
        session: Session,
        universe_id: str,
        room: SavedRoom,
        saved: SavedSession,
        at: Place | None,
    ) -> ReturnedRoom:
        membership = self._memberships.enter(session.connection, universe_id)
        try:
            await self._rooms.follow(universe_id)
            self._memberships.ask(membership)
            request = ResumeRoom(
                universe_id=universe_id,
                mode=room.mode,
                replaces=saved.connection_id,
                after_position=at.position if at else None,
                after_mark=at.mark if at else None,
            )
            reply = await self._owners.ask(
                universe_id, request.operation(), request, session.caller
            )
            if reply.error is not None:
                return self._refused(membership, reply.error)
            result = JoinResult.model_validate(reply.result)
            self._rooms.live.located(result, saved.gateway_id)
            if result.continued is False:
                # The user left the room, or was not allowed to see it for a time.
                at = None
            position = Position.of_record(reply.position or 0, result.record)
            self._memberships.answered(membership, position, result.room.mode, at)
            missed = await self._reader.read(session, result, at, position)
        except BaseException:
            self._rooms.refused(membership, frees_seat=False)
            raise
        reason = None
        if result.continued is False:
            reason = RecoveryReason.NONE
        elif not missed.is_complete:
            reason = RecoveryReason.WINDOW if at is None else RecoveryReason.TRIMMED
        return ReturnedRoom(universe_id, membership, missed.frames, reason)

    def _refused(self, membership: Membership, refusal: Refused) -> ReturnedRoom:
        if refusal.reason is Reason.OFFSET:
            raise OffsetRefused
        if "retryAfterMs" in refusal.details:
            raise BusUnavailable(refusal.message)
        self._rooms.refused(membership, frees_seat=True)
        return ReturnedRoom(membership.universe_id, refusal=refusal)
