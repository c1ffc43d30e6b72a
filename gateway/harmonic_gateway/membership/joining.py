"""Taking a seat in a room, giving it up, and taking it again after it was released.

The membership decides again after each await. Here are only the requests to the owner, the store of
sessions, and their order.
"""

from typing import Literal

from harmonic_gateway.delivery.frames import encode, encode_event
from harmonic_gateway.delivery.places import Position, place
from harmonic_gateway.membership.departures import Departures
from harmonic_gateway.membership.membership import Entry, Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.session import Session
from harmonic_gateway.membership.sessions import Sessions
from harmonic_gateway.owners import Owners
from harmonic_gateway.sockets import Frame
from harmonic_protocol.envelope import NO_TRACE, Reply, RequestTrace
from harmonic_protocol.internal import JoinResult, JoinTold, ResumeRoom
from harmonic_protocol.messages.rooms import (
    JoinRoom,
    LeaveRoom,
    ParticipantJoined,
    RoomJoined,
    RoomLeft,
)
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.transient import NO_BUS
from harmonic_runtime.bus.client import BusUnavailable

#: Snapshots that are asked for at most, where the records after the one before are not at hand.
MAX_SNAPSHOTS = 3
#: Nobody hears of it. It is not for operators either: clients may go whenever they want.
_LEFT = refused(
    Code.PERMISSION_DENIED, "The connection has ended meanwhile", reason=Reason.NOT_IN_ROOM
)


class Joining:
    """Joins and leaves, as clients ask for them."""

    def __init__(
        self,
        *,
        memberships: Memberships,
        rooms: Rooms,
        owners: Owners,
        sessions: Sessions,
        departures: Departures,
        rooms_per_connection: int,
    ) -> None:
        self._memberships = memberships
        self._rooms = rooms
        self._owners = owners
        self._sessions = sessions
        self._departures = departures
        self._rooms_per_connection = rooms_per_connection

    async def join(
        self, session: Session, join: JoinRoom, until_s: float, trace: RequestTrace = NO_TRACE
    ) -> Reply | Refused:
        """Become a member, or change one's mode as a member; ``until_s`` is the deadline."""
        known = self._memberships.of(session.connection)
        if join.universe_id not in known and len(known) >= self._rooms_per_connection:
            return refused(
                Code.INVALID_PARAMETERS,
                f"A connection may be in at most {self._rooms_per_connection} rooms",
                reason=Reason.TOO_MANY_ROOMS,
                limit=self._rooms_per_connection,
            )
        request: JoinRoom | ResumeRoom = join
        for _ in range(MAX_SNAPSHOTS):
            if session.connection.is_closed():
                return _LEFT
            membership = self._memberships.enter(session.connection, join.universe_id)
            outcome = await self._enter(session, membership, request, until_s, trace)
            if outcome is not Entry.STALE:
                return outcome
            # It has had a seat, and is to have it in whatever mode is allowed by now.
            own = session.connection.id
            request = ResumeRoom(universe_id=join.universe_id, mode=join.mode, replaces=own)
        return NO_BUS

    async def leave(
        self, session: Session, leave: LeaveRoom, until_s: float, trace: RequestTrace = NO_TRACE
    ) -> Reply | Refused:
        """Give the seat up; ``until_s`` is the deadline."""
        universe_id = leave.universe_id
        reply = await self._owners.ask(
            universe_id, leave.operation(), leave, session.caller, trace, until_s=until_s
        )
        if reply.error is not None or reply.position is None:
            return reply.error or reply
        self._rooms.left(universe_id, session.connection, reply.position)
        await self._save(session)
        left = RoomLeft.model_validate(reply.result)
        session.connection.send(encode_event(left, RoomLeft.spec.name))
        return reply

    async def _enter(
        self,
        session: Session,
        membership: Membership,
        request: JoinRoom | ResumeRoom,
        until_s: float,
        trace: RequestTrace,
    ) -> Reply | Refused | Literal[Entry.STALE]:
        """Ask for a seat, and enter with what the owner says: Entry.STALE, to be tried again."""
        frees_seat = not membership.may_hold_seat
        is_settled = False
        try:
            try:
                await self._rooms.follow(request.universe_id)
            except BusUnavailable:
                return NO_BUS
            self._memberships.ask(membership)
            reply = await self._owners.ask(
                request.universe_id,
                request.operation(),
                request,
                session.caller,
                trace,
                until_s=until_s,
            )
            frees_seat = frees_seat and _is_certain(reply)
            if reply.error is not None or reply.position is None:
                return reply.error or reply
            frees_seat = False
            told = JoinTold.model_validate(reply.result)
            if membership.rejoining:
                # Nobody knows whether it was allowed to see the room all the time.
                self._memberships.begin_anew(membership)
            self._rooms.live.located(told)
            position = Position.of_record(reply.position, told.record)
            if self._memberships.answered(membership, position, told.mode):
                # Before the client knows: once it does, it may resume on any gateway.
                await self._save(session)
            is_settled = True
            return self._admit(session, membership, reply, told, position)
        finally:
            if not is_settled:
                self._rooms.refused(membership, frees_seat=frees_seat)

    def _admit(
        self,
        session: Session,
        membership: Membership,
        reply: Reply,
        told: JoinTold,
        position: int,
    ) -> Reply | Refused | Literal[Entry.STALE]:
        """Enter, unless that became impossible during an await."""
        greeting = _passed_on(told, position)
        if membership.is_member:
            # The room's records tell a member of itself.
            greeting = greeting[-1:]
        entry = self._rooms.admit(membership, greeting, position)
        match entry:
            case Entry.ADMITTED | Entry.RENEWED:
                return reply
            case Entry.UNSEATED:
                # Where the seat was released with this gateway, it is to be had again.
                return membership.refusal or Entry.STALE
            case Entry.GONE:
                self._memberships.ask(membership)
                self._departures.seated(session, membership)
                return _LEFT if session.connection.is_closed() else NO_BUS
            case Entry.STALE | Entry.OVERTAKEN:
                return Entry.STALE

    async def _save(self, session: Session) -> None:
        memberships = list(self._memberships.of(session.connection).values())
        await self._sessions.save(session, memberships)


def _is_certain(reply: Reply) -> bool:
    """Whether a reply says for certain that no seat was taken."""
    return reply.error is not None and reply.error.code is not Code.INTERNAL_ERROR


def greet(result: JoinResult, position: int) -> list[Frame]:
    """The first events of a connection in a room, as of its snapshot's position."""
    announced = result.announcement
    return _greeting(
        encode_event(announced, ParticipantJoined.spec.name) if announced is not None else None,
        encode_event(result.room, RoomJoined.spec.name),
        place(result.room.universe_id, position),
    )


def _passed_on(told: JoinTold, position: int) -> list[Frame]:
    """The owner's answer in this form."""
    announced = told.announcement
    return _greeting(
        encode(ParticipantJoined.spec.name, announced) if announced is not None else None,
        encode(RoomJoined.spec.name, told.room),
        place(told.universe_id, position),
    )


def _greeting(announced: Frame | None, joined: Frame, offset: str) -> list[Frame]:
    joined.offset = offset
    return [joined] if announced is None else [announced, joined]
