"""Carrying out the commands of each connection, one after the other.

A command goes on in the call that tells what its last step has led to: no task is made for what
the limiter and the owner grant at once, which is nearly all.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from types import CoroutineType
from typing import Any, NamedTuple

from harmonic_gateway.commands.execution import Commands
from harmonic_gateway.commands.mailbox import Mailbox, Queued, QueuedCommand
from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.limits.allowances import Allowances
from harmonic_gateway.membership.session import Session
from harmonic_protocol.catalogue import COMMANDS, StateCommand
from harmonic_protocol.envelope import Reply
from harmonic_protocol.messages.connection import RefreshToken
from harmonic_protocol.messages.declaration import Command, LiveSignal, OwnerCommand, RoomCommand
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.transient import OVERDUE
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.clock import Clock
from harmonic_runtime.process.lifecycle import Tasks

#: Gives a session a newer token, or says why not.
Refresh = Callable[[Session, RefreshToken], Coroutine[Any, Any, Refused | None]]
#: Says why a command of a kind is not to be carried out for a session at this moment, if so.
Permission = Callable[[Session, type[Command]], Refused | None]


class _Work(NamedTuple):
    """The commands of one connection, one of which is under way."""

    session: Session
    mailbox: Mailbox
    done: Callable[[], None]


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
        self._loop = asyncio.get_running_loop()

    def start(self, session: Session, mailbox: Mailbox, done: Callable[[], None]) -> None:
        """Carry out all that waits, and what comes meanwhile; ``done`` is called at the end."""
        self._go_on(_Work(session, mailbox, done))

    def _go_on(self, work: "_Work") -> None:
        """Begin the next command; its end leads here again."""
        queued = work.mailbox.take()
        if queued is None:
            work.done()
        else:
            self._step(work, queued, self._begin, None)

    # The steps of a command. Each is told what the one before has led to.

    def _begin(self, work: "_Work", queued: Queued, _: None) -> None:
        if self._is_overdue(queued):
            self._end(work, queued, OVERDUE)
            return
        declared = COMMANDS.get(queued.name)
        rate = declared.spec.rate if declared else None
        # What is invalid counts as well; what is refused here does not.
        counted = partial(self._step, work, queued, self._counted)
        self._allowances.begin(work.session.identity.user_id, rate, counted)

    def _counted(self, work: "_Work", queued: Queued, over: Refused | None) -> None:
        command, session = queued.command, work.session
        if over is not None:
            self._end(work, queued, over)
        elif isinstance(command, Refused):
            self._end(work, queued, command)
        elif isinstance(command, RefreshToken):
            self._step(work, queued, self._refreshed, self._refresh(session, command))
        elif self._is_overdue(queued):
            # Counting may have taken all the time that was left.
            self._end(work, queued, OVERDUE)
        elif (refusal := self._permission(session, type(command))) is not None:
            # It was allowed when it came; it has waited since.
            self._end(work, queued, refusal)
        else:
            then = partial(self._step, work, queued, partial(self._carried_out, command))
            # After the records before it were delivered, which an answer overtakes.
            self._commands.begin(session, command, queued, partial(self._loop.call_soon, then))

    def _refreshed(self, work: "_Work", queued: Queued, refusal: Refused | None) -> None:
        if refusal is None:
            self._answers.accepted(work.session.connection, queued.name, queued.ack_id)
        self._end(work, queued, refusal)

    def _carried_out(
        self,
        command: StateCommand | LiveSignal,
        work: "_Work",
        queued: Queued,
        outcome: Reply | Refused,
    ) -> None:
        self._end(work, queued, self._commands.finish(work.session, command, queued, outcome))

    def _end(self, work: "_Work", queued: Queued, refusal: Refused | None) -> None:
        if refusal is None:
            is_stored = isinstance(queued.command, OwnerCommand)
            took_s = self._clock.monotonic() - queued.received_s
            self._answers.took(queued.name, took_s, is_stored=is_stored)
            queued.span.end()
        else:
            self._refuse(work, queued, refusal, queued.universe_id, queued.op_id)
        self._next(work)

    def _refuse(
        self,
        work: "_Work",
        queued: Queued,
        refusal: Refused,
        universe_id: str | None,
        op_id: str | None = None,
    ) -> None:
        self._answers.refused(
            work.session.connection,
            COMMANDS.get(queued.name),
            refusal,
            queued.ack_id,
            universe_id=universe_id,
            op_id=op_id,
            trace=queued.trace,
        )
        queued.span.end(refusal.code.value)

    def _next(self, work: "_Work") -> None:
        """Go on with what waits, in a turn of its own: each may be refused at once."""
        if work.mailbox:
            self._loop.call_soon(self._go_on, work)
        else:
            work.done()

    # How they follow one another.

    def _step(
        self,
        work: "_Work",
        queued: Queued,
        step: Callable[["_Work", Queued, Any], None],
        outcome: Any,
    ) -> None:
        """Take a step with what the one before has led to; a task waits for what is not known."""
        if isinstance(outcome, CoroutineType):
            self._tasks.start(self._wait(work, queued, step, outcome), name="command")
            return
        try:
            step(work, queued, outcome)
        except Exception:  # noqa: BLE001 -- a bug must not end the client's other commands
            self._failed(work, queued)

    async def _wait(
        self,
        work: "_Work",
        queued: Queued,
        step: Callable[["_Work", Queued, Any], None],
        outcome: Coroutine[Any, Any, Any],
    ) -> None:
        try:
            known = await outcome
        except Exception:  # noqa: BLE001 -- as above
            self._failed(work, queued)
        except BaseException:
            work.done()
            raise
        else:
            self._step(work, queued, step, known)

    def _failed(self, work: "_Work", queued: Queued) -> None:
        self._log.exception("command_failed", command=queued.name, trace_id=queued.trace.trace_id)
        failed = refused(Code.INTERNAL_ERROR, "The server failed to carry this out")
        try:
            # With nothing in it that the client said unchecked, which may be what fails.
            self._refuse(work, queued, failed, _universe_of(queued.command))
        finally:
            self._next(work)

    def _is_overdue(self, queued: Queued) -> bool:
        return queued.deadline_s <= self._clock.monotonic()


def _universe_of(command: QueuedCommand) -> str | None:
    return command.universe_id if isinstance(command, RoomCommand) else None
