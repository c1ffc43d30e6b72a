"""The bars of endless pieces in the rooms here: heard, kept until they end, and sent again.

A gateway hears the bars of the rooms that it has members in as they are stored. What was stored
before it listened, or while messages were lost, it reads from their stream.

Composers may store what they like. So members are sent only bars of the piece that the universe's
log says is played, and only ones that begin soon.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence

from harmonic_gateway import metrics as table
from harmonic_gateway.delivery.bars import HeardBar, KeptBars, Unbelieved, read_bar
from harmonic_gateway.membership.membership import Membership, Presence
from harmonic_gateway.membership.memberships import Memberships
from harmonic_gateway.sockets import Frame, broadcast
from harmonic_protocol.messages.endless import MusicStarted, MusicStopped
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.lifecycle import Tasks

#: Rooms whose stored bars are read at the same time.
READS_AT_ONCE = 16

_TURNS = frozenset({MusicStarted.spec.name, MusicStopped.spec.name})

#: Reads what is stored of a universe's bars; raises ``BusUnavailable``.
ReadBars = Callable[[str], Awaitable[Sequence[bytes]]]


class RoomBars:
    """The bars that have not ended, and who is to be sent them."""

    def __init__(
        self,
        memberships: Memberships,
        read: ReadBars,
        clock: SharedClock,
        *,
        tasks: Tasks,
        metrics: Metrics,
        log: SampledLog,
    ) -> None:
        self._memberships = memberships
        self._read = read
        self._clock = clock
        self._tasks = tasks
        self._log = log
        self._kept = KeptBars()
        #: The pieces that rooms are known to play, by universe.
        self._playing: dict[str, str] = {}
        #: Rooms of which a bar came before it was known that they play.
        self._early: set[str] = set()
        #: Rooms whose stored bars are to be read.
        self._unread: set[str] = set()
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        metrics.gauge_from(table.BARS_KEPT, lambda: self._kept.number)
        metrics.gauge_from(table.BARS_KEPT_BYTES, lambda: self._kept.size_bytes)
        self._outcomes = metrics.counters(table.BARS)
        self._lead = metrics.histogram(table.BAR_LEAD_SECONDS)

    def heard(self, universe_id: str, message: Message) -> None:
        """A bar of a room was stored."""
        self._take(universe_id, message.payload, is_heard=True)

    def located(self, universe_id: str, stream_id: str | None) -> None:
        """The owner has told what a room plays: its unfinished bars are read, once."""
        if stream_id is not None and universe_id not in self._playing:
            self._playing[universe_id] = stream_id
            self._read_soon(universe_id)

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
        """These frames of a room are delivered: a piece may begin or end with them."""
        for frame in frames:
            if frame.name in _TURNS:
                stream_id = str(json.loads(frame.data)["streamId"])
                if frame.name == MusicStarted.spec.name:
                    self._begun(universe_id, stream_id)
                elif self._playing.get(universe_id) == stream_id:
                    self.leave(universe_id)

    def leave(self, universe_id: str) -> None:
        """Nothing of a room is heard any more, or nothing is played."""
        self._playing.pop(universe_id, None)
        self._early.discard(universe_id)
        self._kept.forget(universe_id)

    def catch_up(self) -> None:
        """Messages may have been missed: read what is stored."""
        for universe_id in self._playing:
            self._read_soon(universe_id)

    def _begun(self, universe_id: str, stream_id: str) -> None:
        self._playing[universe_id] = stream_id
        if universe_id in self._early:
            self._early.discard(universe_id)
            self._read_soon(universe_id)

    def _read_soon(self, universe_id: str) -> None:
        if universe_id not in self._unread:
            self._unread.add(universe_id)
            self._tasks.start(self._catch_up(universe_id), name="read bars")

    async def _catch_up(self, universe_id: str) -> None:
        async with self._reads:
            # What is stored from here on is heard, or asked for again.
            self._unread.discard(universe_id)
            if universe_id not in self._playing:
                return
            try:
                stored = await self._read(universe_id)
            except BusUnavailable:
                # The next ones are heard all the same.
                self._outcomes.of("unavailable").inc()
                return
        for payload in stored:
            self._take(universe_id, payload, is_heard=False)

    def _take(self, universe_id: str, payload: bytes, *, is_heard: bool) -> None:
        now_s = self._clock.unix_s()
        bar = read_bar(universe_id, payload, now_s)
        if isinstance(bar, Unbelieved):
            self._pass_over(universe_id, bar)
            return
        if self._playing.get(universe_id) != bar.stream_id:
            # The record that the piece begins with may be on its way.
            self._early.add(universe_id)
            self._pass_over(universe_id, Unbelieved.NOT_PLAYED)
            return
        over_s = asyncio.get_running_loop().time() + bar.ends_s - now_s
        taken = self._kept.take(universe_id, bar, now_s, over_s=over_s)
        if isinstance(taken, Unbelieved):
            self._pass_over(universe_id, taken)
            return
        if taken is not None:
            self._send(universe_id, taken)
        if is_heard:
            self._count(bar, now_s, is_news=taken is not None)

    def _pass_over(self, universe_id: str, why: Unbelieved) -> None:
        self._outcomes.of("unreadable").inc()
        self._log.warning("bar_passed_over", kind=why, universe=universe_id, reason=why)

    def _send(self, universe_id: str, frame: Frame) -> None:
        room = self._memberships.room(universe_id)
        if room is not None:
            broadcast([frame], room.greeted())

    def _count(self, bar: HeardBar, now_s: float, *, is_news: bool) -> None:
        is_over = bar.ends_s <= now_s
        self._outcomes.of("sent" if is_news else "over" if is_over else "again").inc()
        if is_news:
            self._lead.observe(max(0.0, bar.starts_s - now_s))
