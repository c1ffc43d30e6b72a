"""Bad luck: connections that end at random bytes, in either direction and at any stage."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from recovery.proxy import Direction, Kind, Link, Loss, Proxy

#: A connection that is as good as cut ends so much later if too few bytes come along.
PATIENCE_S = 1.0
#: A heartbeat, the most of an event, and what a return brings.
MOST_BYTES = (40, 700, 5000)
#: How often a new connection of each kind is cut, beside those that are cut later on.
EARLY_SHARES = {
    Kind.WEBSOCKET: 0.25,
    Kind.UPGRADE: 0.25,
    Kind.HANDSHAKE: 0.05,
    Kind.POLL: 0.03,
    Kind.POST: 0.05,
    Kind.STREAM: 0.25,
}
LOSSES = (*(Loss.CUT,) * 6, Loss.HALF_OPEN, Loss.HANG)


@dataclass
class Cutter:
    """Cuts connections of a proxy, ``cuts_per_s`` of them, until ``limit`` have been cut.

    ``counts`` are the cuts by kind of connection, direction and how they ended.
    """

    proxy: Proxy
    chance: random.Random
    cuts_per_s: float
    limit: int
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def cuts(self) -> int:
        """How many there were."""
        return sum(self.counts[kind] for kind in Kind)

    async def work(self) -> None:
        """Cut until it is enough; what was begun is over by then."""
        self.proxy.on_link = self._meet
        pause_s = 1 / self.cuts_per_s
        async with asyncio.TaskGroup() as self._group:
            while self.cuts < self.limit:
                await asyncio.sleep(self.chance.uniform(0, 2 * pause_s))
                sound = [link for link in self.proxy.links if link.is_sound]
                if sound:
                    self._lose(self.chance.choice(sound))
            self.proxy.on_link = lambda _link: None

    def _meet(self, link: Link) -> None:
        if self.chance.random() < EARLY_SHARES.get(link.kind, 0):
            self._lose(link)

    def _lose(self, link: Link) -> None:
        direction = self.chance.choice(list(Direction))
        loss = self.chance.choice(LOSSES)
        most_bytes = self.chance.choice(MOST_BYTES)
        link.lose(loss, direction, self.chance.randrange(1, most_bytes))
        self._group.create_task(self._see_through(link, direction, loss))

    async def _see_through(self, link: Link, direction: Direction, loss: Loss) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await link.lost.wait()
        except TimeoutError:
            if link not in self.proxy.links:
                # It was over before.
                return
            link.lose_now()
        self.counts.update((link.kind, direction, loss))
