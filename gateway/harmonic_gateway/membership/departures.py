"""Carrying out what follows when connections are over; the decisions are in ``departure``."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from harmonic_gateway.membership.departure import Departure, Release, Save, Wait
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_protocol.internal import CloseConnection
from harmonic_runtime.process.lifecycle import Tasks


@dataclass(frozen=True, slots=True, eq=False)
class _Departed:
    session: Session
    memberships: list[Membership]
    clean: bool
    departure: Departure


class Departures:
    """Connections that are over and may still have seats."""

    def __init__(self, *, owners: Owners, sessions: Sessions, tasks: Tasks, grace_s: float) -> None:
        self._owners = owners
        self._sessions = sessions
        self._tasks = tasks
        self._grace_s = grace_s
        self._departed: dict[str, _Departed] = {}

    def depart(self, session: Session, memberships: list[Membership], *, clean: bool) -> None:
        """A connection with these memberships is over; ``clean`` if its client said goodbye."""
        seats = [each.universe_id for each in memberships if each.may_hold_seat]
        departure = Departure(seats, grace_s=0.0 if clean else self._grace_s)
        self._begin(_Departed(session, memberships, clean, departure))

    def supersede(self, connection_id: str, universe_id: str) -> None:
        """Another connection has taken a seat over: it is not released from here."""
        departed = self._departed.get(connection_id)
        if departed is not None:
            departed.session.replaced = True
            departed.departure.superseded(universe_id)

    def release(self, session: Session, universe_id: str) -> None:
        """A connection was granted a seat when it was over already."""
        departed = self._departed.get(session.connection.id)
        if departed is not None:
            departed.departure.seated(universe_id)
            return
        departure = Departure([universe_id], grace_s=0.0)
        departure.saved()
        self._begin(_Departed(session, [], clean=True, departure=departure))

    async def close(self, present: Iterable[tuple[Session, list[Membership]]]) -> None:
        """Leave everybody's session for another gateway.

        Their seats are not released: a client that reconnects in time takes its seat over, and
        the others leave when nothing has been heard of this gateway for a while.
        """
        departed = [(each.session, each.memberships) for each in self._departed.values()]
        async with asyncio.TaskGroup() as group:
            for session, memberships in [*present, *departed]:
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
                        session, departed.memberships, ended=True, said_goodbye=departed.clean
                    )
                    departure.saved()
                case Wait(seconds=seconds):
                    await asyncio.sleep(seconds)
                    departure.waited()
                case Release(universe_id=universe_id):
                    is_released = await self._release(session, universe_id)
                    departure.answered(universe_id, is_released=is_released)
                case _:
                    assert_never(step)
        if self._departed.get(session.connection.id) is departed:
            del self._departed[session.connection.id]

    async def _release(self, session: Session, universe_id: str) -> bool:
        request = CloseConnection(universe_id=universe_id)
        reply = await self._owners.ask(universe_id, request.operation(), request, session.caller)
        return reply.error is None
