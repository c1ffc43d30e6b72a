"""Carrying out the commands of each connection, one after the other."""

from collections.abc import Awaitable, Callable

from harmonic_gateway.commands.execution import Commands
from harmonic_gateway.commands.mailbox import Mailbox, Queued, QueuedCommand
from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.limits.allowances import Allowances
from harmonic_gateway.membership.session import Session
from harmonic_protocol.catalogue import COMMANDS
from harmonic_protocol.messages.connection import RefreshToken
from harmonic_protocol.messages.declaration import Command, OwnerCommand, RoomCommand
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.transient import OVERDUE
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.lifecycle import Tasks

#: Gives a session a newer token, or says why not.
Refresh = Callable[[Session, RefreshToken], Awaitable[Refused | None]]
#: Says why a command of a kind is not to be carried out for a session at this moment, if so.
Permission = Callable[[Session, type[Command]], Refused | None]


class Worker:
    """Carries out what waits in a mailbox, in the order of its coming."""

    def __init__(
        self,
        *,
        commands: Commands,
        refresh: Refresh,
        permission: Permission,
        allowances: Allowances,
        answers: Answers,
        tasks: Tasks,
        clock: Clock,
        log: BoundLogger,
    ) -> None:
        self._commands = commands
        self._refresh = refresh
        self._permission = permission
        self._allowances = allowances
        self._answers = answers
        self._tasks = tasks
        self._clock = clock
        self._log = log

    def start(self, session: Session, mailbox: Mailbox, done: Callable[[], None]) -> None:
        """Carry out all that waits, and what comes meanwhile; ``done`` is called at the end."""
        self._tasks.start(self._work(session, mailbox, done), name="commands")

    async def _work(self, session: Session, mailbox: Mailbox, done: Callable[[], None]) -> None:
        try:
            while (queued := mailbox.take()) is not None:
                declared = COMMANDS.get(queued.name)
                try:
                    refusal = await self._carry_out(session, queued)
                    if refusal is None:
                        self._done(queued)
                    else:
                        self._answers.refused(
                            session.connection,
                            declared,
                            refusal,
                            queued.ack_id,
                            universe_id=queued.universe_id,
                            op_id=queued.op_id,
                            trace=queued.trace,
                        )
                        queued.span.end(refusal.code.value)
                except Exception:  # noqa: BLE001 -- a bug must not end the client's other commands
                    self._log.exception(
                        "command_failed", command=queued.name, trace_id=queued.trace.trace_id
                    )
                    failed = refused(Code.INTERNAL_ERROR, "The server failed to carry this out")
                    # With nothing in it that the client said unchecked, which may be what fails.
                    self._answers.refused(
                        session.connection,
                        declared,
                        failed,
                        queued.ack_id,
                        universe_id=_universe_of(queued.command),
                        trace=queued.trace,
                    )
                    queued.span.end(failed.code.value)
        finally:
            done()

    def _done(self, queued: Queued) -> None:
        is_stored = isinstance(queued.command, OwnerCommand)
        took_s = self._clock.monotonic() - queued.received_s
        self._answers.took(queued.name, took_s, is_stored=is_stored)
        queued.span.end()

    async def _carry_out(self, session: Session, queued: Queued) -> Refused | None:
        if self._is_overdue(queued):
            return OVERDUE
        declared = COMMANDS.get(queued.name)
        rate = declared.spec.rate if declared else None
        # What is invalid counts as well; what is refused here does not.
        over = await self._allowances.take(session.identity.user_id, rate)
        if over is not None:
            return over
        command = queued.command
        if isinstance(command, Refused):
            return command
        if isinstance(command, RefreshToken):
            refusal = await self._refresh(session, command)
            if refusal is None:
                self._answers.accepted(session.connection, queued.name, queued.ack_id)
            return refusal
        # Counting may have taken all the time that was left.
        if self._is_overdue(queued):
            return OVERDUE
        # It was allowed when it came; it has waited since.
        return self._permission(session, type(command)) or await self._commands.carry_out(
            session, command, queued
        )

    def _is_overdue(self, queued: Queued) -> bool:
        return queued.deadline_s <= self._clock.monotonic()


def _universe_of(command: QueuedCommand) -> str | None:
    return command.universe_id if isinstance(command, RoomCommand) else None
