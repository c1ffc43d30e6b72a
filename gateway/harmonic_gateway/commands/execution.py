"""Carries out a command: asks the owner, and sends the caller what follows from the reply."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias, assert_never

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
from harmonic_runtime.bus.client import Bus, BusUnavailable, settle
from harmonic_runtime.process.clock import Clock, timestamp

#: Called before a client joins or leaves a room: it can no longer resume an earlier session.
CancelReturn: TypeAlias = Callable[[Session], Awaitable[None]]
#: The outcome of a command, or a coroutine that returns it.
Outcome: TypeAlias = Reply | Refused | Coroutine[Any, Any, Reply | Refused]


class Commands:
    """Carries out each kind of command, with all that it needs besides the owner's reply."""

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
        """Carry one command out and acknowledge it, or return why not."""
        begun: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.begin(session, command, queued, partial(settle, begun))
        outcome = await begun
        known = outcome if isinstance(outcome, Reply | Refused) else await outcome
        return self.finish(session, command, queued, known)

    def begin(
        self,
        session: Session,
        command: StateCommand | LiveSignal,
        queued: Queued,
        on_outcome: Callable[[Outcome], object],
    ) -> None:
        """Begin to carry a command out; ``on_outcome`` is called with what :meth:`finish` takes.

        A command that only asks the owner needs no task. For others, the outcome is a coroutine.
        """
        match command:
            case JoinRoom() | LeaveRoom():
                on_outcome(self._go(session, command, queued))
            case LiveSignal():
                on_outcome(self._relay(session, command))
            case OwnerCommand():
                self._owners.begin(
                    command.universe_id,
                    command.operation(),
                    command,
                    session.caller,
                    queued.trace,
                    until_s=queued.deadline_s,
                    on_reply=on_outcome,
                )
            case unreachable:
                assert_never(unreachable)

    def finish(
        self,
        session: Session,
        command: StateCommand | LiveSignal,
        queued: Queued,
        outcome: Reply | Refused,
    ) -> Refused | None:
        """Acknowledge a command that was carried out, or return why it was not."""
        if isinstance(outcome, Reply):
            self._rooms.expect(command.universe_id, outcome.position)
            outcome = outcome.error or outcome
        if isinstance(outcome, Refused):
            return outcome
        self._answers.accepted(session.connection, queued.name, queued.ack_id, seq=outcome.seq)
        return None

    async def _go(
        self, session: Session, command: JoinRoom | LeaveRoom, queued: Queued
    ) -> Reply | Refused:
        await self._cancel_return(session)
        if isinstance(command, JoinRoom):
            return await self._joining.join(session, command, queued.deadline_s, queued.trace)
        return await self._joining.leave(session, command, queued.deadline_s, queued.trace)

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
