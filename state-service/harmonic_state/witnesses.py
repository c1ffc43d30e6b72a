"""Asks the gateways that had members in a universe how far these were sent its log.

A stream that lost its end does not show it; a gateway that was sent the lost records knows. An
owner asks whenever it loads a universe, before it decides anything: otherwise a ``seq`` that
members have seen could be used again. If nobody is in the room, the broker says so at once.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from harmonic_protocol import subjects
from harmonic_protocol.internal import LOG_END_ASKED, SIGNAL_EVENT, LogEndSeen
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.bus.wire import STATUS, Message
from harmonic_state.answer_inbox import AnswerInbox
from harmonic_state.domain.universe import Universe
from harmonic_state.losses import NOTHING_SEEN, Seen

#: Seconds that an owner waits for the gateways that should answer, ...
ANSWER_TIMEOUT_S = 0.5
#: ... and, if none should, for one that was sent records after one that was not. The gateway of a
#: client that is about to join already follows the log, and is often the only one.
SETTLE_S = 0.03


class Witnesses:
    """Asks all gateways about one universe. Made by :func:`open_witnesses`."""

    def __init__(self, bus: Bus, gateways: Directory) -> None:
        self._bus = bus
        self._gateways = gateways
        self._inbox = AnswerInbox(bus, "witness")

    async def listen(self) -> None:
        """Subscribe to answers."""
        await self._inbox.listen()

    async def furthest(self, universe_id: str, universe: Universe | None) -> Seen:
        """How far members were sent the log; nothing without an answer in time.

        Gateways with members answer, and those that have lost the room; it waits for those that
        should have members.
        """
        seats = universe.connections.values() if universe is not None else ()
        awaited = {seat.gateway_id for seat in seats} & self._gateways.live()
        question = _Question(awaited)
        # Without answers, the universe is loaded as if nobody had been asked.
        with self._inbox.question(question.hear) as reply, suppress(TimeoutError, BusUnavailable):
            self._bus.post(
                subjects.signal(universe_id),
                b"",
                headers={SIGNAL_EVENT: LOG_END_ASKED},
                reply=reply,
            )
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await question.answered
        return question.furthest


class _Question:
    """The answers about one universe so far; it ends with the last answer that is awaited."""

    def __init__(self, awaited: Collection[str]) -> None:
        self._awaited = set(awaited)
        self._loop = asyncio.get_running_loop()
        self.furthest = NOTHING_SEEN
        self.answered: asyncio.Future[None] = self._loop.create_future()

    def hear(self, message: Message) -> None:
        """Take a message, which may be none that can be read."""
        if STATUS in message.headers:
            # The broker's answer that nobody listens.
            self.end()
            return
        with suppress(ValueError):
            self.take(LogEndSeen.model_validate_json(message.payload))

    def take(self, seen: LogEndSeen) -> None:
        """Take an answer; end if no further one is awaited."""
        self.furthest = self.furthest.further(Seen.named(seen.position, seen.seq))
        self._awaited.discard(seen.gateway_id)
        if not self._awaited and self.furthest != NOTHING_SEEN:
            self.end()
        elif not self._awaited:
            self._loop.call_later(SETTLE_S, self.end)

    def end(self) -> None:
        """Stop waiting for answers."""
        if not self.answered.done():
            self.answered.set_result(None)


async def open_witnesses(bus: Bus, gateways: Directory) -> Witnesses:
    """Witnesses that are ready to be asked."""
    witnesses = Witnesses(bus, gateways)
    await witnesses.listen()
    return witnesses
