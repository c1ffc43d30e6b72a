"""Carries out the commands of each connection, one after the other.

Each step of a command is called with the outcome of the step before. A task is made only for an
outcome that has to be awaited, which is rare.
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
from harmonic_gateway.limits.costs import cost_of
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

#: Gives a session a newer token, or returns why not.
Refresh = Callable[[Session, RefreshToken], Coroutine[Any, Any, Refused | None]]
#: Returns why commands of a kind are not carried out for a session at the moment, if so.
Permission = Callable[[Session, type[Command]], Refused | None]


class _Work(NamedTuple):
    """The commands of one connection, one of which is being carried out."""

    session: Session
    mailbox: Mailbox
    done: Callable[[], None]


class Worker:
    """Carries out the commands of a mailbox, in order of arrival."""

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
        """Carry out all commands of a mailbox until it is empty; then call ``done``."""
        self._go_on(_Work(session, mailbox, done))

    def _go_on(self, work: "_Work") -> None:
        """Begin the next command. Its end calls this again."""
        queued = work.mailbox.take()
        if queued is None:
            work.done()
        else:
            self._step(work, queued, self._begin, None)

    # The steps of a command. Each is called with the outcome of the one before.

    def _begin(self, work: "_Work", queued: Queued, _: None) -> None:
        if self._is_overdue(queued):
            self._end(work, queued, OVERDUE)
            return
        declared = COMMANDS.get(queued.name)
        rate = declared.spec.rate if declared else None
        # An invalid command counts as well; one that is refused here does not.
        counted = partial(self._step, work, queued, self._counted)
        self._allowances.begin(work.session.identity.user_id, rate, counted)

    def _counted(self, work: "_Work", queued: Queued, over: Refused | None) -> None:
        command, session = queued.command, work.session
        if over is not None:
            self._end(work, queued, over)
        elif isinstance(command, Refused):
            self._end(work, queued, command)
        elif isinstance(command, RefreshToken):
            self._charge(session, command, queued)
            self._step(work, queued, self._refreshed, self._refresh(session, command))
        elif self._is_overdue(queued):
            # Counting may have taken the remaining time.
            self._end(work, queued, OVERDUE)
        elif (refusal := self._permission(session, type(command))) is not None:
            # It was allowed on arrival; that may have changed while it waited.
            self._end(work, queued, refusal)
        else:
            self._charge(session, command, queued)
            then = partial(self._step, work, queued, partial(self._carried_out, command))
            self._commands.begin(session, command, queued, then)

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
        """Begin the next command in a later turn of the loop: many may be refused in a row."""
        if work.mailbox:
            self._loop.call_soon(self._go_on, work)
        else:
            work.done()

    # The transitions between steps.

    def _step(
        self,
        work: "_Work",
        queued: Queued,
        step: Callable[["_Work", Queued, Any], None],
        outcome: Any,
    ) -> None:
        """Take a step with the outcome of the one before; a task awaits a coroutine first."""
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
            # Without the client's unvalidated fields: they may be the cause of the failure.
            self._refuse(work, queued, failed, _universe_of(queued.command))
        finally:
            self._next(work)

    def _charge(
        self, session: Session, command: StateCommand | LiveSignal | RefreshToken, queued: Queued
    ) -> None:
        """Charge the client what it costs to carry a command out."""
        cost, size_bytes = cost_of(command), queued.size_bytes
        session.connection.pace.caused(
            cost.once_s + cost.byte_s * size_bytes,
            cost.session_s + cost.session_byte_s * size_bytes,
            self._clock.monotonic(),
        )

    def _is_overdue(self, queued: Queued) -> bool:
        return queued.deadline_s <= self._clock.monotonic()


def _universe_of(command: QueuedCommand) -> str | None:
    return command.universe_id if isinstance(command, RoomCommand) else None
