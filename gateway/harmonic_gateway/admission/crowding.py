"""How many connections each user has at this gateway, and which one a newcomer replaces.

The earlier connection of a client that reconnects may still be counted, since its end was not
noticed yet. A client with a ``pid`` replaces it. For any other client, the user's connections are
all pinged, and the client waits until one does not answer.
"""

import asyncio
from dataclasses import dataclass, field

from harmonic_gateway import metrics as table
from harmonic_gateway.membership.session import Session
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.observability.metrics import Metrics

#: Connections of one user that may wait for another's room; others are refused at once.
MAX_WAITING_PER_USER = 8
#: A client that does not answer is gone so long after its ping's timeout, at the latest.
MARGIN_S = 1.0


@dataclass(slots=True)
class _User:
    """A user's sessions by connection, and how many streams it follows: both are connections."""

    here: dict[str, Session] = field(default_factory=dict)
    streams: int = 0
    waiting: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def connections(self) -> int:
        return len(self.here) + self.streams


class Crowding:
    """Counts the connections of all users, and bounds those of each."""

    def __init__(
        self, *, connections_per_user: int, ping_timeout_s: float, metrics: Metrics
    ) -> None:
        self._most = connections_per_user
        self._patience_s = ping_timeout_s + MARGIN_S
        self._users: dict[str, _User] = {}
        self._refusals = metrics.counter(table.USER_CONNECTION_REFUSALS)
        self._replaced = metrics.counter(table.USER_CONNECTIONS_REPLACED)

    async def admit(self, session: Session, pid: object) -> Refused | None:
        """Count a connection whose client names this ``pid``, or refuse it.

        Report every counted connection to :meth:`left` in the end.
        """
        user = await self._user_with_room(session.identity.user_id, pid)
        if isinstance(user, Refused):
            return user
        user.here[session.connection.id] = session
        return None

    async def admit_stream(self, user_id: str) -> Refused | None:
        """Count a stream of a user, or refuse it. Report its end to :meth:`stream_ended`."""
        user = await self._user_with_room(user_id)
        if isinstance(user, Refused):
            return user
        user.streams += 1
        return None

    def stream_ended(self, user_id: str) -> None:
        """A stream that was counted has ended."""
        user = self._users[user_id]
        user.streams -= 1
        user.news.set()
        self._forget(user_id, user)

    async def _user_with_room(self, user_id: str, pid: object = None) -> _User | Refused:
        """A user who may have one more connection, which must be counted in the same turn."""
        user = self._users.setdefault(user_id, _User())
        is_full = user.connections >= self._most and not self._replaces(user, pid)
        if is_full and not await self._find_room(user_id, user):
            self._refusals.inc()
            return refused(
                Code.RATE_LIMITED,
                f"A user has at most {self._most} connections",
                reason=Reason.CONNECTIONS,
                limit=self._most,
            )
        # Where the one that it replaces was the only one, the user had been forgotten.
        return self._users.setdefault(user_id, user)

    def take_in(self, session: Session) -> bool:
        """Count a connection that moved here; return whether its user may have it."""
        user = self._users.setdefault(session.identity.user_id, _User())
        user.here[session.connection.id] = session
        return user.connections <= self._most

    def left(self, session: Session) -> None:
        """A connection is gone. Further calls have no effect."""
        user_id = session.identity.user_id
        user = self._users.get(user_id)
        if user is None or user.here.pop(session.connection.id, None) is None:
            return
        user.news.set()
        self._forget(user_id, user)

    def ponged(self, session: Session) -> None:
        """A connection has shown that it is alive."""
        user = self._users.get(session.identity.user_id)
        if user is not None and user.waiting:
            user.news.set()

    def _replaces(self, user: _User, pid: object) -> bool:
        for earlier in user.here.values():
            if earlier.pid is not None and earlier.pid == pid:
                # Its last word would come after the first one of the connection that replaces it.
                earlier.replaced = True
                self._replaced.inc()
                self.left(earlier)
                earlier.connection.close()
                return True
        return False

    def _forget(self, user_id: str, user: _User) -> None:
        """Keep nothing of a user who has no connection and waits for none."""
        if not user.connections and not user.waiting and self._users.get(user_id) is user:
            del self._users[user_id]

    async def _find_room(self, user_id: str, user: _User) -> bool:
        """Wait until one of the user's connections is gone, or all are known to be alive."""
        if user.waiting >= MAX_WAITING_PER_USER:
            return False
        user.waiting += 1
        for session in user.here.values():
            session.connection.ping_now()
        try:
            async with asyncio.timeout(self._patience_s):
                while user.connections >= self._most:
                    if not any(each.connection.in_doubt for each in user.here.values()):
                        return False
                    user.news.clear()
                    await user.news.wait()
        except TimeoutError:
            return False
        finally:
            user.waiting -= 1
            self._forget(user_id, user)
        return True
