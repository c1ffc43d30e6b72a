"""Records of connections for operators: counts, and a log line at the begin and end of each."""

import hashlib

from harmonic_gateway import metrics as table
from harmonic_gateway.failures import Failures
from harmonic_gateway.identity.proofs import derived_key
from harmonic_gateway.limits.dead_tokens import DeadTokens
from harmonic_gateway.membership.session import Session
from harmonic_gateway.metrics import CONNECT_OUTCOMES, NONE, OTHER
from harmonic_gateway.sockets import Connection, Ended
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import Clock

_PURPOSE = b"harmonic user"
_DIGEST_BYTES = 8


class ConnectionRecords:
    """Counts connects by their outcome, and logs connections.

    A log names a user by a digest with a key of the gateways. It is the same at all gateways, and
    does not reveal the user.
    """

    def __init__(
        self,
        secret: str,
        failures: Failures,
        clock: Clock,
        *,
        dead: DeadTokens,
        metrics: Metrics,
        log: BoundLogger,
    ) -> None:
        self._dead = dead
        self._sampled = SampledLog(log, clock)
        self._key = derived_key(secret, _PURPOSE)
        self._failures = failures
        self._clock = clock
        self._log = log
        self._connects = metrics.counters(table.CONNECTS)
        self._seconds = metrics.histogram(table.CONNECT_SECONDS)

    def accepted(self, session: Session, took_s: float) -> None:
        """A client was told that it is connected, so long after its CONNECT."""
        connection = session.connection
        session.connected_at_s = self._clock.monotonic()
        self._connects.of("accepted", NONE, connection.transport).inc()
        self._seconds.observe(took_s)
        self._log.info(
            "connection_opened",
            connection=connection.id,
            user=self._digest(session.identity.user_id),
            transport=connection.transport,
        )

    def ended(self, session: Session, ended: Ended) -> None:
        """A client that was connected is gone."""
        connection = session.connection
        self._log.info(
            "connection_closed",
            connection=connection.id,
            user=self._digest(session.identity.user_id),
            transport=connection.transport,
            lasted_s=round(self._clock.monotonic() - session.connected_at_s, 3),
            reason=connection.end_reason(ended).value,
        )

    def refused_before(self, token: str | None) -> Refused | None:
        """Why a token need not be verified, if it was refused again and again."""
        return self._dead.refusal(token, self._clock.monotonic())

    def verified(self, token: str | None, refusal: Refused) -> None:
        """A token was verified, and refused."""
        if refusal.code is Code.AUTH_ERROR:
            self._dead.note(token, refusal, self._clock.monotonic())

    def refused(self, transport: str, refusal: Refused, connection_id: str | None = None) -> None:
        """A client was refused for its token; it may have no connection id yet."""
        self._count("refused", refusal, transport)
        self._failures.count(refusal)
        self._sampled.info(
            "connection_refused",
            kind=f"{refusal.code.value} {refusal.details.get('reason')}",
            connection=connection_id,
            code=refusal.code.value,
            reason=refusal.details.get("reason"),
        )

    def turned_away(self, connection: Connection, refusal: Refused | None) -> None:
        """A client cannot be judged now: its transport is closed, and it tries again."""
        self._count("turned_away", refusal, connection.transport)
        reason = OTHER if refusal is None else refusal.details.get("reason", OTHER)
        self._sampled.info("connection_turned_away", kind=reason, reason=reason)

    def abandoned(self, connection: Connection) -> None:
        """A client was gone before CONNECT was answered."""
        self._connects.of("abandoned", NONE, connection.transport).inc()

    def _count(self, outcome: str, refusal: Refused | None, transport: str) -> None:
        reason = OTHER if refusal is None else refusal.details.get("reason", OTHER)
        known = reason if (outcome, reason) in CONNECT_OUTCOMES else OTHER
        self._connects.of(outcome, known, transport).inc()

    def _digest(self, user_id: str) -> str:
        return hashlib.blake2b(
            user_id.encode(), key=self._key, digest_size=_DIGEST_BYTES
        ).hexdigest()
