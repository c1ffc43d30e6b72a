"""Bad luck: connections that end at random bytes, in either direction and at any stage."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from recovery.proxy import Direction, Kind, Link, Loss, Proxy

#: A connection that is as good as cut ends so much later if too few bytes come along.
PATIENCE_S = 1.0
#: Most of what clients are sent is shorter.
MOST_BYTES = 3000
FEW_BYTES = 40
#: How often each kind of connection does not get far, beside those that are cut later on.
EARLY_SHARES = {Kind.UPGRADE: 0.25, Kind.HANDSHAKE: 0.05, Kind.POST: 0.05, Kind.WEBSOCKET: 0.05}
EARLY_BYTES = 700
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
        try:
            async with asyncio.TaskGroup() as self._group:
                while self.cuts < self.limit:
                    await asyncio.sleep(self.chance.uniform(0, 2 * pause_s))
                    sound = [link for link in self.proxy.links if link.is_sound]
                    if sound:
                        few = self.chance.random() < 0.5
                        self._lose(self.chance.choice(sound), FEW_BYTES if few else MOST_BYTES)
        finally:
            self.proxy.on_link = lambda _link: None

    def _meet(self, link: Link) -> None:
        if self.chance.random() < EARLY_SHARES.get(link.kind, 0):
            self._lose(link, EARLY_BYTES)

    def _lose(self, link: Link, most_bytes: int) -> None:
        direction = self.chance.choice(list(Direction))
        loss = self.chance.choice(LOSSES)
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
