"""Carrying a command out: ask the owner, and see to it that the caller is sent what it is due."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias, assert_never

from harmonic_gateway.commands.mailbox import Queued
from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.signals import pack
from harmonic_gateway.membership.joining import Joining
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Session
from harmonic_gateway.owners import Owners
from harmonic_protocol import subjects
from harmonic_protocol.catalogue import StateCommand
from harmonic_protocol.envelope import Reply
from harmonic_protocol.messages.declaration import LiveSignal, OwnerCommand
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.transient import NO_BUS
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.process.clock import Clock, timestamp

#: Called before a client joins or leaves a room: it is given none of an earlier session any more.
CancelReturn: TypeAlias = Callable[[Session], Awaitable[None]]


class Commands:
    """What each kind of command needs besides the owner's word."""

    def __init__(
        self,
        *,
        bus: Bus,
        owners: Owners,
        memberships: Memberships,
        rooms: Rooms,
        joining: Joining,
        cancel_return: CancelReturn,
        answers: Answers,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._owners = owners
        self._memberships = memberships
        self._rooms = rooms
        self._joining = joining
        self._cancel_return = cancel_return
        self._answers = answers
        self._clock = clock

    async def carry_out(
        self, session: Session, command: StateCommand | LiveSignal, queued: Queued
    ) -> Refused | None:
        """Carry one command out and acknowledge it, or say why not."""
        if isinstance(command, JoinRoom | LeaveRoom):
            await self._cancel_return(session)
        match command:
            case JoinRoom():
                outcome = await self._joining.join(
                    session, command, queued.deadline_s, queued.trace
                )
            case LeaveRoom():
                outcome = await self._joining.leave(
                    session, command, queued.deadline_s, queued.trace
                )
            case LiveSignal():
                outcome = await self._relay(session, command)
            case OwnerCommand():
                outcome = await self._ask(session, command, queued)
            case unreachable:
                assert_never(unreachable)
        if isinstance(outcome, Refused):
            return outcome
        self._answers.accepted(session.connection, queued.name, queued.ack_id, seq=outcome.seq)
        return None

    async def _ask(
        self, session: Session, command: OwnerCommand, queued: Queued
    ) -> Reply | Refused:
        universe_id = command.universe_id
        reply = await self._owners.ask(
            universe_id,
            command.operation(),
            command,
            session.caller,
            queued.trace,
            until_s=queued.deadline_s,
        )
        self._rooms.expect(universe_id, reply.position)
        return reply.error or reply

    async def _relay(self, session: Session, request: LiveSignal) -> Reply | Refused:
        universe_id = request.universe_id
        mode = self._memberships.mode(session.connection, universe_id)
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
            return NO_BUS
        return Reply()
