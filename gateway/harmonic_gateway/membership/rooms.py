"""The rooms that this gateway has members in: one subscription each, whoever many they are."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from harmonic_gateway.delivery.feed import Feed
from harmonic_gateway.delivery.places import elsewhere, place
from harmonic_gateway.sockets import Connection, Frame, broadcast
from harmonic_protocol import subjects
from harmonic_protocol.internal import LogPart
from harmonic_protocol.log import (
    ConnectionLeft,
    ConnectionModeChanged,
    MusicStored,
    Notice,
)
from harmonic_runtime.bus.client import Bus, Subscription
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.lifecycle import Tasks

#: What a joiner may have missed between its snapshot and now is kept for so many records.
MAX_RECENT_RECORDS = 1024


@dataclass(slots=True)
class Room:
    """A universe's members on this gateway.

    A member's ``cursor`` is the position that it is to be sent nothing up to: its snapshot's.
    ``several`` are those members that are in other rooms as well.
    """

    feed: Feed
    members: dict[Connection, int] = field(default_factory=dict)
    several: set[Connection] = field(default_factory=set)
    newest_cursor: int = 0
    entering: int = 0
    is_heard: bool = False
    recent: deque[tuple[int, list[Frame]]] = field(default_factory=deque)
    awaited: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)


class Rooms:
    """Who is in which room here, and what they are sent."""

    def __init__(
        self,
        *,
        bus: Bus,
        read_log: Callable[[str, int], Awaitable[LogPart]],
        fetch_notes: Callable[[MusicStored], Awaitable[bytes | None]],
        on_notice: Callable[[str, Notice], None],
        on_signal: Callable[[str, Message], None],
        tasks: Tasks,
        metrics: Metrics,
        log: BoundLogger,
    ) -> None:
        self._bus = bus
        self._read_log = read_log
        self._fetch_notes = fetch_notes
        self._on_notice = on_notice
        self._on_signal = on_signal
        self._tasks = tasks
        self._log = log
        self._rooms: dict[str, Room] = {}
        self._delivered = metrics.counter("deliveries_total", "frames sent to members")
        self._lost = metrics.counter("rooms_lost", "rooms whose missed records were trimmed")
        metrics.gauge("rooms", "rooms with members here").set_function(lambda: len(self._rooms))

    async def enter(self, universe_id: str) -> Room:
        """Begin to listen to a universe, before its owner is asked for a snapshot.

        Once this returns, nothing that is stored from now on is missed. Each call is followed by
        one of :meth:`admit` or :meth:`give_up`. Raise :class:`BusUnavailable` without the broker.
        """
        room = self._rooms.get(universe_id)
        if room is None:
            room = self._rooms[universe_id] = self._new_room(universe_id)
        room.entering += 1
        try:
            if not room.subscriptions:
                await self._listen(universe_id, room)
            if not room.is_heard:
                # Others may still wait for the same subscription: only a round trip proves it.
                await self._bus.flush()
                room.is_heard = True
        except BaseException:
            await self.give_up(universe_id, room)
            raise
        return room

    def admit(
        self, room: Room, connection: Connection, position: int, greeting: Iterable[Frame]
    ) -> None:
        """Make a connection a member: its ``greeting``, and then all that follows ``position``."""
        room.entering -= 1
        self._come_in(room.feed.universe_id, connection)
        connection.send_all(greeting)
        known = room.feed.position
        if known is not None:
            for stored_at, frames in room.recent:
                if stored_at > position:
                    connection.send_all(frames)
        room.members[connection] = max(position, known or 0)
        room.newest_cursor = max(room.newest_cursor, position)
        self._forget_recent(room)
        if known is None:
            room.feed.start(position)
        room.feed.expect(position)

    async def give_up(self, universe_id: str, room: Room) -> None:
        """The opposite of :meth:`admit`: the connection did not get in."""
        room.entering -= 1
        self._forget_recent(room)
        await self._close_if_empty(universe_id, room)

    def once_at(self, universe_id: str, position: int, action: Callable[[], None]) -> None:
        """Do something as soon as the members have been sent all up to ``position``."""
        room = self._rooms.get(universe_id)
        if room is None or room.feed.position is None or room.feed.position >= position:
            action()
            return
        room.awaited.append((position, action))
        room.feed.expect(position)

    def drop(self, universe_id: str, connection: Connection) -> None:
        """A connection is no member any more."""
        room = self._rooms.get(universe_id)
        if room is not None and room.members.pop(connection, None) is not None:
            self._go_out(universe_id, connection)
            self._tasks.start(self._close_if_empty(universe_id, room), name="close room")

    def places(self, connection: Connection) -> dict[str, int]:
        """How far a member has been sent the logs of its rooms."""
        return {name: self._sent_up_to(name, connection) for name in connection.rooms}

    def expect(self, universe_id: str, position: int | None) -> None:
        """An owner's reply spoke of a position of a universe's log."""
        room = self._rooms.get(universe_id)
        if room is not None and position is not None:
            room.feed.expect(position)

    def positions(self) -> dict[str, int]:
        """How far this gateway has come in the log of each universe that it has members in."""
        return {
            universe_id: room.feed.position
            for universe_id, room in self._rooms.items()
            if room.feed.position is not None
        }

    def lose(self, universe_id: str) -> None:
        """What was missed is not to be had any more: members begin anew."""
        self._lost.inc()
        for member in list(self.members(universe_id)):
            member.close()

    def members(self, universe_id: str) -> dict[Connection, int]:
        """The members here of a room, with their cursors."""
        room = self._rooms.get(universe_id)
        return room.members if room is not None else {}

    def broadcast(self, universe_id: str, frames: list[Frame]) -> None:
        """Send all members here something that is not stored."""
        self._delivered.inc(broadcast(frames, self.members(universe_id)))

    def _new_room(self, universe_id: str) -> Room:
        def sink(position: int, frames: list[Frame], notices: list[Notice]) -> None:
            self._deliver(universe_id, room, position, frames, notices)

        room = Room(
            Feed(
                universe_id=universe_id,
                sink=sink,
                read_log=self._read_log,
                fetch_notes=self._fetch_notes,
                on_lost=lambda: self.lose(universe_id),
                tasks=self._tasks,
                log=self._log,
            )
        )
        return room

    async def _listen(self, universe_id: str, room: Room) -> None:
        def signal(message: Message) -> None:
            self._on_signal(universe_id, message)

        live = self._bus.subscribe(subjects.live(universe_id), room.feed.hear)
        room.subscriptions.append(await live)
        room.subscriptions.append(await self._bus.subscribe(subjects.signal(universe_id), signal))

    def _deliver(
        self,
        universe_id: str,
        room: Room,
        position: int,
        frames: list[Frame],
        notices: list[Notice],
    ) -> None:
        for notice in notices:
            if not self._is_outdated(room, position, notice):
                self._on_notice(universe_id, notice)
        if frames:
            for connection in room.several:
                self._aim(connection, universe_id)
            if position > room.newest_cursor:
                self._delivered.inc(broadcast(frames, room.members))
            else:
                due = [member for member, cursor in room.members.items() if cursor < position]
                self._delivered.inc(broadcast(frames, due))
            if room.entering:
                room.recent.append((position, frames))
                if len(room.recent) > MAX_RECENT_RECORDS:
                    room.recent.popleft()
        due_actions = [action for at, action in room.awaited if at <= position]
        if due_actions:
            room.awaited = [(at, action) for at, action in room.awaited if at > position]
            for action in due_actions:
                action()

    def _come_in(self, universe_id: str, connection: Connection) -> None:
        connection.rooms = (*connection.rooms, universe_id)
        if len(connection.rooms) > 1:
            for name in connection.rooms:
                self._rooms[name].several.add(connection)
        self._aim(connection, universe_id)

    def _go_out(self, universe_id: str, connection: Connection) -> None:
        self._rooms[universe_id].several.discard(connection)
        connection.rooms = tuple(name for name in connection.rooms if name != universe_id)
        if len(connection.rooms) == 1:
            self._rooms[connection.rooms[0]].several.discard(connection)
            self._aim(connection, connection.rooms[0])

    def _aim(self, connection: Connection, universe_id: str) -> None:
        """Have the offsets of a room's events tell of the connection's other rooms as well."""
        if connection.elsewhere is None:
            return
        waiting = {
            name: place(name, start.position, start.frames)
            for name, start in connection.session.places.items()
            if name not in connection.rooms
        }
        others = {
            name: place(name, self._sent_up_to(name, connection))
            for name in connection.rooms
            if name != universe_id
        }
        connection.elsewhere = elsewhere({**waiting, **others}.values())

    def _sent_up_to(self, universe_id: str, connection: Connection) -> int:
        room = self._rooms[universe_id]
        return max(room.feed.position or 0, room.members.get(connection, 0))

    def _is_outdated(self, room: Room, position: int, notice: Notice) -> bool:
        # A connection that left and came back has a seat that this record knows nothing of.
        return isinstance(notice, ConnectionLeft | ConnectionModeChanged) and any(
            cursor >= position and member.id == notice.connection_id
            for member, cursor in room.members.items()
        )

    def _forget_recent(self, room: Room) -> None:
        if not room.entering:
            room.recent.clear()

    async def _close_if_empty(self, universe_id: str, room: Room) -> None:
        if room.members or room.entering or self._rooms.get(universe_id) is not room:
            return
        del self._rooms[universe_id]
        room.feed.close()
        for subscription in room.subscriptions:
            await subscription.close()
