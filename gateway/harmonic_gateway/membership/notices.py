"""What the logs say about connections of this gateway, and what follows for their clients."""

import asyncio
from typing import assert_never

from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.frames import encode_event
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.sockets import Frame
from harmonic_protocol.causes import Cause
from harmonic_protocol.log import (
    ConnectionLeft,
    ConnectionModeChanged,
    HistoryLost,
    MemberRemoved,
    MemberSet,
    MusicFailed,
    Notice,
    SettingsChanged,
    UniverseDeleted,
    UserBanned,
)
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.messages.universes import RoleChanged
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.values import Mode
from harmonic_runtime.process.lifecycle import Tasks

_NOT_FOUND = refused(Code.NOT_FOUND, "Universe not found")


class Notices:
    """Acts upon notices.

    Memberships whose seats were released together with their gateway are put into ``unseated``.
    """

    def __init__(
        self,
        *,
        memberships: Memberships,
        unseated: asyncio.Queue[Membership],
        answers: Answers,
        sessions: Sessions,
        tasks: Tasks,
    ) -> None:
        self._memberships = memberships
        self._unseated = unseated
        self._answers = answers
        self._sessions = sessions
        self._tasks = tasks

    def act_upon(self, universe_id: str, position: int, event: Notice) -> None:
        """Do what an event means, at its position of a universe's log, for those here."""
        match event:
            case UniverseDeleted():
                for ended in self._memberships.delete(universe_id, position, _NOT_FOUND):
                    self._evicted(ended, _NOT_FOUND)
            case ConnectionLeft():
                self._left(universe_id, position, event)
            case ConnectionModeChanged(connection_id=connection_id, mode=mode):
                self._memberships.change_mode(universe_id, connection_id, position, mode)
            case MemberSet(user_id=user_id, role=role, timestamp=timestamp):
                self._role_changed(universe_id, user_id, role, timestamp)
            case MemberRemoved(user_id=user_id, timestamp=timestamp):
                self._role_changed(universe_id, user_id, None, timestamp)
            case HistoryLost() | SettingsChanged() | UserBanned():
                # The feed has begun anew with the one, or begins after it. Of each seat that
                # ends with the others, a notice of its own tells.
                pass
            case MusicFailed(connection_id=connection_id, refusal=refusal):
                membership = self._memberships.find(connection_id, universe_id)
                if membership is not None:
                    failed = refusal.caused_by(Cause.MUSIC_UNAVAILABLE)
                    self._answers.refused(
                        membership.connection, GenerateMusic, failed, universe_id=universe_id
                    )
            case _:
                assert_never(event)

    def _role_changed(
        self, universe_id: str, user_id: str, role: Mode | None, timestamp: str
    ) -> None:
        """Tell a user's connections in the room of its own role."""
        told: Frame | None = None
        for membership in self._memberships.present(universe_id):
            connection = membership.connection
            if connection.session.identity.user_id != user_id:
                continue
            if told is None:
                changed = RoleChanged(universe_id=universe_id, role=role, timestamp=timestamp)
                told = encode_event(changed, RoleChanged.spec.name)
            connection.send(told)

    def _left(self, universe_id: str, position: int, left: ConnectionLeft) -> None:
        connection_id = left.connection_id
        if left.moved:
            self._supersede(universe_id, connection_id, position)
        elif left.released:
            unseated = self._memberships.release(universe_id, connection_id, position)
            if unseated is not None:
                self._unseated.put_nowait(unseated)
        else:
            refusal = left.refusal
            ended = self._memberships.unseat(universe_id, connection_id, position, refusal)
            if ended is not None and refusal is not None:
                self._evicted(ended, refusal)

    def _evicted(self, membership: Membership, refusal: Refused) -> None:
        connection = membership.connection
        self._answers.evicted(connection, refusal, membership.universe_id)
        saving = self._sessions.save(
            connection.session, list(self._memberships.of(connection).values())
        )
        self._tasks.start(saving, name="save session")

    def _supersede(self, universe_id: str, connection_id: str, position: int) -> None:
        """The client has resumed on another connection: close this one."""
        ended = self._memberships.supersede(universe_id, connection_id, position)
        if ended is not None:
            ended.connection.session.replaced = True
            ended.connection.close()
