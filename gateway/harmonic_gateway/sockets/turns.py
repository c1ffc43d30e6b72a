"""Shares the event loop fairly between clients with many messages.

Many messages of one client at once could block the event loop until all are handled. So messages of
one client are taken for about ``STRETCH_S`` in a row. Then the client waits for its turn among all
clients with more messages. Each pass of the loop gives one of them a turn. So a client with a
message or two waits for at most one stretch of another client, whatever their number.
"""

import asyncio
import time
from collections import deque

#: Seconds for which messages of one client are taken without a pause. The message that exceeds them
#: is the last of the stretch.
STRETCH_S = 0.001


class Turns:
    """The clients that wait for their turn, in order of arrival."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_due = False

    async def next(self) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if not self._is_due:
            self._is_due = True
            loop.call_soon(self._give)
        await turn

    def _give(self) -> None:
        """Give the first waiting client its turn, and schedule the next one's."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        self._is_due = bool(self._waiting)
        if self._is_due:
            asyncio.get_running_loop().call_soon(self._give)


class Stretch:
    """The time for which one client's messages are taken without a pause."""

    __slots__ = ("_began_s", "_turns")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._began_s = time.monotonic()

    def begin(self) -> None:
        """Start a new stretch, after no message was waiting."""
        self._began_s = time.monotonic()

    async def go_on(self) -> None:
        """Continue at once, or wait for a turn if the stretch is over."""
        if time.monotonic() - self._began_s > STRETCH_S:
            await self._turns.next()
            self._began_s = time.monotonic()
