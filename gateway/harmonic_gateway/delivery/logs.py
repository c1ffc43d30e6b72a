"""The logs of universes that this gateway follows: one subscription each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from harmonic_gateway.delivery.feed import Feed, FeedEvents
from harmonic_gateway.delivery.history import History
from harmonic_gateway.delivery.meter import DeliveryMeter
from harmonic_gateway.sockets import Frame
from harmonic_protocol import subjects
from harmonic_protocol.log import Notice
from harmonic_runtime.bus.client import Bus, Subscription
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.lifecycle import Tasks


class LogListener(Protocol):
    """Receives the logs' records, synchronously and in order."""

    def deliver(
        self, universe_id: str, position: int, frames: list[Frame], notices: list[Notice]
    ) -> None:
        """The next record of a log."""

    def lose(self, universe_id: str) -> None:
        """Records of a log are missing for good, and no more will come."""

    def signalled(self, universe_id: str, message: Message) -> None:
        """A live signal of a universe, or a bar of its endless piece, which no log holds."""


@dataclass(slots=True, eq=False)
class _Following:
    """A log that is followed; ``is_heard`` once the broker is known to send what is stored."""

    feed: Feed
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    is_heard: bool = False


class FollowedLogs:
    """Follows logs for one listener, from the first request until each is left.

    ``asked`` takes the signals of logs that were lost, until they are forgotten.
    """

    def __init__(
        self,
        listener: LogListener,
        asked: Callable[[str, Message], None],
        *,
        bus: Bus,
        history: History,
        meter: DeliveryMeter,
        tasks: Tasks,
        log: BoundLogger,
    ) -> None:
        self._listener = listener
        self._asked = asked
        self._bus = bus
        self._history = history
        self._meter = meter
        self._tasks = tasks
        self._log = log
        self._followed: dict[str, _Following] = {}
        self._lost: dict[str, _Following] = {}
        self._doubtful: set[str] = set()
        self._told_foreign: set[str] = set()

    async def follow(self, universe_id: str) -> None:
        """Follow a universe's log.

        Once this returns, nothing that is stored from now on is missed. Raise
        :class:`BusUnavailable` without the broker.
        """
        followed = self._followed.get(universe_id)
        if followed is None:
            followed = self._followed[universe_id] = _Following(self._feed(universe_id))
            await self._subscribe(universe_id, followed)
        if not followed.is_heard:
            # Others may still wait for the same subscription: only a round trip proves it.
            await self._bus.flush()
            followed.is_heard = True

    def begin(self, universe_id: str, position: int) -> int:
        """Set where to begin with a followed log, ``position`` or before it; where that is."""
        return self._followed[universe_id].feed.begin(position)

    def expect(self, universe_id: str, position: int) -> None:
        """Note a position of a universe's log that its owner named."""
        followed = self._followed.get(universe_id)
        if followed is not None:
            followed.feed.expect(position)

    def turned_back(self, universe_id: str) -> None:
        """A universe's log has lost records that were delivered."""
        followed = self._followed.get(universe_id)
        if followed is not None:
            followed.feed.turned_back()

    def take_doubtful(self) -> set[str]:
        """The universes whose logs may have been turned back since this was last asked."""
        doubtful, self._doubtful = self._doubtful, set()
        return doubtful

    def leave(self, universe_id: str) -> None:
        """Follow a log no longer."""
        followed = self._followed.pop(universe_id, None)
        self._told_foreign.discard(universe_id)
        if followed is not None:
            followed.feed.close()
            self._tasks.start(self._unsubscribe(universe_id, followed), name="leave log")

    def lose(self, universe_id: str) -> None:
        """Follow a log no longer, and go on to hear signals: owners may ask what was sent of it."""
        self.forget(universe_id)
        followed = self._followed.get(universe_id)
        if followed is not None:
            self._lost[universe_id] = followed
            self.leave(universe_id)

    def forget(self, universe_id: str) -> None:
        """Hear nothing more of a log that was lost."""
        lost = self._lost.pop(universe_id, None)
        if lost is not None:
            self._tasks.start(self._unsubscribe(universe_id, lost), name="forget log")

    def _feed(self, universe_id: str) -> Feed:
        def sink(position: int, frames: list[Frame], notices: list[Notice]) -> None:
            self._listener.deliver(universe_id, position, frames, notices)

        return Feed(
            universe_id,
            sink=sink,
            tell=FeedEvents(
                lost=lambda: self._listener.lose(universe_id),
                doubtful=lambda: self._doubtful.add(universe_id),
                foreign=lambda: self._skip_foreign(universe_id),
                carried_out=self._history.carried_out,
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

    async def _subscribe(self, universe_id: str, followed: _Following) -> None:
        def signal(message: Message) -> None:
            if self._followed.get(universe_id) is followed:
                self._listener.signalled(universe_id, message)
            else:
                self._asked(universe_id, message)

        interests = (
            (subjects.live(universe_id), followed.feed.hear, True),
            (subjects.signal(universe_id), signal, False),
            (subjects.bars(universe_id), signal, False),
        )
        for subject, handler, republished in interests:
            subscription = await self._bus.subscribe(subject, handler, republished=republished)
            followed.subscriptions[subject] = subscription
            if self._followed.get(universe_id) is not followed:
                await self._unsubscribe(universe_id, followed)

    async def _unsubscribe(self, universe_id: str, followed: _Following) -> None:
        signals = subjects.signal(universe_id)
        for subject in list(followed.subscriptions):
            if subject != signals or self._lost.get(universe_id) is not followed:
                await followed.subscriptions.pop(subject).close()
        if universe_id not in self._followed:
            self._history.left(universe_id)
