"""The rooms of clients whose sessions move from one gateway to another.

The new gateway takes a client's seats as it does for one that came back; but its client has noticed
nothing, so it is sent exactly the frames after the last one that it was sent by the old gateway.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from harmonic_gateway.delivery.answers import Answers
from harmonic_gateway.delivery.places import Place, Position, mark_of
from harmonic_gateway.membership.joining import greet
from harmonic_gateway.membership.membership import Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.membership.rooms import Rooms
from harmonic_gateway.membership.saved import Found
from harmonic_gateway.membership.session import Session
from harmonic_gateway.owners import Owners
from harmonic_gateway.recovery.missed import MissedReader
from harmonic_gateway.recovery.pending import PendingReturns
from harmonic_gateway.recovery.recovery import Recovery
from harmonic_gateway.recovery.returning import entered
from harmonic_gateway.sockets import Frame
from harmonic_protocol.handed import HandedRoom, HandedSearch
from harmonic_protocol.internal import JoinResult, ResumeRoom, SavedRoom
from harmonic_protocol.log import MusicFailed
from harmonic_protocol.messages.music import GenerateMusic
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Refused
from harmonic_runtime.bus.client import BusUnavailable


@dataclass(frozen=True, slots=True)
class MovedRoom:
    """A room that a client is in at its new gateway, or the refusal that it is told instead."""

    universe_id: str
    membership: Membership | None = None
    frames: Sequence[Frame] = ()
    failed: Sequence[MusicFailed] = ()
    refusal: Refused | None = None
    handed: HandedRoom | None = None


@dataclass(slots=True)
class Move:
    """A client on its way: the rooms that it has so far, and the sessions that may be its own."""

    rooms: list[MovedRoom] = field(default_factory=list)
    asked: tuple[Found, ...] = ()


class RoomMoves:
    """Hands rooms over, and takes them."""

    def __init__(
        self,
        *,
        memberships: Memberships,
        rooms: Rooms,
        owners: Owners,
        reader: MissedReader,
        pending: PendingReturns,
        answers: Answers,
        recovery: Recovery,
    ) -> None:
        self._memberships = memberships
        self._rooms = rooms
        self._owners = owners
        self._reader = reader
        self._pending = pending
        self._answers = answers
        self._recovery = recovery

    def is_settled(self, session: Session) -> bool:
        """Whether nothing is under way for the client in any room, nor to take one over for it."""
        connection = session.connection
        return self._memberships.is_settled(connection) and self._pending.is_idle(session)

    def hand_over(self, session: Session) -> tuple[dict[str, HandedRoom], list[HandedSearch]]:
        """A client's rooms, which it is not in here any more, and its searches."""
        connection = session.connection
        rooms = {
            universe_id: handed
            for universe_id, membership in self._memberships.of(connection).items()
            if (handed := self._handed(membership)) is not None
        }
        asked = [
            HandedSearch(subject=each.subject, sequence=each.sequence, saved=each.saved)
            for each in self._pending.hand_over(session)
        ]
        self._rooms.depart(connection)
        self._recovery.handed_over(session)
        return rooms, asked

    async def take_over(self, session: Session, move: Move, rooms: dict[str, HandedRoom]) -> None:
        """Take the seats of a client, and read what it has not been sent; raise ``BusUnavailable``.

        Whatever comes of it, one of :meth:`complete` and :meth:`abandon` follows.
        """
        for universe_id, handed in rooms.items():
            move.rooms.append(await self._take(session, universe_id, handed))

    def complete(self, session: Session, move: Move) -> None:
        """Make the client a member, and send it what it was not sent yet; nothing is awaited."""
        connection = session.connection
        for moved in move.rooms:
            refusal, membership = moved.refusal, moved.membership
            if membership is not None:
                refusal = entered(self._rooms, membership, moved.frames, connection) or refusal
            if membership is not None and moved.handed is not None:
                self._memberships.restore(membership, moved.handed)
            if refusal is not None:
                self._answers.evicted(connection, refusal, moved.universe_id)
            for failure in moved.failed:
                self._answers.refused(
                    connection, GenerateMusic, failure.refusal, universe_id=moved.universe_id
                )
        if move.asked:
            self._pending.begin(session, move.asked)
        # Not before the client has its rooms.
        self._recovery.taken_over(session)

    def abandon(self, move: Move) -> None:
        """The client is not here after all."""
        for moved in move.rooms:
            if moved.membership is not None:
                self._rooms.refused(moved.membership, frees_seat=False)

    def _handed(self, membership: Membership) -> HandedRoom | None:
        mode, start = membership.mode, membership.start
        if mode is None or start is None or not membership.is_member:
            return None
        sent_up_to = self._memberships.sent_up_to(membership)
        return HandedRoom(
            began=SavedRoom(
                mode=mode, position=start.position, frames=start.frames, mark=start.mark
            ),
            sent=sent_up_to,
            sent_mark=mark_of(sent_up_to),
            pinged=membership.sent,
            acknowledged=membership.acknowledged,
            shown=self._rooms.live.presence.hand_over(membership),
        )

    async def _take(self, session: Session, universe_id: str, handed: HandedRoom) -> MovedRoom:
        membership = self._memberships.enter(session.connection, universe_id)
        try:
            await self._rooms.follow(universe_id)
            self._memberships.ask(membership)
            request = ResumeRoom(
                universe_id=universe_id,
                mode=handed.began.mode,
                replaces=session.connection.id,
                after_position=handed.sent,
                after_mark=handed.sent_mark,
            )
            reply = await self._owners.ask(
                universe_id, request.operation(), request, session.caller
            )
            if reply.error is not None:
                return self._refused(membership, reply.error)
            result = JoinResult.model_validate(reply.result)
            self._rooms.live.located(result)
            if handed.shown is not None:
                self._rooms.live.presence.take_over(universe_id, handed.shown)
            position = Position.of_record(reply.position or 0, result.record)
            return await self._seated(membership, handed, result, position)
        except BaseException:
            self._rooms.refused(membership, frees_seat=False)
            raise

    async def _seated(
        self, membership: Membership, handed: HandedRoom, result: JoinResult, position: Position
    ) -> MovedRoom:
        universe_id, mode = membership.universe_id, result.room.mode
        if result.continued is False:
            # It was not allowed to see the room for a time, or has lost its seat: it begins anew.
            self._memberships.answered(membership, position, mode)
            return MovedRoom(universe_id, membership, greet(result, position))
        # Until it is a member, its place is where it has come: events of other rooms tell of it.
        at = Place(handed.sent, mark=handed.sent_mark)
        self._memberships.answered(membership, position, mode, at, continued=True)
        unsent = await self._reader.unsent(result, at, position)
        if unsent is None:
            raise BusUnavailable("what the client has not been sent is not to be had any more")
        own = membership.connection.id
        failed = [
            notice
            for notice in unsent.notices
            if isinstance(notice, MusicFailed) and notice.connection_id == own
        ]
        return MovedRoom(universe_id, membership, unsent.frames, failed, handed=handed)

    def _refused(self, membership: Membership, refusal: Refused) -> MovedRoom:
        if "retryAfterMs" in refusal.details or refusal.reason is Reason.OFFSET:
            raise BusUnavailable(refusal.message)
        self._rooms.refused(membership, frees_seat=True)
        return MovedRoom(membership.universe_id, refusal=refusal)
