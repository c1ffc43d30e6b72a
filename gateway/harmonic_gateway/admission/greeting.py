"""The first event of an accepted client: its user and its limits."""

from collections.abc import Mapping

from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.limits.allowances import Allowance, Allowances
from harmonic_gateway.membership.session import Session
from harmonic_gateway.settings import GatewaySettings
from harmonic_protocol.catalogue import LARGER_MESSAGES_BYTES
from harmonic_protocol.messages.connection import ConnectSuccess, Limits, RecoveryReport
from harmonic_protocol.messages.declaration import (
    MAX_MESSAGE_BYTES,
    MAX_MESSAGE_DEPTH,
    SIGNAL_BYTES_PER_S,
    RateClass,
)
from harmonic_protocol.reasons import RecoveryOutcome
from harmonic_runtime.process.clock import Clock, timestamp


class Greeting:
    """Sends ``connect_success``."""

    def __init__(self, settings: GatewaySettings, allowances: Allowances, clock: Clock) -> None:
        self._settings = settings
        self._allowances = allowances
        self._clock = clock
        self._told: tuple[Mapping[RateClass, Allowance], Limits] | None = None

    def send(self, session: Session, recovery: RecoveryReport) -> None:
        """Greet a client whose CONNECT was answered."""
        connection = session.connection
        now = timestamp(self._clock.now())
        greeting = ConnectSuccess(
            user_id=session.identity.user_id,
            timestamp=now,
            session_id=connection.id,
            recovered=recovery.outcome is RecoveryOutcome.RECOVERED,
            recovery=recovery,
            expires_at=session.identity.expires_at,
            server_time=now,
            limits=self._limits(),
            pid=session.pid,
        )
        connection.send(encode_event(greeting, ConnectSuccess.spec.name))

    def _limits(self) -> Limits:
        """The limits, the same for every client until an allowance changes."""
        allowed = self._allowances.allowances
        if self._told is None or self._told[0] is not allowed:
            self._told = allowed, self._limits_now()
        return self._told[1]

    def _limits_now(self) -> Limits:
        def per_minute(rate: RateClass) -> int:
            known = self._allowances.allowances.get(rate)
            return known.limit if known else rate.allowance

        return Limits(
            message_bytes=MAX_MESSAGE_BYTES,
            larger_message_bytes=dict(LARGER_MESSAGES_BYTES),
            message_depth=MAX_MESSAGE_DEPTH,
            connections=self._settings.connections_per_user,
            rooms=self._settings.rooms_per_connection,
            queued_commands=self._settings.queued_commands,
            parameters_per_minute=per_minute(RateClass.PARAMETERS),
            generations_per_minute=per_minute(RateClass.GENERATIONS),
            rooms_per_minute=per_minute(RateClass.ROOMS),
            signals_per_second=RateClass.SIGNALS.allowance // RateClass.SIGNALS.window_s,
            signals_burst=RateClass.SIGNALS.burst,
            signal_bytes_per_second=SIGNAL_BYTES_PER_S,
            events_per_second=self._settings.events_per_s,
        )
