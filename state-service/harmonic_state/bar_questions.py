"""Asks the music service for bars: any of its replicas answers.

Answers come to a separate subject, so that the composer learns where to answer, and not the
subject on which the broker answers this replica.
"""

import asyncio
import itertools

from pydantic import ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.pieces import BarJob, BarMade
from harmonic_runtime.bus.client import Bus, BusTimeout, BusUnavailable, NoResponders
from harmonic_runtime.bus.wire import STATUS, Message

#: Seconds until another replica is asked.
ANSWER_TIMEOUT_S = 0.4


class BarQuestions:
    """The questions that wait for an answer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._inbox = bus.new_inbox("bars")
        self._numbers = itertools.count()
        self._waiting: dict[str, asyncio.Future[Message]] = {}

    async def listen(self) -> None:
        """Subscribe to answers."""
        await self._bus.subscribe(f"{self._inbox}.*", self._take)

    async def ask(self, job: BarJob) -> BarMade:
        """Have a bar made and its notes stored.

        Raise :class:`BusUnavailable` if no replica answered in time, or the answer cannot be read.
        """
        reply = f"{self._inbox}.{next(self._numbers)}"
        answered = self._waiting[reply] = asyncio.get_running_loop().create_future()
        try:
            self._bus.post(subjects.COMPOSE_BAR, job.to_json(), reply=reply)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                message = await answered
        except TimeoutError as error:
            raise BusTimeout("no bar in time") from error
        finally:
            del self._waiting[reply]
        if STATUS in message.headers:
            raise NoResponders("no replica of the music service listens")
        try:
            return BarMade.model_validate_json(message.payload)
        except ValidationError as error:
            raise BusUnavailable("no bar, but an answer that turns away") from error

    def _take(self, message: Message) -> None:
        answered = self._waiting.get(message.subject)
        if answered is not None and not answered.done():
            answered.set_result(message)
