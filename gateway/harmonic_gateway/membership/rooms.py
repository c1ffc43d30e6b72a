"""Following the logs of the universes that this gateway has members in: one subscription each.

Who is a member, and what it is due, the memberships say; here frames are sent, logs followed
and left. Whatever ends a membership goes through here, so that no log is followed for nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harmonic_gateway.delivery.feed import Feed, FeedEvents
from harmonic_gateway.delivery.history import History
from harmonic_gateway.delivery.meter import DeliveryMeter
from harmonic_gateway.membership.live import LiveLayer
from harmonic_gateway.membership.membership import Entry, Membership
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.sockets import Connection, Frame, broadcast
from harmonic_protocol import subjects
from harmonic_protocol.log import Notice
from harmonic_runtime.bus.client import Bus, Subscription
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.lifecycle import Tasks


@dataclass(slots=True, eq=False)
class Following:
    """A log that is followed; ``is_heard`` once the broker is known to send what is stored."""

    feed: Feed
    subscriptions: list[Subscription] = field(default_factory=list)
    is_heard: bool = False


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
        self._bus = bus
        self._history = history
        self._on_notice = on_notice
        self.live = live
        self._tasks = tasks
        self._log = log
        self._followed: dict[str, Following] = {}
        self._doubtful: set[str] = set()
        self._meter = meter
        self._told_foreign: set[str] = set()

    async def follow(self, universe_id: str) -> None:
        """Follow the log of a universe that somebody is entering, before a snapshot is asked for.

        Once this returns, nothing that is stored from now on is missed. Raise
        :class:`BusUnavailable` without the broker.
        """
        followed = self._followed.get(universe_id)
        if followed is None:
            followed = self._followed[universe_id] = Following(self._feed(universe_id))
            await self._subscribe(universe_id, followed)
        if not followed.is_heard:
            # Others may still wait for the same subscription: only a round trip proves it.
            await self._bus.flush()
            followed.is_heard = True

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
            self.live.presence.admitted(membership)
            self._go_on(universe_id, max(position, membership.cursor))
        self._leave_if_empty(universe_id)
        return entry

    def refused(self, membership: Membership, *, frees_seat: bool) -> None:
        """The request for a seat was refused, or not made."""
        entry, due = self._memberships.refused(membership, frees_seat=frees_seat)
        if entry is Entry.ADMITTED:
            membership.connection.send_all(due, membership.elsewhere)
            self.live.presence.admitted(membership)
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

    def expect(self, universe_id: str, position: int | None) -> None:
        """An owner spoke of a position of a universe's log."""
        followed = self._followed.get(universe_id)
        if followed is not None and position is not None:
            followed.feed.expect(position)

    def turned_back(self, universe_id: str) -> None:
        """A universe's log has lost records that members here were sent."""
        followed = self._followed.get(universe_id)
        if followed is not None:
            followed.feed.turned_back()

    def positions(self) -> dict[str, int]:
        """How far this gateway has come in the log of each universe that it has members in."""
        return self._memberships.positions()

    def take_doubtful(self) -> set[str]:
        """The universes whose logs may have been turned back since this was last asked."""
        doubtful, self._doubtful = self._doubtful, set()
        return doubtful

    def _feed(self, universe_id: str) -> Feed:
        def sink(position: int, frames: list[Frame], notices: list[Notice]) -> None:
            self._deliver(universe_id, position, frames, notices)

        return Feed(
            universe_id,
            sink=sink,
            tell=FeedEvents(
                lost=lambda: self._lose(universe_id),
                doubtful=lambda: self._doubtful.add(universe_id),
                foreign=lambda: self._skip_foreign(universe_id),
            ),
            history=self._history,
            meter=self._meter,
            tasks=self._tasks,
            log=self._log,
        )

    def _skip_foreign(self, universe_id: str) -> None:
        self._meter.foreign.inc()
        if universe_id in self._followed and universe_id not in self._told_foreign:
            self._told_foreign.add(universe_id)
            self._log.error("record_foreign", universe=universe_id)

    async def _subscribe(self, universe_id: str, followed: Following) -> None:
        def signal(message: Message) -> None:
            self.live.hear(universe_id, message)

        interests = (
            (subjects.live(universe_id), followed.feed.hear, True),
            (subjects.signal(universe_id), signal, False),
        )
        for subject, handler, republished in interests:
            subscription = await self._bus.subscribe(subject, handler, republished=republished)
            if self._followed.get(universe_id) is followed:
                followed.subscriptions.append(subscription)
            else:
                await subscription.close()

    def _go_on(self, universe_id: str, position: int) -> None:
        """Begin to deliver a log, if that was not begun; ``position`` is known to be in it."""
        feed = self._followed[universe_id].feed
        room = self._memberships.room(universe_id)
        if room is not None and room.position is None:
            start = feed.begin(self._memberships.first_cursor(universe_id))
            self._memberships.begin(universe_id, start)
        feed.expect(position)

    def _deliver(
        self, universe_id: str, position: int, frames: list[Frame], notices: list[Notice]
    ) -> None:
        for notice in notices:
            self._on_notice(universe_id, position, notice)
        recipients = self._memberships.deliver(universe_id, position, frames)
        if frames:
            self.live.stored(universe_id, frames)
            self._meter.delivered.inc(broadcast(frames, recipients))
        for membership, waiting in self._memberships.due(universe_id):
            membership.connection.send_all(waiting, membership.elsewhere)
            self.live.presence.admitted(membership)
        if notices:
            self._leave_if_empty(universe_id)

    def _lose(self, universe_id: str) -> None:
        """What was missed is not to be had any more: members begin anew."""
        self._meter.lost.inc()
        lost = self._memberships.lose(universe_id)
        self._leave(universe_id)
        for membership in lost:
            membership.connection.close()

    def _leave_if_empty(self, universe_id: str) -> None:
        if self._memberships.discard(universe_id):
            self._leave(universe_id)

    def _leave(self, universe_id: str) -> None:
        self.live.presence.leave(universe_id)
        followed = self._followed.pop(universe_id, None)
        self._told_foreign.discard(universe_id)
        if followed is not None:
            followed.feed.close()
            self._tasks.start(_unsubscribe(followed), name="leave log")


async def _unsubscribe(followed: Following) -> None:
    for subscription in followed.subscriptions:
        await subscription.close()
