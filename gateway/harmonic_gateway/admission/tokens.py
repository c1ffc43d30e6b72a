"""The life of the tokens of connected clients: a warning, a refresh, an end.

An expired token ends its connection as a broken one, after a grace in which a newer token is still
accepted. A revoked token ends it at once, as a goodbye. In both cases the transport is closed, so
that official clients reconnect and ask for a token again.
"""

from collections.abc import Iterable, Mapping
from math import inf

from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.identity.standing import Standing
from harmonic_gateway.identity.verification import EXPIRED, REVOKED, denied
from harmonic_gateway.membership.session import Session
from harmonic_gateway.sockets import Ended
from harmonic_protocol.messages.connection import RefreshToken, TokenExpiring, TokenRefreshed
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Refused
from harmonic_runtime.process.clock import Clock

#: How often all sessions are looked at.
INTERVAL_S = 0.5
_OTHER_USER = denied("The token is of another user", Reason.INVALID)


class TokenWatch:
    """Watches the tokens of ``sessions``, those that are connected here."""

    def __init__(
        self,
        *,
        sessions: Mapping[str, Session],
        standing: Standing,
        answers: Answers,
        clock: Clock,
        warning_s: float,
        grace_s: float,
    ) -> None:
        self._sessions = sessions
        self._standing = standing
        self._answers = answers
        self._clock = clock
        self._warning_s = warning_s
        self._grace_s = grace_s
        #: Nobody's token comes near its end before, in Unix time.
        self._nothing_due_before_s = 0.0

    def look_at_times(self) -> None:
        """Warn clients whose tokens expire soon, and close those whose grace is over."""
        now_s = self._clock.now().timestamp()
        if now_s < self._nothing_due_before_s:
            return
        first_s = min((each.identity.expires_at_s for each in self._sessions.values()), default=inf)
        self._nothing_due_before_s = first_s - self._warning_s
        self._look(list(self._sessions.values()))

    def look_at_revocations(self) -> None:
        """Close every client whose token was revoked."""
        for session in list(self._sessions.values()):
            if self._standing.is_revoked(session.identity):
                self._end(session)

    def _end(self, session: Session) -> None:
        self._answers.refused(session.connection, None, REVOKED)
        session.connection.close(Ended.GOODBYE)

    def go_on(self, session: Session) -> None:
        """Check a client that moved here: its token may have been revoked meanwhile."""
        if self._standing.is_revoked(session.identity):
            self._end(session)
        else:
            self.begin(session)

    def begin(self, session: Session) -> None:
        """Check a new token, which may end before the next check of all tokens."""
        due_s = session.identity.expires_at_s - self._warning_s
        self._nothing_due_before_s = min(self._nothing_due_before_s, due_s)
        self._look([session])

    async def refresh(self, session: Session, command: RefreshToken) -> Refused | None:
        """Give a session a newer token of the same user, or say why not."""
        identity = await self._standing.identify(command.token)
        if isinstance(identity, Refused):
            return identity
        if identity.user_id != session.identity.user_id:
            return _OTHER_USER
        session.identity = identity
        session.warned = False
        refreshed = TokenRefreshed(expires_at=identity.expires_at)
        session.connection.send(encode_event(refreshed, TokenRefreshed.spec.name))
        self.begin(session)
        return None

    def _look(self, sessions: Iterable[Session]) -> None:
        now_s = self._clock.now().timestamp()
        for session in sessions:
            left_s = session.identity.expires_at_s - now_s
            if left_s > self._warning_s:
                continue
            if left_s <= -self._grace_s:
                self._answers.refused(session.connection, None, EXPIRED)
                session.connection.close(Ended.BROKEN)
            elif not session.warned and left_s > 0:
                session.warned = True
                warning = TokenExpiring(expires_at=session.identity.expires_at)
                session.connection.send(encode_event(warning, TokenExpiring.spec.name))
