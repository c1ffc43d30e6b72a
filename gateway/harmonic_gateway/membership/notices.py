"""What the logs say about connections of this gateway, and what becomes of it."""

from collections.abc import Mapping
from typing import assert_never

from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_protocol.log import (
    ConnectionLeft,
    ConnectionModeChanged,
    MusicFailed,
    Notice,
    UniverseDeleted,
)
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.rooms import JoinRoom
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_runtime.process.lifecycle import Tasks

_NOT_FOUND = refused(Code.NOT_FOUND, "Universe not found")


class Notices:
    """Acts upon hidden events; ``sessions`` are those that are connected here, by connection."""

    def __init__(
        self,
        *,
        sessions: Mapping[str, Session],
        rooms: Rooms,
        owners: Owners,
        answers: Answers,
        saved: Sessions,
        departures: Departures,
        tasks: Tasks,
    ) -> None:
        self._sessions = sessions
        self._rooms = rooms
        self._owners = owners
        self._answers = answers
        self._saved = saved
        self._departures = departures
        self._tasks = tasks

    def act_upon(self, universe_id: str, event: Notice) -> None:
        """Do what an event of a universe's log means for those who are connected here."""
        if isinstance(event, UniverseDeleted):
            for connection in list(self._rooms.members(universe_id)):
                self._put_out(universe_id, connection.session, _NOT_FOUND)
            return
        session = self._sessions.get(event.connection_id)
        if isinstance(event, ConnectionLeft) and event.moved:
            self._make_way(event.connection_id, session)
        elif session is not None:
            self._tell(universe_id, session, event)

    def _tell(
        self,
        universe_id: str,
        session: Session,
        event: ConnectionLeft | ConnectionModeChanged | MusicFailed,
    ) -> None:
        match event:
            case ConnectionLeft(released=True):
                self._tasks.start(self._sit_down_again(universe_id, session), name="sit down")
            case ConnectionLeft(refusal=Refused() as refusal):
                self._put_out(universe_id, session, refusal)
            case ConnectionLeft():
                self._rooms.drop(universe_id, session.connection)
            case ConnectionModeChanged():
                if universe_id in session.rooms:
                    session.rooms[universe_id] = event.mode
            case MusicFailed():
                self._answers.refused(
                    session.connection, GenerateMusic, event.refusal, universe_id=universe_id
                )
            case unreachable:
                assert_never(unreachable)

    def _put_out(self, universe_id: str, session: Session, refusal: Refused) -> None:
        session.rooms.pop(universe_id, None)
        session.seats.discard(universe_id)
        session.places.pop(universe_id, None)
        self._tasks.start(self._saved.save(session), name="save session")
        self._rooms.drop(universe_id, session.connection)
        self._answers.put_out(session.connection, refusal, universe_id)

    def _make_way(self, connection_id: str, session: Session | None) -> None:
        """The client is back elsewhere: what is left of its connection here is a shell."""
        self._departures.make_way(connection_id)
        if session is not None:
            session.replaced = True
            session.seats.clear()
            session.connection.close()

    async def _sit_down_again(self, universe_id: str, session: Session) -> None:
        """This gateway was taken for dead, and its participants were seen off."""
        mode = session.rooms.get(universe_id)
        if mode is None:
            return
        join = JoinRoom.model_validate({"universeId": universe_id, "mode": mode})
        reply = await self._owners.ask(universe_id, join.operation(), join, session.caller)
        if reply.error is not None and session.connection.id in self._sessions:
            self._put_out(universe_id, session, reply.error)
