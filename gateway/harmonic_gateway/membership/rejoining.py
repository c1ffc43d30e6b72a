"""Asking again for the seats of members whose gateway was taken for dead while it lives.

Until the owner has given a seat back, its member is sent nothing, since it may not be allowed to
see the universe any more. What comes meanwhile is kept, and sent with the seat. A member that
was not allowed to see the universe for a time begins anew: it is sent nothing of that time.
"""

import asyncio

from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.places import Position
from harmonic_gateway.membership.joining import greet
from harmonic_gateway.membership.membership import Entry, Membership, Presence
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_protocol.internal import JoinResult, ResumeRoom
from harmonic_protocol.refusals import Code, Refused
from harmonic_runtime.process.lifecycle import Tasks

#: Seats that are asked for at the same time.
REJOINS_AT_ONCE = 32
#: How soon a seat is asked for again where the owner could not be asked.
PAUSE_S = 1.0


class Rejoining:
    """Takes memberships that lost their seats from a queue, and seats them again."""

    def __init__(
        self,
        *,
        unseated: asyncio.Queue[Membership],
        memberships: Memberships,
        rooms: Rooms,
        owners: Owners,
        answers: Answers,
        sessions: Sessions,
        tasks: Tasks,
    ) -> None:
        self._unseated = unseated
        self._memberships = memberships
        self._rooms = rooms
        self._owners = owners
        self._answers = answers
        self._sessions = sessions
        self._tasks = tasks
        self._turns = asyncio.Semaphore(REJOINS_AT_ONCE)

    async def keep_rejoining(self) -> None:
        """Seat again whoever lost its seat, for ever."""
        while True:
            membership = await self._unseated.get()
            self._tasks.start(self._rejoin(membership), name="rejoin")

    async def _rejoin(self, membership: Membership) -> None:
        while membership.stage is Presence.ENTERING and membership.rejoining:
            async with self._turns:
                is_answered = await self._ask(membership)
            if not is_answered:
                await asyncio.sleep(PAUSE_S)

    async def _ask(self, membership: Membership) -> bool:
        """Ask for the seat; whether the owner has answered."""
        universe_id, connection = membership.universe_id, membership.connection
        session = connection.session
        resume = ResumeRoom(
            universe_id=universe_id, mode=membership.mode or "view", replaces=connection.id
        )
        self._memberships.enter(connection, universe_id)
        reply = await self._owners.ask(universe_id, resume.operation(), resume, session.caller)
        refusal = reply.error
        if refusal is not None or reply.position is None:
            is_certain = refusal is not None and refusal.code is not Code.INTERNAL_ERROR
            is_told = is_certain and membership.rejoining
            self._rooms.refused(membership, frees_seat=is_certain)
            if refusal is not None and is_told:
                self._evict(membership, refusal)
            return is_certain
        result = JoinResult.model_validate(reply.result)
        self._rooms.live.located(result)
        if membership.rejoining and result.continued is False:
            self._memberships.begin_anew(membership)
        position = Position.of_record(reply.position, result.record)
        continued = membership.keeps_place and result.continued is True
        self._memberships.answered(membership, position, result.room.mode, continued=continued)
        greeting = greet(result, position)
        if membership.keeps_place or position < membership.as_of:
            # It was allowed to see the room all the time, or has seen a newer one already.
            greeting = []
        entry = self._rooms.admit(membership, greeting, position)
        has_ended = membership.stage is Presence.GONE and membership.refusal is None
        if entry is Entry.STALE or (entry is Entry.UNSEATED and has_ended):
            # Its client has to begin anew, and is brought up to date then.
            connection.close()
        return True

    def _evict(self, membership: Membership, refusal: Refused) -> None:
        connection = membership.connection
        self._answers.evicted(connection, refusal, membership.universe_id)
        remaining = list(self._memberships.of(connection).values())
        saving = self._sessions.save(connection.session, remaining)
        self._tasks.start(saving, name="save session")
