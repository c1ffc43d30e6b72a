"""Following the logs of the universes that this gateway has members in: one subscription each.

Who is a member, and what it is due, the memberships say; here frames are sent, logs followed
and left. Whatever ends a membership goes through here, so that no log is followed for nobody.
"""

from collections.abc import Callable, Sequence

from harmonic_gateway.delivery.history import History
from harmonic_gateway.delivery.logs import FollowedLogs
from harmonic_gateway.delivery.meter import DeliveryMeter
from harmonic_gateway.delivery.server_sent import server_sent
from harmonic_gateway.membership.follower import StreamFollower
from harmonic_gateway.membership.live import LiveLayer
from harmonic_gateway.membership.local_room import LocalRoom
from harmonic_gateway.membership.lost_rooms import LostRooms
from harmonic_gateway.membership.membership import Entry, Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.sockets import Connection, Frame, broadcast
from harmonic_protocol.log import Notice
from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.lifecycle import Tasks


class Rooms:
    """The logs that are followed, and the members that they are followed for."""

    def __init__(
        self,
        *,
        memberships: Memberships,
        bus: Bus,
        history: History,
        on_notice: Callable[[str, int, Notice], None],
        live: LiveLayer,
        tasks: Tasks,
        meter: DeliveryMeter,
        log: BoundLogger,
    ) -> None:
        self._memberships = memberships
        self._on_notice = on_notice
        self.live = live
        self._meter = meter
        self._logs = FollowedLogs(
            *(self, live.asked), bus=bus, history=history, meter=meter, tasks=tasks, log=log
        )
        self.losses = LostRooms(memberships.logs, self._logs)

    async def follow(self, universe_id: str) -> None:
        """Follow the log of a universe that somebody is entering, before a snapshot is asked for.

        Once this returns, nothing that is stored from now on is missed. Raise
        :class:`BusUnavailable` without the broker.
        """
        await self._logs.follow(universe_id)

    def admit(
        self,
        membership: Membership,
        greeting: Sequence[Frame] = (),
        position: int | None = None,
    ) -> Entry:
        """Make a connection a member: its ``greeting``, and all that it is due.

        The greeting says how the room is as of ``position``: without one, where it enters.
        """
        universe_id = membership.universe_id
        position = membership.cursor if position is None else position
        entry, due = self._memberships.admit(membership, position, greeting)
        if entry in (Entry.ADMITTED, Entry.RENEWED):
            membership.connection.send_all(due, membership.elsewhere)
            self.live.admitted(membership)
            self._go_on(universe_id, max(position, membership.cursor))
        self._leave_if_empty(universe_id)
        return entry

    def refused(self, membership: Membership, *, frees_seat: bool) -> None:
        """The request for a seat was refused, or not made."""
        entry, due = self._memberships.refused(membership, frees_seat=frees_seat)
        if entry is Entry.ADMITTED:
            membership.connection.send_all(due, membership.elsewhere)
            self.live.admitted(membership)
        elif entry is Entry.STALE:
            # It has to begin anew, and is brought up to date then.
            membership.connection.close()
        self._leave_if_empty(membership.universe_id)

    def left(self, universe_id: str, connection: Connection, position: int) -> None:
        """A connection gave its seat up, as the owner's reply says."""
        self._memberships.unseat(universe_id, connection.id, position, None)
        self._leave_if_empty(universe_id)

    def depart(self, connection: Connection, *, may_return: bool = True) -> list[Membership]:
        """A connection is over: its memberships as they were.

        If its client ``may_return``, what it shows of itself is kept for a time.
        """
        ended = self._memberships.depart(connection)
        for membership in ended:
            if may_return:
                self.live.presence.departed(membership)
            self._leave_if_empty(membership.universe_id)
        return ended

    def attach(self, follower: StreamFollower) -> None:
        """Have somebody follow a universe; followed by :meth:`follow`, and in the end by detach."""
        self._memberships.attach(follower)

    def begin(self, follower: StreamFollower, position: int) -> None:
        """Begin to deliver to a follower: the owner spoke of a position of the log."""
        self._go_on(follower.universe_id, position)

    def detach(self, follower: StreamFollower) -> None:
        """Somebody follows a universe no longer."""
        self._memberships.detach(follower)
        self._leave_if_empty(follower.universe_id)

    def expect(self, universe_id: str, position: int | None) -> None:
        """An owner spoke of a position of a universe's log."""
        if position is not None:
            self._logs.expect(universe_id, position)

    def turned_back(self, universe_id: str) -> None:
        """A universe's log has lost records that members here were sent."""
        self._logs.turned_back(universe_id)

    def positions(self) -> dict[str, int]:
        """How far this gateway has come in the log of each universe that it has members in."""
        return self._memberships.positions()

    def take_doubtful(self) -> set[str]:
        """The universes whose logs may have been turned back since this was last asked."""
        return self._logs.take_doubtful()

    def _go_on(self, universe_id: str, position: int) -> None:
        """Begin to deliver a log, if that was not begun; ``position`` is known to be in it."""
        room = self._memberships.room(universe_id)
        if room is not None and room.position is None:
            first = self._memberships.first_cursor(universe_id, position)
            self._memberships.begin(universe_id, self._logs.begin(universe_id, first))
        self._logs.expect(universe_id, position)

    def deliver(
        self, universe_id: str, position: int, frames: list[Frame], notices: list[Notice]
    ) -> None:
        """Send the next record of a log to the members who are due it."""
        for notice in notices:
            self._on_notice(universe_id, position, notice)
        recipients = self._memberships.deliver(universe_id, position, frames)
        if frames:
            self.live.stored(universe_id, frames)
            self._meter.delivered.inc(broadcast(frames, recipients))
        _tell_followers(self._memberships.room(universe_id), position, frames, notices)
        for membership, waiting in self._memberships.due(universe_id):
            membership.connection.send_all(waiting, membership.elsewhere)
            self.live.admitted(membership)
        if notices:
            self._leave_if_empty(universe_id)

    def lose(self, universe_id: str) -> None:
        """What was missed is not to be had any more: members begin anew."""
        self._meter.lost.inc()
        room = self._memberships.room(universe_id)
        self.losses.lose(universe_id)
        lost = self._memberships.lose(universe_id)
        self.live.leave(universe_id)
        for membership in lost:
            membership.connection.close()
        for follower in list(room.followers) if room is not None else ():
            follower.lost()

    def signalled(self, universe_id: str, message: Message) -> None:
        """Pass a live signal, or a bar, on to the members, if there are any."""
        room = self._memberships.room(universe_id)
        if room is not None and room.is_inhabited:
            self.live.hear(universe_id, message)
        else:
            self.live.asked(universe_id, message)

    def _leave_if_empty(self, universe_id: str) -> None:
        if self._memberships.vacate(universe_id):
            self.live.leave(universe_id)
        if self._memberships.discard(universe_id):
            self._logs.leave(universe_id)


def _tell_followers(
    room: LocalRoom | None, position: int, frames: list[Frame], notices: list[Notice]
) -> None:
    if room is None or not room.followers:
        return
    data = server_sent(frames)
    for follower in list(room.followers):
        follower.deliver(position, data, notices)
