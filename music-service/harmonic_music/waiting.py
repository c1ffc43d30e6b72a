"""Jobs that wait for a composer: universes take turns, however many jobs one of them has."""

import asyncio
from collections import OrderedDict, deque
from typing import Generic, TypeVar

J = TypeVar("J")


class Waiting(Generic[J]):
    """A bounded queue with a line for each universe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._lines: OrderedDict[str, deque[J]] = OrderedDict()
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    async def room(self) -> None:
        """Return when there is space for one more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._count < self._most)

    async def add(self, universe_id: str, job: J) -> None:
        """Put a job at the end of its universe's line."""
        async with self._changed:
            self._lines.setdefault(universe_id, deque()).append(job)
            self._count += 1
            self._changed.notify_all()

    async def take(self) -> J:
        """Take the first job of the universe whose turn it is, once there is one."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._count > 0)
            universe_id, line = self._lines.popitem(last=False)
            job = line.popleft()
            if line:
                # To the end: all others come first.
                self._lines[universe_id] = line
            self._count -= 1
            self._changed.notify_all()
            return job
