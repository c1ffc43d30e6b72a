"""The bars of endless pieces in the rooms here: heard, kept until they end, and sent again.

A gateway hears the bars of the rooms that it has members in as they are stored. What was stored
before it listened, or while messages were lost, it reads from their stream.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.bars import HeardBar, KeptBars, read_bar
from harmonic_gateway.membership.membership import Membership, Presence
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.sockets import Frame, broadcast
from harmonic_protocol.messages.endless import MusicStopped
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.process.lifecycle import Tasks

#: Reads what is stored of a universe's bars; raises ``BusUnavailable``.
ReadBars = Callable[[str], Awaitable[Sequence[bytes]]]


class RoomBars:
    """The bars that have not ended, and who is to be sent them."""

    def __init__(
        self,
        memberships: Memberships,
        read: ReadBars,
        clock: SharedClock,
        tasks: Tasks,
        metrics: Metrics,
    ) -> None:
        self._memberships = memberships
        self._read = read
        self._clock = clock
        self._tasks = tasks
        self._kept = KeptBars()
        #: The rooms that are known to play, and those of which what was stored was asked for.
        self._playing: set[str] = set()
        self._located: set[str] = set()
        metrics.gauge_from(table.BARS_KEPT, lambda: self._kept.number)
        metrics.gauge_from(table.BARS_KEPT_BYTES, lambda: self._kept.size_bytes)
        self._outcomes = metrics.counters(table.BARS)
        self._lead = metrics.histogram(table.BAR_LEAD_SECONDS)

    def heard(self, universe_id: str, message: Message) -> None:
        """A bar of a room was stored."""
        self._playing.add(universe_id)
        self._take(universe_id, message.payload, is_heard=True)

    def located(self, universe_id: str, *, is_playing: bool) -> None:
        """The owner has told whether a room plays: its unfinished bars are read, once."""
        if is_playing and universe_id not in self._located:
            self._playing.add(universe_id)
            self._located.add(universe_id)
            self._tasks.start(self._catch_up(universe_id), name="read bars")

    def admitted(self, membership: Membership) -> None:
        """A connection was shown a room, or may have missed something of it."""
        universe_id = membership.universe_id
        if universe_id not in self._playing:
            return
        room = self._memberships.room(universe_id)
        if membership.stage is not Presence.PRESENT or room is None or room.awaits(membership):
            return
        frames = self._kept.frames(universe_id, self._clock.unix_s())
        if frames:
            membership.connection.send_all(frames, membership.elsewhere)

    def stored(self, universe_id: str, frames: Iterable[Frame]) -> None:
        """These frames of a room are delivered: after the end of its piece, no bar is due."""
        if universe_id in self._playing and any(
            frame.name == MusicStopped.spec.name for frame in frames
        ):
            self.leave(universe_id)

    def leave(self, universe_id: str) -> None:
        """Nothing of a room is heard any more, or nothing is played."""
        self._playing.discard(universe_id)
        self._located.discard(universe_id)
        self._kept.forget(universe_id)

    def catch_up(self) -> None:
        """Messages may have been missed: read what is stored."""
        for universe_id in self._playing:
            self._tasks.start(self._catch_up(universe_id), name="read bars")

    async def _catch_up(self, universe_id: str) -> None:
        try:
            stored = await self._read(universe_id)
        except BusUnavailable:
            # The next ones are heard all the same.
            self._outcomes.of("unavailable").inc()
            return
        for payload in stored:
            if universe_id in self._playing:
                self._take(universe_id, payload, is_heard=False)

    def _take(self, universe_id: str, payload: bytes, *, is_heard: bool) -> None:
        bar = read_bar(universe_id, payload)
        if bar is None:
            self._outcomes.of("unreadable").inc()
            return
        now_s = self._clock.unix_s()
        over_s = asyncio.get_running_loop().time() + bar.ends_s - now_s
        frame = self._kept.take(universe_id, bar, now_s, over_s=over_s)
        if frame is not None:
            self._send(universe_id, frame)
        if is_heard:
            self._count(bar, now_s, is_news=frame is not None)

    def _send(self, universe_id: str, frame: Frame) -> None:
        room = self._memberships.room(universe_id)
        if room is not None:
            broadcast([frame], room.greeted())

    def _count(self, bar: HeardBar, now_s: float, *, is_news: bool) -> None:
        is_over = bar.ends_s <= now_s
        self._outcomes.of("sent" if is_news else "over" if is_over else "again").inc()
        if is_news:
            self._lead.observe(max(0.0, bar.starts_s - now_s))
