"""Composes the parts that accept clients' commands and carry them out."""

from harmonic_gateway.commands.execution import CancelReturn, Commands
from harmonic_gateway.commands.intake import Intake
from harmonic_gateway.commands.mailbox import MailboxLimits
from harmonic_gateway.commands.worker import Refresh, Worker
from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.identity.standing import Standing
from harmonic_gateway.limits.allowances import Allowances
from harmonic_gateway.limits.pace import UserBudgets
from harmonic_gateway.limits.switches import Switches
from harmonic_gateway.membership.joining import Joining
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.owners import Owners
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.tracing import Tracer
from harmonic_runtime.process.lifecycle import Tasks


def open_intake(
    bus: Bus,
    limits: MailboxLimits,
    budgets: UserBudgets,
    *,
    joining: Joining,
    memberships: Memberships,
    rooms: Rooms,
    owners: Owners,
    cancel_return: CancelReturn,
    refresh: Refresh,
    standing: Standing,
    switches: Switches,
    allowances: Allowances,
    answers: Answers,
    tasks: Tasks,
    clock: SharedClock,
    tracer: Tracer,
    metrics: Metrics,
    log: BoundLogger,
) -> Intake:
    """Compose intake, worker and execution; return the intake."""
    commands = Commands(
        bus=bus,
        owners=owners,
        memberships=memberships,
        rooms=rooms,
        joining=joining,
        cancel_return=cancel_return,
        answers=answers,
        clock=clock,
    )
    worker = Worker(
        commands=commands,
        refresh=refresh,
        permission=lambda session, command: (
            standing.refusal(session.identity) or switches.refusal(command)
        ),
        allowances=allowances,
        answers=answers,
        tasks=tasks,
        clock=clock,
        log=log,
    )
    return Intake(
        worker=worker,
        standing=standing,
        answers=answers,
        clock=clock,
        tracer=tracer,
        metrics=metrics,
        limits=limits,
        budgets=budgets,
    )
