"""The memberships of this gateway, by connection and by universe. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from harmonic_gateway.delivery.places import Position, elsewhere, place
from harmonic_gateway.membership.local_room import LocalRoom
from harmonic_gateway.membership.log_positions import LogPositions
from harmonic_gateway.membership.membership import Membership, Presence
from harmonic_gateway.sockets import Connection
from harmonic_protocol.values import Mode

_NOBODY: Mapping[str, Membership] = {}


class MembershipIndex:
    """Queries about memberships, by connection and by universe."""

    def __init__(self) -> None:
        self._by_connection: dict[str, dict[str, Membership]] = {}
        self._rooms: dict[str, LocalRoom] = {}
        self.logs = LogPositions(self._rooms)

    def of(self, connection: Connection) -> Mapping[str, Membership]:
        """A connection's memberships by universe, seats without a membership included."""
        return self._by_connection.get(connection.id, _NOBODY)

    def find(self, connection_id: str, universe_id: str) -> Membership | None:
        """A connection's membership in a universe."""
        return self._by_connection.get(connection_id, _NOBODY).get(universe_id)

    def mode(self, connection: Connection, universe_id: str) -> Mode | None:
        """What a connection may do in a room now; ``None`` if it is not in it."""
        known = self.find(connection.id, universe_id)
        return known.mode if known is not None and known.stage is Presence.PRESENT else None

    def room(self, universe_id: str) -> LocalRoom | None:
        """The members of a universe here."""
        return self._rooms.get(universe_id)

    def present(self, universe_id: str) -> Iterable[Membership]:
        """The members here."""
        room = self._rooms.get(universe_id)
        return room.present.values() if room is not None else ()

    def sent_up_to(self, membership: Membership) -> int:
        """The position up to which a member was sent everything."""
        room = self._room_of(membership)
        if room is None or membership.stage is not Presence.PRESENT:
            return membership.cursor
        return room.reached(membership)

    def is_settled(self, connection: Connection) -> bool:
        """Whether each of its memberships is complete and everything due was sent."""
        return all(
            not membership.requests
            and membership.is_member
            and ((room := self._room_of(membership)) is None or not room.awaits(membership))
            for membership in self.of(connection).values()
        )

    def positions(self) -> dict[str, int]:
        """How far the log of each universe was delivered here."""
        return {
            universe_id: room.position
            for universe_id, room in self._rooms.items()
            if room.position is not None
        }

    def __len__(self) -> int:
        return len(self._rooms)

    def first_cursor(self, universe_id: str, position: int) -> int:
        """The oldest position of a member's snapshot in a room, at most ``position``."""
        room = self._rooms[universe_id]
        members = (*room.present.values(), *room.entering.values())
        return min([position, *(member.cursor for member in members if member.seated)])

    def _settle(self, membership: Membership) -> None:
        room = self._room_of(membership)
        if room is not None:
            room.place(membership)
        if not membership.is_known:
            self._forget(membership)
        self._aim(membership.connection)

    def _forget(self, membership: Membership) -> None:
        known = self._by_connection.get(membership.connection.id)
        if known is None or known.get(membership.universe_id) is not membership:
            return
        del known[membership.universe_id]
        if not known:
            del self._by_connection[membership.connection.id]

    def _room_of(self, membership: Membership) -> LocalRoom | None:
        return self._rooms.get(membership.universe_id)

    def _aim(self, connection: Connection) -> None:
        """Make the offsets of a connection's events name all of its rooms."""
        placed = list(self._placed(connection))
        is_several = len(placed) > 1
        for membership in placed:
            room = self._room_of(membership)
            if room is None or membership.stage is not Presence.PRESENT:
                continue
            if is_several:
                room.several.add(membership)
                membership.elsewhere = self._elsewhere(membership)
            else:
                room.several.discard(membership)
                # There is no other room to tell of.
                membership.elsewhere = None if connection.elsewhere is None else ""

    def _placed(self, connection: Connection) -> Iterator[Membership]:
        for membership in self.of(connection).values():
            if membership.start is not None and membership.stage is not Presence.GONE:
                yield membership

    def _elsewhere(self, membership: Membership) -> str | None:
        if membership.connection.elsewhere is None:
            return None
        others = (each for each in self._placed(membership.connection) if each is not membership)
        return elsewhere(map(self._place, others))

    def _place(self, membership: Membership) -> str:
        universe_id, start = membership.universe_id, membership.start
        room = self._room_of(membership)
        if room is not None and membership.stage is Presence.PRESENT:
            return place(universe_id, room.reached(membership))
        if start is None or membership.keeps_place:
            return place(universe_id, membership.cursor)
        return place(universe_id, Position(start.position, start.mark), start.frames)
