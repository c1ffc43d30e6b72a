"""Carrying a command out: ask the owner, and see to it that the caller is sent what it is due."""

from typing import assert_never

from harmonic_gateway.commands.mailbox import Queued
from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.delivery.places import Place, place
from harmonic_gateway.delivery.signals import pack
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_protocol import subjects
from harmonic_protocol.catalogue import StateCommand
from harmonic_protocol.envelope import Reply
from harmonic_protocol.internal import JoinResult
from harmonic_protocol.messages.declaration import LiveSignal, OwnerCommand
from harmonic_protocol.messages.rooms import (
    JoinRoom,
    LeaveRoom,
    ParticipantJoined,
    RoomJoined,
    RoomLeft,
)
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.process.clock import Clock, timestamp

_UNAVAILABLE = refused(
    Code.INTERNAL_ERROR, "The server cannot do this at the moment", retryAfterMs=1000
)


class Commands:
    """What each kind of command needs besides the owner's word."""

    def __init__(
        self,
        *,
        bus: Bus,
        owners: Owners,
        rooms: Rooms,
        sessions: Sessions,
        answers: Answers,
        clock: Clock,
        rooms_per_connection: int,
    ) -> None:
        self._bus = bus
        self._owners = owners
        self._rooms = rooms
        self._sessions = sessions
        self._answers = answers
        self._clock = clock
        self._rooms_per_connection = rooms_per_connection

    async def carry_out(
        self, session: Session, command: StateCommand | LiveSignal, queued: Queued
    ) -> Refused | None:
        """Carry one command out and acknowledge it, or say why not."""
        match command:
            case JoinRoom():
                outcome = await self._join(session, command)
            case LeaveRoom():
                outcome = await self._leave(session, command)
            case LiveSignal():
                outcome = await self._relay(session, command)
            case OwnerCommand():
                outcome = await self._ask(session, command)
            case unreachable:
                assert_never(unreachable)
        if isinstance(outcome, Refused):
            return outcome
        self._answers.accepted(session.connection, queued.name, queued.ack_id, seq=outcome.seq)
        return None

    async def _ask(self, session: Session, command: OwnerCommand) -> Reply | Refused:
        universe_id = command.universe_id
        reply = await self._owners.ask(universe_id, command.operation(), command, session.caller)
        self._rooms.expect(universe_id, reply.position)
        return reply.error or reply

    async def _join(self, session: Session, join: JoinRoom) -> Reply | Refused:
        universe_id, connection = join.universe_id, session.connection
        already = connection in self._rooms.members(universe_id)
        if not already and len(session.seats) >= self._rooms_per_connection:
            return refused(
                Code.INVALID_PARAMETERS,
                f"A connection may be in at most {self._rooms_per_connection} rooms",
                reason=Reason.TOO_MANY_ROOMS,
                limit=self._rooms_per_connection,
            )
        try:
            room = await self._rooms.enter(universe_id)
        except BusUnavailable:
            return _UNAVAILABLE
        session.seats.add(universe_id)
        reply = await self._owners.ask(universe_id, join.operation(), join, session.caller)
        if reply.error is not None or reply.position is None or connection.closed:
            await self._rooms.give_up(universe_id, room)
            if reply.error is not None and reply.error.code is not Code.INTERNAL_ERROR:
                self._keep_seat(session, universe_id, already=already)
            return reply.error or reply
        result = JoinResult.model_validate(reply.result)
        session.rooms[universe_id] = join.mode
        joined = encode_event(result.room, RoomJoined.spec.name)
        session.places.setdefault(universe_id, Place(reply.position))
        # Before the client knows: once it does, it may come back to any gateway.
        await self._sessions.save(session)
        if connection.is_closed():
            await self._rooms.give_up(universe_id, room)
        elif already:
            await self._rooms.give_up(universe_id, room)
            self._rooms.once_at(universe_id, reply.position, lambda: connection.send(joined))
        else:
            joined.offset = place(universe_id, reply.position)
            greeting = [joined]
            if result.announcement is not None:
                name = ParticipantJoined.spec.name
                greeting.insert(0, encode_event(result.announcement, name))
            self._rooms.admit(room, connection, reply.position, greeting)
        return reply

    def _keep_seat(self, session: Session, universe_id: str, *, already: bool) -> None:
        if not already:
            session.seats.discard(universe_id)

    async def _leave(self, session: Session, leave: LeaveRoom) -> Reply | Refused:
        universe_id = leave.universe_id
        reply = await self._owners.ask(universe_id, leave.operation(), leave, session.caller)
        if reply.error is not None:
            return reply.error
        session.rooms.pop(universe_id, None)
        session.seats.discard(universe_id)
        session.places.pop(universe_id, None)
        self._rooms.drop(universe_id, session.connection)
        await self._sessions.save(session)
        left = RoomLeft.model_validate(reply.result)
        session.connection.send(encode_event(left, RoomLeft.spec.name))
        return reply

    async def _relay(self, session: Session, request: LiveSignal) -> Reply | Refused:
        universe_id = request.universe_id
        mode = session.rooms.get(universe_id)
        if mode is None:
            return refused(Code.PERMISSION_DENIED, "Join the room first", reason=Reason.NOT_IN_ROOM)
        if request.mode == "edit" and mode != "edit":
            return refused(Code.PERMISSION_DENIED, "You are only viewing", reason=Reason.VIEW_ONLY)
        payload, headers = pack(
            request,
            user_id=session.identity.user_id,
            sender=session.connection.id,
            timestamp=timestamp(self._clock.now()),
        )
        try:
            await self._bus.publish(subjects.signal(universe_id), payload, headers=headers)
        except BusUnavailable:
            return _UNAVAILABLE
        return Reply()
