"""Announces the ends of universes' logs, since silence on the bus proves nothing.

The broker republishes a stored record at most once, and not at all if it dies in between. So
owners announce where changed logs end, and gateways compare that with what they received.
"""

import asyncio
from collections.abc import Mapping
from typing import TypeAlias

from harmonic_protocol import subjects
from harmonic_protocol.internal import Heads
from harmonic_runtime.bus.client import Bus, BusUnavailable

#: Seconds between two announcements of the universes that changed.
INTERVAL_S = 0.5
#: Universes in one announcement: some 100 bytes each, far below the broker's bound.
MAX_PER_MESSAGE = 2000
#: Seconds for which announcements are kept, to be repeated. A broker that no longer delivers may be
#: given up only after that time.
KEPT_S = 20.0


#: The position of a log's end, and the id of the record there; empty if it is not known.
Head: TypeAlias = tuple[int, str]


class HeadAnnouncements:
    """The announcements of this replica about the logs that it appended to."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._changed: dict[str, Head] = {}
        self._said: dict[str, Head] = {}
        self._said_before: dict[str, Head] = {}
        self._kept_until = 0.0

    def changed(self, universe_id: str, position: int, record_id: str = "") -> None:
        """Note that a log now ends at ``position``, with that record, for the next announcement."""
        self._changed[universe_id] = (position, record_id)

    def announce(self) -> None:
        """Announce all noted ends; keep for the next time what cannot be sent now."""
        self._forget()
        while self._changed:
            part = dict(list(self._changed.items())[:MAX_PER_MESSAGE])
            try:
                self._bus.post(subjects.HEADS, _heads(part).to_json())
            except BusUnavailable:
                return
            self._said.update(part)
            for universe_id in part:
                del self._changed[universe_id]

    def announce_again(self) -> None:
        """Repeat the recent announcements: the broker that was lost may not have delivered them."""
        self._changed = {**self._said_before, **self._said, **self._changed}
        self.announce()

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        if now > self._kept_until:
            self._kept_until = now + KEPT_S
            self._said_before, self._said = self._said, {}


def _heads(part: Mapping[str, Head]) -> Heads:
    return Heads(
        heads={universe_id: position for universe_id, (position, _) in part.items()},
        records={
            universe_id: record_id for universe_id, (_, record_id) in part.items() if record_id
        },
    )
