"""All memberships of this gateway: who is, or is about to be, in which room. Pure.

This is the only writer of them; everything else asks. Invariants, besides those of a membership:

- A connection has at most one membership of a universe, known from the moment that a seat is
  asked for on its behalf, also before its client knows that it is connected.
- A room is known as long as somebody is in it or entering, and until it is discarded.
- ``elsewhere`` of a member tells of its connection's other rooms, as of now.
- After :meth:`Memberships.depart`, nothing that arrives makes the connection a member again.
"""

from collections.abc import Iterable, Sequence

from harmonic_gateway.delivery.places import Place
from harmonic_gateway.membership.follower import StreamFollower
from harmonic_gateway.membership.index import MembershipIndex
from harmonic_gateway.membership.local_room import LocalRoom
from harmonic_gateway.membership.membership import Entry, Membership, Presence
from harmonic_gateway.sockets import Connection, Frame
from harmonic_protocol.handed import HandedRoom
from harmonic_protocol.refusals import Refused
from harmonic_protocol.values import Mode


class LoggedMemberships(MembershipIndex):
    """What the logs of universes say of memberships, and who is due their records."""

    def begin(self, universe_id: str, position: int) -> None:
        """The log of a universe is followed from ``position`` on."""
        self._rooms[universe_id].begin(position)

    def deliver(
        self, universe_id: str, position: int, frames: Sequence[Frame]
    ) -> Iterable[Membership]:
        """The next record of a log; the members who are due its frames."""
        room = self._rooms.get(universe_id)
        if room is None:
            return ()
        if frames:
            for membership in room.several:
                membership.elsewhere = self._elsewhere(membership)
        return room.deliver(position, frames)

    def due(self, universe_id: str) -> list[tuple[Membership, Sequence[Frame]]]:
        """The frames kept for members who were sent by now all that comes before them."""
        room = self._rooms.get(universe_id)
        return room.due() if room is not None else []

    def unseat(
        self, universe_id: str, connection_id: str, position: int, refusal: Refused | None
    ) -> Membership | None:
        """A seat ended; the membership, if its client was a member and has to be told."""
        membership = self.find(connection_id, universe_id)
        if membership is None:
            return None
        was_member = membership.is_member
        is_news = membership.unseat(position, refusal)
        self._settle(membership)
        return membership if is_news and was_member else None

    def delete(self, universe_id: str, position: int, refusal: Refused) -> list[Membership]:
        """All seats of a universe ended; the memberships whose clients have to be told."""
        room = self._rooms.get(universe_id)
        if room is None:
            return []
        ids = [connection.id for connection in (*room.present, *room.entering)]
        ended = [self.unseat(universe_id, each, position, refusal) for each in ids]
        return [membership for membership in ended if membership is not None]

    def release(self, universe_id: str, connection_id: str, position: int) -> Membership | None:
        """A seat was given up with this gateway; the membership, if it is to be asked for again."""
        membership, room = self.find(connection_id, universe_id), self._rooms.get(universe_id)
        if membership is None or room is None:
            return None
        rejoins = membership.release(position, room.reached(membership))
        self._settle(membership)
        return membership if rejoins else None

    def change_mode(
        self, universe_id: str, connection_id: str, position: int, mode: Mode
    ) -> Membership | None:
        """A connection may do no more than ``mode``; its membership, if that is news."""
        membership = self.find(connection_id, universe_id)
        if membership is None or not membership.change_mode(position, mode):
            return None
        return membership

    def supersede(self, universe_id: str, connection_id: str, position: int) -> Membership | None:
        """A session is another connection's now; the membership that has ended, if one has."""
        membership = self.find(connection_id, universe_id)
        if membership is None:
            return None
        is_news = membership.supersede(position)
        self._settle(membership)
        return membership if is_news else None


class FollowedRooms(LoggedMemberships):
    """Who follows universes without being in their rooms, and which rooms are known at all."""

    def attach(self, follower: StreamFollower) -> None:
        """Somebody follows a universe from now on."""
        room = self._known_room(follower.universe_id)
        room.followers.add(follower)
        follower.attached(room.position)

    def detach(self, follower: StreamFollower) -> None:
        """It does no longer."""
        room = self._rooms.get(follower.universe_id)
        if room is not None:
            room.followers.discard(follower)

    def vacate(self, universe_id: str) -> bool:
        """Whether a room's last member has left since this was last asked."""
        room = self._rooms.get(universe_id)
        return room is not None and room.vacate()

    def discard(self, universe_id: str) -> bool:
        """Forget a room with nobody in it, or following it; whether it was forgotten."""
        room = self._rooms.get(universe_id)
        if room is None or not room.is_empty:
            return False
        del self._rooms[universe_id]
        return True

    def _known_room(self, universe_id: str) -> LocalRoom:
        room = self._rooms.get(universe_id)
        if room is None:
            room = self._rooms[universe_id] = LocalRoom(universe_id)
        return room


class Memberships(FollowedRooms):
    """The registry: from a request for a seat to the end of a connection."""

    # On the way in.

    def enter(self, connection: Connection, universe_id: str) -> Membership:
        """A request for a seat begins; followed by one of :meth:`refused` and :meth:`admit`."""
        known = self._by_connection.setdefault(connection.id, {})
        membership = known.get(universe_id)
        if membership is None:
            membership = known[universe_id] = Membership(connection, universe_id)
        room = self._known_room(universe_id)
        membership.begin(room.reached(membership))
        room.place(membership)
        return membership

    def ask(self, membership: Membership) -> None:
        """The request for a seat leaves now."""
        membership.may_hold_seat = True

    def begin_anew(self, membership: Membership) -> None:
        """A member whose seat was released was not allowed to see the room for a time."""
        membership.begin_anew()

    def answered(
        self,
        membership: Membership,
        position: int,
        mode: Mode,
        start: Place | None = None,
        *,
        continued: bool = False,
    ) -> bool:
        """The owner keeps a seat as of ``position``; whether that is the newest that is known."""
        membership.answered(position, mode, start, continued=continued)
        self._aim(membership.connection)
        return membership.seated and membership.stage is not Presence.GONE

    def refused(self, membership: Membership, *, frees_seat: bool) -> tuple[Entry, list[Frame]]:
        """The request for a seat was refused, failed, or was not made.

        A member that only asked again is one as before: what became of that, as in :meth:`admit`.
        """
        membership.refused(frees_seat=frees_seat)
        if membership.is_held_in_vain:
            membership.requests += 1
            return self.admit(membership)
        self._settle(membership)
        return Entry.UNSEATED, []

    def admit(
        self, membership: Membership, position: int = 0, greeting: Sequence[Frame] = ()
    ) -> tuple[Entry, list[Frame]]:
        """Make the connection a member: what became of it, and the frames that it is due now.

        ``greeting`` says how the room is as of ``position``.
        """
        room = self._room_of(membership)
        if room is None:
            return membership.admit(None), []
        entry, due = room.admit(membership, position, greeting)
        self._settle(membership)
        return entry, due

    def restore(self, membership: Membership, handed: HandedRoom) -> None:
        """Know of a member what another gateway knew: where it began, and what it has received."""
        began = handed.began
        membership.start = Place(began.position, began.frames, began.mark)
        membership.sent, membership.acknowledged = handed.pinged, handed.acknowledged

    # On the way out.

    def depart(self, connection: Connection) -> list[Membership]:
        """A connection is over: its memberships, known until it is forgotten."""
        ended = list(self.of(connection).values())
        for membership in ended:
            membership.depart()
            room = self._room_of(membership)
            if room is not None:
                room.place(membership)
        return ended

    def released(self, membership: Membership) -> None:
        """The owner has confirmed that a departed connection has no seat."""
        membership.may_hold_seat = membership.requests > 0

    def forget(self, connection: Connection) -> None:
        """A departed connection has no seat any more."""
        self._by_connection.pop(connection.id, None)

    def lose(self, universe_id: str) -> list[Membership]:
        """Forget a room whose log is not to be had any more; those in it, or entering.

        The number of the last frame that they were sent is for ``logs`` to remember before.
        """
        room = self._rooms.pop(universe_id, None)
        if room is None:
            return []
        lost = [*room.present.values(), *room.entering.values()]
        for membership in lost:
            membership.depart()
        return lost

    # What clients have received.

    def mark_sent(self, connection: Connection) -> None:
        """A ping is sent: once it is answered, the client has all that was sent before it."""
        for membership in self.of(connection).values():
            room = self._rooms.get(membership.universe_id)
            if room is not None and membership.stage is Presence.PRESENT:
                membership.sent = room.reached(membership)

    def acknowledge(self, connection: Connection) -> None:
        """The ping was answered."""
        for membership in self.of(connection).values():
            membership.acknowledged = membership.sent
