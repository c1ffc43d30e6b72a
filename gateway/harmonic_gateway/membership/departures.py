"""Ends connections: the driver of ``departure``."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from harmonic_gateway.membership.departure import Departure, Release, Save, Wait
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_gateway.sockets import Ended
from harmonic_protocol.internal import CloseConnection
from harmonic_runtime.process.lifecycle import Tasks


@dataclass(frozen=True, slots=True, eq=False)
class _Departed:
    session: Session
    memberships: list[Membership]
    ended: Ended
    departure: Departure


class Departures:
    """Connections that are over and may still have seats."""

    def __init__(
        self,
        *,
        memberships: Memberships,
        rooms: Rooms,
        owners: Owners,
        sessions: Sessions,
        tasks: Tasks,
        grace_s: float,
    ) -> None:
        self._memberships = memberships
        self._rooms = rooms
        self._owners = owners
        self._sessions = sessions
        self._tasks = tasks
        self._grace_s = grace_s
        self._departed: dict[str, _Departed] = {}

    def depart(self, session: Session, ended: Ended) -> None:
        """A connection is over."""
        grace_s = 0.0 if ended is Ended.GOODBYE else self._grace_s
        memberships = self._rooms.depart(session.connection, may_return=grace_s > 0)
        departure = Departure(memberships, grace_s=grace_s)
        self._begin(_Departed(session, memberships, ended, departure))

    def seated(self, session: Session, membership: Membership) -> None:
        """A connection was granted a seat after its end."""
        departed = self._departed.get(session.connection.id)
        if departed is not None:
            departed.departure.seated(membership)
            return
        departure = Departure([membership], grace_s=0.0)
        departure.saved()
        self._begin(_Departed(session, [membership], Ended.GOODBYE, departure))

    def moved(self, session: Session) -> None:
        """A connection moved to another gateway, with its seats."""
        self._memberships.forget(session.connection)

    def give_back(self, session: Session) -> None:
        """A connection could not be taken over from another gateway, which reports its end.

        Seats that were taken for it are kept for the grace: its client will take them over.
        """
        memberships = self._rooms.depart(session.connection)
        departure = Departure(memberships, grace_s=self._grace_s)
        departure.saved()
        self._begin(_Departed(session, memberships, Ended.BROKEN, departure))

    async def close(self, present: Iterable[Session]) -> None:
        """Save the sessions of those present, and of those just departed, for other gateways.

        Their seats are not released: a client that reconnects in time takes its seat over, and
        the others leave when nothing has been heard of this gateway for a while.
        """
        remaining = [
            (session, list(self._memberships.of(session.connection).values()))
            for session in present
        ]
        remaining += [
            (each.session, each.memberships)
            for each in self._departed.values()
            if not each.departure.is_saved
        ]
        async with asyncio.TaskGroup() as group:
            for session, memberships in remaining:
                group.create_task(self._sessions.save(session, memberships, ended=True))

    def _begin(self, departed: _Departed) -> None:
        self._departed[departed.session.connection.id] = departed
        self._tasks.start(self._carry_out(departed), name="departure")

    async def _carry_out(self, departed: _Departed) -> None:
        session, departure = departed.session, departed.departure
        while (step := departure.next()) is not None:
            match step:
                case Save():
                    await self._sessions.save(
                        session,
                        departed.memberships,
                        ended=True,
                        said_goodbye=departed.ended is Ended.GOODBYE,
                    )
                    departure.saved()
                case Wait(seconds=seconds):
                    await asyncio.sleep(seconds)
                    departure.waited()
                case Release(membership=membership):
                    departure.asked(membership)
                    if await self._release(session, membership.universe_id):
                        self._memberships.released(membership)
                case _:
                    assert_never(step)
        if self._departed.get(session.connection.id) is departed:
            del self._departed[session.connection.id]
            self._memberships.forget(session.connection)

    async def _release(self, session: Session, universe_id: str) -> bool:
        request = CloseConnection(universe_id=universe_id)
        reply = await self._owners.ask(universe_id, request.operation(), request, session.caller)
        return reply.error is None
