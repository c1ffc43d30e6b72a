"""Accepts clients' events: checks and counts them, and queues them behind earlier ones."""

from collections.abc import Mapping

from harmonic_gateway import metrics as table
from harmonic_gateway.commands.inbound import read_command, text_field
from harmonic_gateway.commands.mailbox import Mailbox, MailboxLimits, Queued, QueuedCommand
from harmonic_gateway.commands.worker import Worker
from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.identity.standing import Standing
from harmonic_gateway.limits.allowances import limited
from harmonic_gateway.limits.connection import COUNTED_COMMANDS
from harmonic_gateway.limits.costs import ARRIVAL_COST_S
from harmonic_gateway.limits.pace import UserBudgets
from harmonic_gateway.membership.session import Session
from harmonic_gateway.sockets import Connection, Received
from harmonic_protocol.catalogue import COMMANDS, SIGNALS
from harmonic_protocol.envelope import RequestTrace
from harmonic_protocol.messages.connection import RefreshToken, TimeSync, TimeSynced
from harmonic_protocol.messages.declaration import COUNTED_BYTES, LARGE_MESSAGE_BYTES, Command
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.transient import RETRY_AFTER_MS
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.tracing import Tracer

_MAX_ECHOED_CHARACTERS = 64
_REFUSED_ON_AND_ON = refused(
    Code.RATE_LIMITED,
    "So many messages were refused that the connection is closed",
    reason=Reason.REFUSALS,
    retryAfterMs=RETRY_AFTER_MS,
)


class Intake:
    """Checks an event and queues its command, or its refusal; never blocks.

    A connection has a mailbox from its first waiting command until its last one is done.
    """

    def __init__(
        self,
        *,
        worker: Worker,
        standing: Standing,
        answers: Answers,
        clock: SharedClock,
        tracer: Tracer,
        metrics: Metrics,
        limits: MailboxLimits,
        budgets: UserBudgets,
    ) -> None:
        self._budgets = budgets
        self._worker = worker
        self._standing = standing
        self._answers = answers
        self._clock = clock
        self._tracer = tracer
        self._limits = limits
        self._mailboxes: dict[Connection, Mailbox] = {}
        self._large = metrics.counter(table.LARGE_MESSAGES)
        self._full = metrics.counter(table.COMMAND_QUEUE_REFUSALS)
        self._floods = metrics.counter(table.FLOOD_REFUSALS)

    def begin(self, session: Session) -> None:
        """Note a new connection: charge it, and the cost of its messages, to its user as well."""
        pace = session.connection.pace
        pace.charge_to(self._budgets.of(session.identity.user_id))
        pace.took(ARRIVAL_COST_S, self._clock.monotonic())

    def exhausted(self, session: Session) -> None:
        """Tell a client why it is being closed."""
        self._answers.refused(session.connection, None, _REFUSED_ON_AND_ON)

    def take(self, session: Session, event: Received) -> None:
        """Accept an event of a client."""
        connection = session.connection
        arrived_at_s = self._clock.unix_s()
        if event.size_bytes > LARGE_MESSAGE_BYTES:
            self._large.inc()
        over = self._count(session, event, arrived_at_s)
        if over is not None:
            self._floods.inc()
            self._refuse(connection, event, over)
            return
        command = read_command(event.name, event.args, event.size_bytes, wide=event.wide)
        refusal = self._standing.refusal(session.identity)
        if refusal is not None and not isinstance(command, RefreshToken):
            self._refuse(connection, event, refusal)
        elif isinstance(command, TimeSync):
            # At once: the client would take time in the queue for time on the network.
            self._tell_time(connection, command, event.ack_id, arrived_at_s)
        else:
            self._queue(session, event, command, int(arrived_at_s * 1000))

    def _count(self, session: Session, event: Received, now_s: float) -> Refused | None:
        """Count an event, before it is read; live signals have a guard of their own."""
        if event.name not in SIGNALS:
            wait_s = session.connection.count(1 + event.size_bytes // COUNTED_BYTES)
            if wait_s:
                return limited(self._limits.flood, int(wait_s * 1000) + 1)
        if event.name not in COUNTED_COMMANDS:
            return None
        return session.rates.take(COMMANDS[event.name], event.size_bytes, now_s)

    def is_idle(self, connection: Connection) -> bool:
        """Whether no command of a connection is waiting or being carried out."""
        return connection not in self._mailboxes

    def hand_over(self, session: Session) -> dict[str, float]:
        """The state of a client's rate counters, for another gateway to continue with."""
        return session.rates.hand_over(self._clock.unix_s())

    def go_on(self, session: Session, rates: Mapping[str, float]) -> None:
        """Continue with another gateway's state of a client's rate counters."""
        session.rates.go_on(self._clock.unix_s(), rates)

    def forget(self, session: Session) -> None:
        """Drop the waiting commands of a connection that has ended."""
        mailbox = self._mailboxes.get(session.connection)
        if mailbox is not None:
            mailbox.clear()

    def _queue(
        self, session: Session, event: Received, command: QueuedCommand, received_ms: int
    ) -> None:
        connection = session.connection
        now_s = self._clock.monotonic()
        declared = command if isinstance(command, Command) else None
        span = self._tracer.begin(event.name, (declared and declared.traceparent) or "")
        trace = RequestTrace(received_ms, span.traceparent)
        queued = Queued(
            event.name,
            command,
            now_s + self._limits.time_s,
            event.ack_id,
            event.size_bytes,
            text_field(event.args, "universeId", _MAX_ECHOED_CHARACTERS),
            text_field(event.args, "opId", _MAX_ECHOED_CHARACTERS),
            now_s,
            trace,
            span,
        )
        working = self._mailboxes.get(connection)
        mailbox = Mailbox() if working is None else working
        if not mailbox.put(queued, self._limits):
            self._full.inc()
            self._refuse(connection, event, self._too_many())
        elif working is None:
            self._mailboxes[connection] = mailbox
            self._worker.start(session, mailbox, lambda: self._done(connection))

    def _done(self, connection: Connection) -> None:
        self._mailboxes.pop(connection, None)

    def _tell_time(
        self, connection: Connection, asked: TimeSync, ack_id: int | None, received_at_s: float
    ) -> None:
        if ack_id is None:
            return
        answer = TimeSynced(
            t0=asked.t0,
            t1=round(received_at_s * 1000, 3),
            t2=round(self._clock.unix_s() * 1000, 3),
            rtt_ms=connection.round_trip_ms,
        )
        connection.acknowledge(ack_id, answer.to_wire())

    def _too_many(self) -> Refused:
        return refused(
            Code.RATE_LIMITED,
            "Too many commands wait on this connection",
            reason=Reason.QUEUE_FULL,
            limit=self._limits.commands,
            windowMs=1000,
            retryAfterMs=RETRY_AFTER_MS,
        )

    def _refuse(self, connection: Connection, event: Received, refusal: Refused) -> None:
        self._answers.refused(
            connection,
            COMMANDS.get(event.name),
            refusal,
            event.ack_id,
            universe_id=text_field(event.args, "universeId", _MAX_ECHOED_CHARACTERS),
            op_id=text_field(event.args, "opId", _MAX_ECHOED_CHARACTERS),
        )
