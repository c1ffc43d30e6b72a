"""Finding the session that a client goes on with: what is read, and then planned."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harmonic_gateway.delivery.places import Place
from harmonic_gateway.identity.pids import Pids
from harmonic_gateway.membership.saved import Found
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.recovery.planning import (
    Ask,
    BeginAnew,
    Claim,
    InvalidClaim,
    Surroundings,
    TakeOver,
    choose,
    is_in_time,
    places_by_claim,
    places_by_heartbeat,
    said_places,
    with_acknowledged,
)
from harmonic_protocol.internal import ConnectionChecked
from harmonic_protocol.reasons import RecoveryReason
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.process.clock import Clock, milliseconds

#: How often a session is taken over that others save at the same time.
TAKE_ATTEMPTS = 3
#: How often, and how long apart, a session is read whose end is being saved.
END_ATTEMPTS, END_PAUSE_S = 20, 0.1


@dataclass(frozen=True, slots=True)
class Known:
    """A session that goes on, and from which places; ``None``: too long ago to say.

    With a ``pid``, its client proved that it is its own; ``found`` is ``None`` if it was in no
    room, so that there is nothing that it could have missed.
    """

    found: Found | None
    places: dict[str, Place] | None
    pid: str | None = None


class Finder:
    """Looks for sessions among those that are saved."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        pids: Pids,
        gateways: Directory,
        gateway_id: str,
        window_s: float,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._pids = pids
        self._gateways = gateways
        self._gateway_id = gateway_id
        self._window_ms = int(window_s * 1000)
        self._clock = clock

    async def by_pid(self, session: Session, claim: Claim) -> Known | BeginAnew:
        """The session whose ``pid`` a client says."""
        user_id = session.identity.user_id
        try:
            said = said_places(claim)
            if not isinstance(claim.pid, str) or not self._pids.is_good(claim.pid, user_id):
                return BeginAnew(RecoveryReason.NONE)
            found = await self._sessions.find(user_id, claim.pid)
            if found is None:
                return Known(None, {}, claim.pid) if not said else BeginAnew(RecoveryReason.WINDOW)
            places = places_by_claim(found.saved, said)
        except InvalidClaim:
            return BeginAnew(RecoveryReason.NONE)
        in_time = is_in_time(found.saved, self._now_ms(), self._window_ms)
        return Known(found, places if in_time else None, claim.pid)

    async def by_user(self, session: Session) -> TakeOver | Ask | BeginAnew:
        """The session of the same user and kind of client, without its ``pid``."""
        return await self._choose(
            await self._sessions.of_user(session.identity.user_id), session.fingerprint
        )

    async def take(self, found: Found) -> Known | None:
        """Take a broken session over, unless another client was faster."""
        taken = await self._sessions.take(found)
        return None if taken is None else Known(taken, places_by_heartbeat(taken.saved))

    async def _ended(self, asked: Found) -> None:
        """Wait until the end of a session is saved that its gateway does not know any more.

        If it takes too long, the gateway has not saved it, and never will.
        """
        for _ in range(END_ATTEMPTS):
            now = await self._sessions.read(asked.subject)
            if now is None or now.saved.ended_ms is not None or now.sequence != asked.sequence:
                return
            await asyncio.sleep(END_PAUSE_S)

    async def moved(self, asked: Found) -> Found | None:
        """A session that its gateway does not know any more, if it goes on at another one.

        Returns once its end is saved otherwise, or never will be; raise ``BusUnavailable``.
        """
        await self._ended(asked)
        now = await self._sessions.read(asked.subject)
        if now is None or now.saved.connection_id != asked.saved.connection_id:
            return None
        is_elsewhere = now.saved.gateway_id != asked.saved.gateway_id
        return now if is_elsewhere and now.saved.ended_ms is None else None

    async def take_broken(self, asked: Found, checked: ConnectionChecked) -> Known | None:
        """Take a session over whose connection turned out to be broken.

        Its gateway may save it at the same time, or its client come back with its ``pid``.
        """
        for _ in range(TAKE_ATTEMPTS):
            now = await self._sessions.read(asked.subject)
            if now is None or now.saved.connection_id != asked.saved.connection_id:
                return None
            if now.saved.taken_over or now.saved.said_goodbye or not now.saved.rooms:
                return None
            saved = with_acknowledged(now.saved, checked)
            known = await self.take(replace(now, saved=saved))
            if known is not None:
                return known
        return None

    async def give_back(self, known: Known) -> None:
        """A session that was taken over could not be continued now: it is to be found again."""
        if known.pid is None and known.found is not None:
            await self._sessions.give_back(known.found)

    async def _choose(
        self, sessions: Iterable[Found], fingerprint: str
    ) -> TakeOver | Ask | BeginAnew:
        found = list(sessions)
        alive = self._gateways.live() | {self._gateway_id}
        has_orphans = any(
            each.saved.ended_ms is None and each.saved.gateway_id not in alive for each in found
        )
        signs = await self._sessions.last_signs() if has_orphans else {}
        around = Surroundings(alive, signs, self._now_ms(), self._window_ms)
        return choose(found, fingerprint, around)

    def _now_ms(self) -> int:
        return milliseconds(self._clock.now())
