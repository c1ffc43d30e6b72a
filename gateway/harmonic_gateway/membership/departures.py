"""What is left when clients go: seats for as long as they may come back, sessions for longer."""

import asyncio

from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_gateway.sockets import Ended
from harmonic_protocol.internal import CloseConnection
from harmonic_runtime.process.lifecycle import Tasks

#: How often, and how long apart, an owner is told of a connection that is gone.
FAREWELL_ATTEMPTS = 10
FAREWELL_PAUSE_S = 1.0


class Departures:
    """Sees clients off: at once if they said goodbye, else after a grace."""

    def __init__(
        self, *, owners: Owners, rooms: Rooms, saved: Sessions, tasks: Tasks, grace_s: float
    ) -> None:
        self._owners = owners
        self._rooms = rooms
        self._saved = saved
        self._tasks = tasks
        self._grace_s = grace_s
        self._departed: dict[str, Session] = {}

    def depart(self, session: Session, ended: Ended) -> None:
        """A client is gone."""
        self._departed[session.connection.id] = session
        self._tasks.start(self._see_off(session, ended), name="see off")

    def make_way(self, connection_id: str) -> None:
        """The client is back elsewhere: its seats are not given up here any more."""
        session = self._departed.pop(connection_id, None)
        if session is not None:
            session.replaced = True
            session.seats.clear()

    async def close(self, present: list[Session]) -> None:
        """Leave everybody's session for another gateway.

        Their seats are not given up: who comes back in time takes it, and the others leave when
        nothing has been heard of this gateway for a while.
        """
        async with asyncio.TaskGroup() as group:
            for session in [*present, *self._departed.values()]:
                group.create_task(self._saved.save(session, ended=True))

    async def _see_off(self, session: Session, ended: Ended) -> None:
        said_goodbye = ended is Ended.GOODBYE
        for universe_id in list(session.rooms):
            self._rooms.drop(universe_id, session.connection)
        await self._saved.save(session, ended=True, said_goodbye=said_goodbye)
        await asyncio.sleep(0 if said_goodbye else self._grace_s)
        if session.connection.id in self._departed:
            await self._farewell(session)

    async def _farewell(self, session: Session) -> None:
        """Tell the owners of the universes where it may have a seat that it is gone."""
        for attempt in range(FAREWELL_ATTEMPTS):
            if attempt:
                await asyncio.sleep(FAREWELL_PAUSE_S)
            for universe_id in list(session.seats):
                request = CloseConnection(universe_id=universe_id)
                reply = await self._owners.ask(
                    universe_id, request.operation(), request, session.caller
                )
                if reply.error is None:
                    session.seats.discard(universe_id)
            if not session.seats:
                break
        self._departed.pop(session.connection.id, None)
