"""Revoked tokens, known to every gateway within moments and across restarts.

A revocation is one message, stored in a stream and delivered at once to subscribers of its subject.
Revocations that were missed while the bus was unavailable are read from the stream.
"""

from collections.abc import Callable

from pydantic import ValidationError

from harmonic_gateway import metrics as table
from harmonic_gateway.identity.verification import Identity
from harmonic_protocol import subjects
from harmonic_protocol.operating import Revoked
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.following import Follower
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics


class Revocations:
    """The revocations of users and tokens, by the digest that ends their subject."""

    def __init__(self, bus: Bus, *, metrics: Metrics, log: BoundLogger) -> None:
        self._log = log
        self._malformed = metrics.counter(table.REVOCATIONS_MALFORMED)
        self._listeners: list[Callable[[], None]] = []
        self._revoked_s: dict[str, float] = {}
        self.follower = Follower(
            bus,
            subjects.REVOCATIONS_STREAM,
            subjects.REVOCATION_SUBJECTS,
            self._note,
            self._note_foreign,
        )

    def on_news(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each new revocation, in the same turn of the loop."""
        self._listeners.append(listener)

    def is_revoked(self, identity: Identity) -> bool:
        """Whether a token was revoked, itself or with all earlier tokens of its user."""
        if not self._revoked_s:
            return False
        at_s = self._revoked_s.get(subjects.revoked_user(identity.user_id))
        if at_s is not None and identity.issued_at_s <= at_s:
            return True
        return identity.jti is not None and (
            subjects.revoked_token(identity.jti) in self._revoked_s
        )

    def _note(self, subject: str, payload: bytes) -> None:
        try:
            at_s = Revoked.model_validate_json(payload).at
        except ValidationError:
            # Other revocations still count.
            self._skip("revocation_malformed", subject)
            return
        if self._revoked_s.get(subject, 0.0) < at_s:
            self._revoked_s[subject] = at_s
            for listener in self._listeners:
                listener()

    def _note_foreign(self, subject: str) -> None:
        # Not from an operator: the broker stores answers on any subject that a request names.
        self._skip("revocation_foreign", subject)

    def _skip(self, event: str, subject: str) -> None:
        self._malformed.inc()
        self._log.error(event, subject=subject)
