"""What is kept of sessions, so that any gateway can go on with them.

A session is saved when its rooms change and when it ends, not while it lives on. The newest
gateway's word counts: one that was replaced notices that its last word is not the latest.
"""

import asyncio
from collections.abc import Collection

from pydantic import ValidationError

from harmonic_gateway import metrics as table
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.saved import Found
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.summaries import acknowledged, marks, saved_rooms
from harmonic_protocol import subjects
from harmonic_protocol.internal import GatewaySign, SavedSession
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.streams import (
    MAX_SUBJECTS,
    Stored,
    StreamFull,
    Streams,
    TooManySubjects,
    WrongSequence,
)
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import Clock, milliseconds

SAVE_TIMEOUT_S = 2.0
SAVE_ATTEMPTS = 3
#: How exactly it is known when a gateway that died was alive for the last time.
SIGN_INTERVAL_S = 10.0


class Sessions:
    """Saving and finding sessions."""

    def __init__(
        self, streams: Streams, *, clock: Clock, metrics: Metrics, log: SampledLog
    ) -> None:
        self._streams = streams
        self._clock = clock
        self._log = log
        self._saves = metrics.counters(table.SESSION_SAVES)

    async def save(
        self,
        session: Session,
        memberships: Collection[Membership],
        *,
        ended: bool = False,
        said_goodbye: bool = False,
    ) -> None:
        """Save a session with its memberships; one that cannot be saved cannot be resumed.

        One that was in no room since it began has nothing to be resumed.
        """
        async with session.saving:
            saved = self._state(session, memberships, ended=ended, said_goodbye=said_goodbye)
            if saved is None:
                return
            session.is_saved = True
            await self._store(session, saved)

    def _state(
        self,
        session: Session,
        memberships: Collection[Membership],
        *,
        ended: bool,
        said_goodbye: bool,
    ) -> SavedSession | None:
        """What is to be saved of a session now, if anything is."""
        rooms = saved_rooms(memberships)
        if session.pid is None or session.replaced or not (rooms or session.is_saved):
            return None
        now_ms = milliseconds(self._clock.now())
        places = acknowledged(memberships)
        return SavedSession(
            connection_id=session.connection.id,
            gateway_id=session.gateway_id,
            rooms=rooms,
            acknowledged=places,
            marks=marks(places),
            saved_ms=now_ms,
            ended_ms=now_ms if ended else None,
            said_goodbye=said_goodbye,
            fingerprint=session.fingerprint,
        )

    async def _store(self, session: Session, saved: SavedSession) -> None:
        subject = subjects.session(session.identity.user_id, session.pid or "")
        for _ in range(SAVE_ATTEMPTS):
            try:
                session.saved_at = await self._streams.append(
                    subject,
                    saved.to_json(),
                    expected_last_subject_sequence=session.saved_at,
                    timeout_s=SAVE_TIMEOUT_S,
                )
            except WrongSequence:
                self._saves.of("replaced").inc()
                session.replaced = True
                return
            except (BusUnavailable, StreamFull):
                self._saves.of("failed").inc()
                # Whether it was stored is open: then the next word must not depend on it.
                session.saved_at = None
            else:
                self._saves.of("saved").inc()
                return
        self._log.warning("session_not_saved", connection=session.connection.id)

    async def find(self, user_id: str, pid: str) -> Found | None:
        """A user's session by its secret."""
        return await self.read(subjects.session(user_id, pid))

    async def read(self, subject: str) -> Found | None:
        """The session as it is saved now."""
        return self._read(await self._streams.last(subjects.SESSIONS_STREAM, subject))

    async def of_user(self, user_id: str) -> list[Found]:
        """A user's sessions, in the order in which they were saved.

        There are none for a user with more of them than the broker looks for at once.
        """
        try:
            stored = await self._streams.latest(
                subjects.SESSIONS_STREAM, subjects.sessions_of(user_id), limit=MAX_SUBJECTS
            )
        except TooManySubjects:
            self._log.info("too_many_sessions", most=MAX_SUBJECTS)
            return []
        return [found for found in map(self._read, stored) if found is not None]

    async def keep_signing(self, gateway_id: str) -> None:
        """Store signs of life of a gateway until cancelled."""
        while True:
            await self.sign(gateway_id)
            await asyncio.sleep(SIGN_INTERVAL_S)

    async def sign(self, gateway_id: str) -> None:
        """Store that the gateway is alive now; not to be told is no more than a worse guess."""
        sign = GatewaySign(alive_ms=milliseconds(self._clock.now()))
        try:
            await self._streams.append(
                subjects.gateway_sign(gateway_id), sign.to_json(), timeout_s=SAVE_TIMEOUT_S
            )
        except (BusUnavailable, StreamFull) as error:
            self._saves.of("sign_failed").inc()
            self._log.warning("sign_of_life_not_stored", reason=str(error))

    async def last_signs(self) -> dict[str, int]:
        """When gateways were alive for the last time, in Unix time, as far as that is stored."""
        try:
            stored = await self._streams.latest(
                subjects.SESSIONS_STREAM, subjects.gateway_signs(), limit=MAX_SUBJECTS
            )
        except TooManySubjects:
            self._log.warning("too_many_signs_of_life", most=MAX_SUBJECTS)
            return {}
        signs: dict[str, int] = {}
        for each in stored:
            try:
                sign = GatewaySign.model_validate_json(each.payload)
            except ValidationError:
                self._skip(each)
            else:
                signs[each.subject.rpartition(".")[2]] = sign.alive_ms
        return signs

    async def take(self, found: Found) -> Found | None:
        """Make a broken session another client's, unless somebody else was faster."""
        return await self._replace(found, taken_over=True)

    async def give_back(self, taken: Found) -> None:
        """The client that took the session could not be given its rooms."""
        try:
            given_back = await self._replace(taken, taken_over=False)
        except BusUnavailable:
            given_back = None
        if given_back is None:
            self._saves.of("lost").inc()
            self._log.warning("session_not_given_back", connection=taken.saved.connection_id)

    async def _replace(self, found: Found, *, taken_over: bool) -> Found | None:
        saved = found.saved.model_copy(update={"taken_over": taken_over})
        try:
            sequence = await self._streams.append(
                found.subject,
                saved.to_json(),
                expected_last_subject_sequence=found.sequence,
                timeout_s=SAVE_TIMEOUT_S,
            )
        except (WrongSequence, StreamFull):
            return None
        return Found(saved, found.subject, sequence)

    def _read(self, stored: Stored | None) -> Found | None:
        if stored is None:
            return None
        try:
            saved = SavedSession.model_validate_json(stored.payload)
        except ValidationError:
            self._skip(stored)
            return None
        return Found(saved, stored.subject, stored.sequence)

    def _skip(self, stored: Stored) -> None:
        """What cannot be read is passed over: its client begins anew."""
        self._saves.of("unreadable").inc()
        # The subject would name a user's secret.
        self._log.error("session_unreadable", sequence=stored.sequence)
