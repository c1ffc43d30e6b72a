"""Exact recovery of a client whose connection broke.

Everything that may fail is done before the connection is accepted: finding the session, taking
the seats, reading the missed events. What follows the acceptance happens in one turn of the loop.
Where it is not known yet whether an earlier connection is broken, the client is accepted first.
"""

import asyncio
from dataclasses import dataclass
from functools import lru_cache

from harmonic_gateway import metrics as table
from harmonic_gateway.limits.guards import Guards
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.saved import Found
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.summaries import acknowledged
from harmonic_gateway.metrics import NONE
from harmonic_gateway.recovery.finding import Finder, Known
from harmonic_gateway.recovery.keeping import PlacesToKeep
from harmonic_gateway.recovery.liveness import LivenessChecks
from harmonic_gateway.recovery.pending import PendingReturns
from harmonic_gateway.recovery.planning import Ask, BeginAnew, Claim, TakeOver
from harmonic_gateway.recovery.returning import OffsetRefused, Return, RoomReturns
from harmonic_gateway.sockets import Connection, Ended
from harmonic_protocol.messages.connection import RecoveryReport
from harmonic_protocol.reasons import RecoveryOutcome, RecoveryReason
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock

#: Clients whose place is looked up at a time. All at once, thousands would keep owners so busy that
#: each question is given up, asked again, and answered in vain.
PREPARED_AT_ONCE = 32
#: So many may wait for that; others are asked to come later.
MAX_WAITING_CLIENTS = 512
#: Returns of one user per second at one gateway, and at once: each may have thousands of records
#: read and sent again, so that one who does nothing else would keep everybody waiting.
RETURNS_PER_SECOND, RETURNS_BURST = 1.0, 60


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a client is told about its earlier session, and what it is sent once it is accepted.

    ``asked`` are the sessions whose connections may be broken.
    """

    report: RecoveryReport
    returning: Return | None = None
    asked: tuple[Found, ...] = ()

    @property
    def pid(self) -> str | None:
        """The secret that the client keeps, if its session goes on."""
        return self.returning.pid if self.returning is not None else None


class ReturnsTooOften(BusUnavailable):
    """A user's return is put off: nothing has failed, and it has a counter of its own."""


@lru_cache(len(RecoveryReason))
def _anew(reason: RecoveryReason) -> Prepared:
    return Prepared(RecoveryReport(outcome=RecoveryOutcome.NEW, reason=reason))


#: Of a client whose earlier session was not looked for.
NOTHING = _anew(RecoveryReason.NONE)


class Recovery:
    """Finds a client's earlier session, and restores it."""

    def __init__(
        self,
        *,
        finder: Finder,
        returns: RoomReturns,
        pending: PendingReturns,
        checks: LivenessChecks,
        memberships: Memberships,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._finder = finder
        self._returns = returns
        self._pending = pending
        self._checks = checks
        self._memberships = memberships
        self._clock = clock
        self._places = PlacesToKeep()
        self._turns = asyncio.Semaphore(PREPARED_AT_ONCE)
        self._waiting = 0
        metrics.gauge_from(table.WAITING_CLIENTS, lambda: self._waiting)
        self._outcomes = metrics.counters(table.RECOVERIES)
        self._failed = self._outcomes.of("failed", NONE)
        self._seconds = metrics.histogram(table.RECOVERY_SECONDS)
        self._guards = Guards(
            RETURNS_PER_SECOND,
            RETURNS_BURST,
            metrics.counter(table.RETURN_REFUSALS),
        )

    @property
    def is_busy(self) -> bool:
        """Whether the queue of waiting clients is full."""
        return self._waiting >= MAX_WAITING_CLIENTS

    async def prepare(self, session: Session, claim: Claim) -> Prepared:
        """Decide what happens to a client's earlier session; clients take turns.

        Raise :class:`BusUnavailable` if that is unknown now: the client will try again.
        """
        if claim.declines:
            return _anew(RecoveryReason.DECLINED)
        self._waiting += 1
        try:
            async with self._turns:
                if session.connection.is_closed():
                    raise BusUnavailable("nobody waits for it any more")
                return await self._resume(session, claim)
        finally:
            self._waiting -= 1

    async def _resume(self, session: Session, claim: Claim) -> Prepared:
        began_s = self._clock.monotonic()
        try:
            plan = (
                await self._finder.by_pid(session, claim)
                if claim.says_pid
                else await self._finder.by_user(session)
            )
            prepared = await self._carry_out(session, plan)
        except ReturnsTooOften:
            raise
        except BusUnavailable:
            self._failed.inc()
            raise
        if prepared.returning is not None:
            self._seconds.observe(self._clock.monotonic() - began_s)
        return prepared

    def complete(self, session: Session, prepared: Prepared) -> None:
        """Send an accepted client its missed events, in the turn in which it is accepted."""
        report = prepared.report
        reason = NONE if report.reason is None else report.reason.value
        self._outcomes.of(report.outcome.value, reason).inc()
        if prepared.returning is not None:
            self._returns.complete(session, prepared.returning)
        if prepared.asked:
            self._pending.begin(session, prepared.asked)

    def abandon(self, prepared: Prepared) -> None:
        """The client is not accepted: release its seats by its departure."""
        if prepared.returning is not None:
            self._returns.abandon(prepared.returning)

    def pinged(self, connection: Connection) -> None:
        """Record what the client will have received once it answers this ping."""
        self._memberships.mark_sent(connection)

    def ponged(self, connection: Connection) -> None:
        """Record that the client has everything that was sent before this ping."""
        self._memberships.acknowledge(connection)
        self._checks.ponged(connection)

        def places() -> dict[str, int]:
            return acknowledged(self._memberships.of(connection).values())

        if self._places.is_due(connection.id, places, self._clock.monotonic()):
            self._returns.keep(connection.session)

    def handed_over(self, session: Session) -> None:
        """The client moved to another gateway, which answers questions about it from now on."""
        self._checks.moved(session.connection.id)
        self._places.forget(session.connection.id)

    def taken_over(self, session: Session) -> None:
        """The client moved here: save it, so that others find its session here."""
        self._returns.keep(session)

    def ended(self, session: Session, ended: Ended) -> None:
        """The client's connection is over; its memberships are as they were."""
        places = acknowledged(self._memberships.of(session.connection).values())
        self._checks.ended(session.connection.id, ended, places)
        self._pending.give_up(session)
        self._returns.ended(session)
        self._places.forget(session.connection.id)

    async def _carry_out(
        self, session: Session, plan: Known | TakeOver | Ask | BeginAnew
    ) -> Prepared:
        match plan:
            case BeginAnew(reason=reason):
                return _anew(reason)
            case Ask(found=asked):
                pending = RecoveryReport(
                    outcome=RecoveryOutcome.PENDING, reason=RecoveryReason.PENDING
                )
                return Prepared(pending, asked=asked)
            case TakeOver(found=found):
                self._guard(session)
                taken = await self._finder.take(found)
                # Else another client of the user was faster.
                return await self._go_on(session, taken) if taken else _anew(RecoveryReason.NONE)
            case Known():
                self._guard(session)
                if plan.found is not None:
                    session.saved_at, session.is_saved = plan.found.sequence, True
                return await self._go_on(session, plan)

    async def _go_on(self, session: Session, known: Known) -> Prepared:
        try:
            returning = await self._returns.prepare(session, known)
        except OffsetRefused:
            _begin_anew(session)
            return _anew(RecoveryReason.TRIMMED)
        except BaseException:
            await self._finder.give_back(known)
            raise
        if returning.pid is None:
            _begin_anew(session)
        reason = returning.reason
        outcome = RecoveryOutcome.RECOVERED if reason is None else RecoveryOutcome.NEW
        return Prepared(RecoveryReport(outcome=outcome, reason=reason), returning)

    def _guard(self, session: Session) -> None:
        if self._guards.take(session.identity.user_id, self._clock.monotonic()):
            raise ReturnsTooOften("the user returns too often")


def _begin_anew(session: Session) -> None:
    """Give the session a new ``pid``, under which nothing is saved yet."""
    session.saved_at, session.is_saved = None, False
