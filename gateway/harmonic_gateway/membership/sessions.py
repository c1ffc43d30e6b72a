"""What is kept of sessions, so that any gateway can go on with them.

A session is saved when its rooms change and when it ends, not while it lives on. The newest
gateway's word counts: one that was replaced notices that its last word is not the latest.
"""

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import ValidationError

from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.memberships import acknowledged, saved_rooms
from harmonic_gateway.membership.session import Session
from harmonic_protocol import subjects
from harmonic_protocol.internal import SavedSession
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import Stored, StreamFull, Streams, WrongSequence
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.clock import Clock, milliseconds

SAVE_TIMEOUT_S = 2.0
SAVE_ATTEMPTS = 3
#: Sessions of one user that are looked at to find the one that was orphaned last.
MAX_SESSIONS_PER_USER = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A saved session, and where it stands in its stream."""

    saved: SavedSession
    subject: str
    sequence: int


class Sessions:
    """Saving and finding sessions."""

    def __init__(
        self, streams: Streams, *, clock: Clock, metrics: Metrics, log: BoundLogger
    ) -> None:
        self._streams = streams
        self._clock = clock
        self._log = log
        self._saves = metrics.counter("session_saves", "sessions saved", ["outcome"])

    async def save(
        self,
        session: Session,
        memberships: Collection[Membership],
        *,
        ended: bool = False,
        said_goodbye: bool = False,
    ) -> None:
        """Save a session with its memberships; one that cannot be saved cannot be resumed."""
        if session.pid is None or session.replaced:
            return
        now_ms = milliseconds(self._clock.now())
        saved = SavedSession(
            connection_id=session.connection.id,
            gateway_id=session.gateway_id,
            rooms=saved_rooms(memberships),
            acknowledged=acknowledged(memberships),
            saved_ms=now_ms,
            ended_ms=now_ms if ended else None,
            said_goodbye=said_goodbye,
        )
        subject = subjects.session(session.identity.user_id, session.pid)
        for _ in range(SAVE_ATTEMPTS):
            try:
                session.saved_at = await self._streams.append(
                    subject,
                    saved.to_json(),
                    expected_last_subject_sequence=session.saved_at,
                    timeout_s=SAVE_TIMEOUT_S,
                )
            except WrongSequence:
                self._saves.labels("replaced").inc()
                session.replaced = True
                return
            except (BusUnavailable, StreamFull):
                self._saves.labels("failed").inc()
                # Whether it was stored is open: then the next word must not depend on it.
                session.saved_at = None
            else:
                self._saves.labels("saved").inc()
                return
        self._log.warning("session_not_saved", connection=session.connection.id)

    async def find(self, user_id: str, pid: str) -> Found | None:
        """A user's session by its secret."""
        subject = subjects.session(user_id, pid)
        return _read(await self._streams.last(subjects.SESSIONS_STREAM, subject))

    async def orphan(self, user_id: str, alive: frozenset[str], window_ms: int) -> Found | None:
        """The user's session that ended last, by itself or with its gateway, within a time."""
        stored = await self._streams.latest(
            subjects.SESSIONS_STREAM, subjects.sessions_of(user_id), limit=MAX_SESSIONS_PER_USER
        )
        now_ms = milliseconds(self._clock.now())
        for found in filter(None, map(_read, reversed(stored))):
            saved = found.saved
            ended_ms = saved.ended_ms
            if ended_ms is None and saved.gateway_id not in alive:
                ended_ms = saved.saved_ms
            if ended_ms is None or saved.said_goodbye or saved.taken_over or not saved.rooms:
                continue
            if saved.ended_ms is None or now_ms - ended_ms <= window_ms:
                return found
        return None

    async def take(self, found: Found) -> bool:
        """Make an orphaned session one's own, unless somebody else was faster."""
        taken = found.saved.model_copy(update={"taken_over": True})
        try:
            await self._streams.append(
                found.subject,
                taken.to_json(),
                expected_last_subject_sequence=found.sequence,
                timeout_s=SAVE_TIMEOUT_S,
            )
        except (WrongSequence, StreamFull):
            return False
        return True


def _read(stored: Stored | None) -> Found | None:
    if stored is None:
        return None
    try:
        saved = SavedSession.model_validate_json(stored.payload)
    except ValidationError:
        return None
    return Found(saved, stored.subject, stored.sequence)
