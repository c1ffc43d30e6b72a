"""Announcing how far universes have come, since silence on the bus proves nothing.

The broker republishes what it stored at most once, and not at all if it dies in between. So
owners say where the logs that changed end, and gateways compare that with what they heard.
"""

import asyncio

from harmonic_protocol import subjects
from harmonic_protocol.internal import Heads
from harmonic_runtime.bus.client import Bus, BusUnavailable

#: How often heads are announced of universes that changed.
INTERVAL_S = 0.5
#: Universes in one announcement: some 100 bytes each, far below the broker's bound.
MAX_PER_MESSAGE = 2000
#: What was announced is kept for so long at least, since it may take that long until a broker
#: that did not pass it on any more is given up.
KEPT_S = 20.0


class HeadAnnouncements:
    """What this replica has to say about the logs that it appended to."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._changed: dict[str, int] = {}
        self._said: dict[str, int] = {}
        self._said_before: dict[str, int] = {}
        self._kept_until = 0.0

    def changed(self, universe_id: str, position: int) -> None:
        """A log ends at ``position`` now; announced with the next ones."""
        self._changed[universe_id] = position

    def announce(self) -> None:
        """Say it all; what cannot be said now is said next time."""
        self._forget()
        while self._changed:
            part = dict(list(self._changed.items())[:MAX_PER_MESSAGE])
            try:
                self._bus.post(subjects.HEADS, Heads(heads=part).to_json())
            except BusUnavailable:
                return
            self._said.update(part)
            for universe_id in part:
                del self._changed[universe_id]

    def announce_again(self) -> None:
        """Say once more what was said lately: the broker that was lost may have kept it."""
        self._changed = {**self._said_before, **self._said, **self._changed}
        self.announce()

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        if now > self._kept_until:
            self._kept_until = now + KEPT_S
            self._said_before, self._said = self._said, {}
