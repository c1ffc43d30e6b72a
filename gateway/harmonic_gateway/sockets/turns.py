"""Turns of clients that have much to say: one client's messages, and then everybody's.

What came of a client at once could keep the event loop for as long as it takes to refuse all of it.
So messages of one client are taken for a short time at a stretch. Then it waits for its turn among
all clients of which more is there. One of them goes on in each pass of the loop, so that clients
with a message or two wait for one such stretch at most, however many others there are.
"""

import asyncio
import time
from collections import deque

#: How long messages of one client are taken at a stretch: after the one that reaches this, others
#: have their turn.
STRETCH_S = 0.001


class Turns:
    """The clients that wait for their turn, in the order in which they began to."""

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
        """Give the first that still waits its turn, and the next one in the next pass."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        self._is_due = bool(self._waiting)
        if self._is_due:
            asyncio.get_running_loop().call_soon(self._give)


class Stretch:
    """The messages of one client that are taken without a pause."""

    __slots__ = ("_began_s", "_turns")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._began_s = time.monotonic()

    def begin(self) -> None:
        """Nothing was there, and others had their turn."""
        self._began_s = time.monotonic()

    async def go_on(self) -> None:
        """Go on at once, or in turn where the stretch is over."""
        if time.monotonic() - self._began_s > STRETCH_S:
            await self._turns.next()
            self._began_s = time.monotonic()
