"""Events as the contract's classes, and the queue between the client and a consumer."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from weakref import WeakSet

from pydantic import ValidationError

from harmonic_client.errors import MissedEventsError
from harmonic_protocol.catalogue import EVENTS
from harmonic_protocol.messages.declaration import Delivery, Event
from harmonic_protocol.messages.endless import MusicBar
from harmonic_protocol.messages.rooms import RoomJoined

#: Events that wait for a consumer of ``async for``; notes count as well, since a piece may have
#: thousands.
MAX_QUEUED_EVENTS = 1000
NOTES_PER_EVENT = 100
#: Frames that are known again: more than a server sends between two heartbeats.
MAX_SEEN_FRAMES = 5000

_log = logging.getLogger("harmonic_client")


@dataclass(frozen=True, slots=True)
class NewerEvent:
    """An event that this version of the contract does not know, as it came."""

    name: str
    data: Any


#: What ``async for`` yields.
AnyEvent = Event | NewerEvent


def read_event(name: str, data: Any) -> AnyEvent:
    """An event as its class."""
    declared = EVENTS.get(name)
    if declared is None:
        return NewerEvent(name, data)
    try:
        return declared.model_validate(data)
    except ValidationError:
        _log.warning("%s is of a newer contract: update harmonic-client", name)
        return NewerEvent(name, data)


#: A frame by its number, or a bar by its piece and its number.
FrameKey = int | tuple[str, int]


class SeenFrames:
    """A universe's latest frames and bars, by which repeated ones are recognized.

    A server that knows the client's offset sends nothing twice; without an offset, it may.
    """

    def __init__(self, bound: int = MAX_SEEN_FRAMES) -> None:
        self._bound = bound
        self._order: deque[FrameKey] = deque()
        self._known: set[FrameKey] = set()

    def is_repeated(self, event: AnyEvent) -> bool:
        """Whether the event was seen before. Note it as seen."""
        key: FrameKey | None = getattr(event, "seq", None)
        if isinstance(event, MusicBar):
            key = event.stream_id, event.bar
        if key is None or isinstance(event, RoomJoined):
            return False
        if key in self._known:
            return True
        self._known.add(key)
        self._order.append(key)
        if len(self._order) > self._bound:
            self._known.discard(self._order.popleft())
        return False


class EventQueue:
    """The events that a consumer has not taken yet, in the order in which they came.

    It holds at most ``bound`` events; one with notes counts once more for each
    ``NOTES_PER_EVENT`` of them, so that what waits is bounded in bytes as well. The oldest live
    signals are dropped first, since newer ones replace them. If only stored events wait, the
    consumer is raised :class:`MissedEventsError`.
    """

    def __init__(self, bound: int = MAX_QUEUED_EVENTS) -> None:
        self._bound = bound
        self._waiting: deque[AnyEvent] = deque()
        self._weight = 0
        self._missed = 0
        self._is_over = False
        self._error: Exception | None = None
        self._news = asyncio.Event()

    def put(self, event: AnyEvent) -> None:
        """Add an event."""
        if self._is_over:
            return
        weight = _weight(event)
        while self._waiting and self._weight + weight > self._bound:
            if not self._drop_signal():
                self._missed += len(self._waiting) + 1
                self._waiting.clear()
                self.end(MissedEventsError(self._missed))
                return
        self._waiting.append(event)
        self._weight += weight
        self._news.set()

    def end(self, error: Exception | None = None) -> None:
        """End the queue: after the waiting events, the consumer is raised ``error``."""
        if not self._is_over:
            self._is_over, self._error = True, error
            self._news.set()

    def __aiter__(self) -> Self:
        """It is its own iterator."""
        return self

    async def __anext__(self) -> AnyEvent:
        """The next event; raise ``StopAsyncIteration``, or the error, when there are no more."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._is_over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        event = self._waiting.popleft()
        self._weight -= _weight(event)
        return event

    def _drop_signal(self) -> bool:
        for place, event in enumerate(self._waiting):
            if isinstance(event, Event) and event.spec.delivery is Delivery.LIVE:
                del self._waiting[place]
                self._weight -= _weight(event)
                return True
        return False


def _weight(event: AnyEvent) -> int:
    """As how many events one counts."""
    return 1 + len(getattr(event, "notes", ())) // NOTES_PER_EVENT


class EventFeed:
    """Passes a universe's events to its listeners."""

    def __init__(self) -> None:
        self._seen = SeenFrames()
        self._listeners: set[Callable[[AnyEvent], None]] = set()
        # A consumer that goes away is not told to anybody: its queue goes with it.
        self._queues: WeakSet[EventQueue] = WeakSet()

    def queue(self) -> EventQueue:
        """The events from now on."""
        queue = EventQueue()
        self._queues.add(queue)
        return queue

    @contextmanager
    def listening(self, listener: Callable[[AnyEvent], None]) -> Iterator[None]:
        """Tell ``listener`` of each event, in the turn in which it comes, while the block runs."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def is_new(self, event: AnyEvent) -> bool:
        """Whether the event was not heard before."""
        return not self._seen.is_repeated(event)

    def tell(self, event: AnyEvent) -> None:
        """Tell all."""
        for listener in tuple(self._listeners):
            listener(event)
        for queue in tuple(self._queues):
            queue.put(event)

    def end(self, error: Exception | None = None) -> None:
        """End all queues: the universe is left, or refused."""
        for queue in tuple(self._queues):
            queue.end(error)
