"""One universe's members on this gateway, and which records each of them is due. Pure.

Invariants:

- A member is sent every record above its snapshot's position, once, in order. Those that were
  delivered while it entered are in ``recent``; the others it is sent with all members.
- ``recent`` holds all records above ``complete_after``. A snapshot that is older is of no use.
- Only members are sent anything: not connections that enter, nor those that have ended.
- A member is never shown the room as it was before something that it was sent.
- The room ``is_inhabited`` from the first member, or the first who enters, until it is vacated.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from harmonic_gateway.membership.follower import StreamFollower
from harmonic_gateway.membership.membership import Entry, Membership, Presence
from harmonic_gateway.sockets import Connection, Frame

#: Records that are kept for those who are entering.
MAX_RECENT_RECORDS = 1024


@dataclass(slots=True, eq=False)
class LocalRoom:
    """The members here, those entering, and what these need.

    ``position`` is that of the last record delivered, ``None`` before the log is followed; ``seq``
    is the number of the last frame that is known here. ``several`` are the members whose
    connections are in other rooms, too; ``followers`` are sent the log's events without being in
    the room.
    """

    universe_id: str
    position: int | None = None
    seq: int = 0
    present: dict[Connection, Membership] = field(default_factory=dict)
    entering: dict[Connection, Membership] = field(default_factory=dict)
    several: set[Membership] = field(default_factory=set)
    complete_after: int | None = None
    newest_cursor: int = 0
    recent: deque[tuple[int, Sequence[Frame]]] = field(default_factory=deque)
    awaited: list[tuple[int, Membership, Sequence[Frame]]] = field(default_factory=list)
    followers: set[StreamFollower] = field(default_factory=set)
    is_inhabited: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nobody is here, entering, or following."""
        return not self.present and not self.entering and not self.followers

    def vacate(self) -> bool:
        """Whether the last member has left; true only once."""
        if not self.is_inhabited or self.present or self.entering:
            return False
        self.is_inhabited = False
        return True

    def begin(self, position: int) -> None:
        """Note that the log is followed from ``position`` on."""
        self.position = position
        self.complete_after = position
        for follower in self.followers:
            follower.begun(position)

    def admit(
        self, membership: Membership, position: int = 0, greeting: Sequence[Frame] = ()
    ) -> tuple[Entry, list[Frame]]:
        """Make a membership present; return the outcome, and the frames that it is due at once.

        ``greeting`` is the room as of ``position``. It comes after all records up to there, and
        before the others.
        """
        entry = membership.admit(self.complete_after)
        due: list[Frame] = []
        if entry is Entry.ADMITTED:
            due = self._greet(membership, membership.cursor, position, greeting)
            membership.cursor = max(membership.cursor, self.position or 0)
        elif entry is Entry.RENEWED:
            reached = self.reached(membership)
            if greeting and position < reached:
                entry = Entry.OVERTAKEN
            else:
                due = self._greet(membership, reached, position, greeting)
        self.place(membership)
        return entry, due

    def _greet(
        self, membership: Membership, seen: int, position: int, greeting: Sequence[Frame]
    ) -> list[Frame]:
        """What a member that was sent all up to ``seen`` is due, with its greeting in place."""
        before = list(self._recent(seen, position))
        if position > max(seen, self.position or 0):
            self.awaited.append((position, membership, greeting))
            return before
        return [*before, *greeting, *self._recent(max(seen, position), None)]

    def _recent(self, after: int, until: int | None) -> Iterator[Frame]:
        for position, frames in self.recent:
            if position > after and (until is None or position <= until):
                yield from frames

    def place(self, membership: Membership) -> None:
        """Put a membership into the collection of its stage."""
        connection = membership.connection
        if membership.stage is Presence.PRESENT:
            self.is_inhabited = True
            self.present[connection] = membership
            self.newest_cursor = max(self.newest_cursor, membership.cursor)
        elif self.present.get(connection) is membership:
            del self.present[connection]
            self.several.discard(membership)
        if membership.stage is Presence.ENTERING:
            if not self.entering:
                self.complete_after = self.position
            self.is_inhabited = True
            self.entering[connection] = membership
        elif self.entering.get(connection) is membership:
            del self.entering[connection]
            if not self.entering:
                self.recent.clear()

    def deliver(self, position: int, frames: Sequence[Frame]) -> Iterable[Membership]:
        """Take the next record; return the members that are due its frames."""
        self.position = position
        if not frames:
            return ()
        self.seq = max(self.seq, frames[-1].seq)
        if self.entering:
            self.recent.append((position, frames))
            if len(self.recent) > MAX_RECENT_RECORDS:
                self.complete_after, _ = self.recent.popleft()
        members = self.present.values()
        if position > self.newest_cursor:
            return members
        return [member for member in members if member.cursor < position]

    def due(self) -> list[tuple[Membership, Sequence[Frame]]]:
        """The frames kept for members who were sent all that comes before."""
        if not self.awaited:
            return []
        reached = self.position or 0
        due = [(member, frames) for at, member, frames in self.awaited if at <= reached]
        self.awaited = [waiting for waiting in self.awaited if waiting[0] > reached]
        return [(member, frames) for member, frames in due if member.stage is Presence.PRESENT]

    def awaits(self, membership: Membership) -> bool:
        """Whether a member is still to be sent its greeting, in its place among the records."""
        return any(waiting is membership for _, waiting, _ in self.awaited)

    def greeted(self) -> list[Membership]:
        """The members who have been shown the room."""
        return [one for one in self.present.values() if not self.awaits(one)]

    def reached(self, membership: Membership) -> int:
        """The position up to which a member was sent everything."""
        return max(self.position or 0, membership.cursor)
