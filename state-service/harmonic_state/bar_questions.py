"""Asks the music service for bars: any of its replicas answers."""

import asyncio
from functools import partial

from pydantic import ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.pieces import BAR_ANSWER_S, BarJob, BarMade
from harmonic_runtime.bus.client import Bus, BusTimeout, BusUnavailable, NoResponders, settle
from harmonic_runtime.bus.wire import STATUS, Message
from harmonic_state.answer_inbox import AnswerInbox


class BarQuestions:
    """The questions that wait for an answer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._inbox = AnswerInbox(bus, "bars")

    async def listen(self) -> None:
        """Subscribe to answers."""
        await self._inbox.listen()

    async def ask(self, job: BarJob) -> BarMade:
        """Have a bar made and its notes stored.

        Raise :class:`BusUnavailable` if no replica answered in time, or the answer cannot be read
        or is of another bar.
        """
        answered: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        with self._inbox.question(partial(settle, answered)) as reply:
            self._bus.post(subjects.COMPOSE_BAR, job.to_json(), reply=reply)
            try:
                async with asyncio.timeout(BAR_ANSWER_S):
                    message = await answered
            except TimeoutError as error:
                raise BusTimeout("no bar in time") from error
        if STATUS in message.headers:
            raise NoResponders("no replica of the music service listens")
        try:
            made = BarMade.model_validate_json(message.payload)
        except ValidationError as error:
            raise BusUnavailable("no bar, but an answer that turns away") from error
        if (made.stream_id, made.bar) != (job.stream_id, job.bar):
            raise BusUnavailable("another bar")
        return made
