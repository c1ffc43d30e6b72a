"""Questions whose answers come to a subject of their own.

Whoever answers learns where to answer, and not the subject on which the broker answers this
replica.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harmonic_runtime.bus.client import Bus
from harmonic_runtime.bus.wire import Message


class AnswerInbox:
    """The questions of one purpose that wait for answers."""

    def __init__(self, bus: Bus, purpose: str) -> None:
        self._bus = bus
        self._subject = bus.new_inbox(purpose)
        self._numbers = itertools.count()
        self._waiting: dict[str, Callable[[Message], None]] = {}

    async def listen(self) -> None:
        """Subscribe to answers."""
        await self._bus.subscribe(f"{self._subject}.*", self._take)

    @contextmanager
    def question(self, take: Callable[[Message], None]) -> Iterator[str]:
        """The reply subject of one question; ``take`` is given its answers within the block."""
        reply = f"{self._subject}.{next(self._numbers)}"
        self._waiting[reply] = take
        try:
            yield reply
        finally:
            del self._waiting[reply]

    def _take(self, message: Message) -> None:
        take = self._waiting.get(message.subject)
        if take is not None:
            take(message)
