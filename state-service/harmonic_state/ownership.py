"""The universes in memory, bounded in bytes: each handles its requests in order; all at once."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from harmonic_protocol.envelope import Reply
from harmonic_protocol.internal import ExpireMusic, OwnRequest, ReleaseGateway
from harmonic_protocol.log import MusicRequested
from harmonic_protocol.operating import BusyUniverse
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.deadlines import Deadlines
from harmonic_state import metrics as table
from harmonic_state.adoption import AdoptionQueue
from harmonic_state.domain.universe import Universe
from harmonic_state.losses import Seen
from harmonic_state.means import Means
from harmonic_state.meters import RequestRates
from harmonic_state.owned import OwnedUniverse
from harmonic_state.pending import PendingRequest
from harmonic_state.ring import RecentRecord
from harmonic_state.timers import EARLY_S, Alarm

#: Universes that are adopted in a row, and the pause after them.
ADOPTED_AT_ONCE = 25
ADOPTION_PAUSE_S = 0.5
#: Seconds for snapshots at a stop. Without one, a next owner has more to read; nothing is lost.
HAND_OVER_TIMEOUT_S = 3.0
SNAPSHOTS_AT_ONCE = 50


class OwnedUniverses:
    """The universes in memory. Above the bound, the least recently used idle ones are evicted."""

    def __init__(self, means: Means, metrics: Metrics, log: SampledLog) -> None:
        self._means = means
        self._universes: OrderedDict[str, OwnedUniverse] = OrderedDict()
        self._costs: dict[str, int] = {}
        self._cost_bytes = 0
        self._to_adopt = AdoptionQueue(metrics, log)
        self._looks: Deadlines[Alarm] = Deadlines(Alarm.look, EARLY_S)
        self.rates = RequestRates(metrics)
        self._evictions = metrics.counter(table.EVICTIONS)
        metrics.gauge_from(table.CACHED_UNIVERSES, lambda: len(self._universes))
        metrics.gauge_from(table.CACHED_UNIVERSES_BYTES, lambda: self._cost_bytes)

    def submit(self, universe_id: str, pending: PendingRequest) -> None:
        """Queue a request for a universe; it is answered by its deadline at the latest."""
        self.rates.count(universe_id)
        owned = self._at_hand(universe_id)
        owned.submit(pending)
        self._weigh(universe_id, owned)
        self._evict()

    def expire(self, requested: MusicRequested) -> None:
        """Handle the deadline of a requested piece."""
        job = requested.job
        request = ExpireMusic(universe_id=job.universe_id, request_id=job.request_id)
        self.ask_oneself(job.universe_id, request)

    def ask_oneself(
        self,
        universe_id: str,
        request: OwnRequest,
        reply: Callable[[Reply], None] = lambda _reply: None,
    ) -> None:
        """Queue a request that the owner itself makes; ``reply`` takes its reply."""
        self.submit(universe_id, self._means.of_its_own(request, reply))

    def known(self, universe_id: str) -> Universe | None:
        """A universe as last known here; ``None`` if it is not in memory."""
        owned = self._universes.get(universe_id)
        return owned.universe if owned is not None else None

    def recent(self, universe_id: str, after_position: int) -> list[RecentRecord] | None:
        """The records of a log above a position; ``None`` unless they are all in memory."""
        owned = self._universes.get(universe_id)
        return owned.recent(after_position) if owned is not None else None

    def compare(self, positions: Mapping[str, int]) -> tuple[dict[str, int], list[str]]:
        """The ends of those logs that go on after ``positions``, and the ids of unknown ones.

        Only as far as is known here: another owner may have stored more.
        """
        ahead: dict[str, int] = {}
        unknown: list[str] = []
        for universe_id, known in positions.items():
            owned = self._universes.get(universe_id)
            position = owned.position if owned is not None else None
            if position is None:
                unknown.append(universe_id)
            elif position > known:
                ahead[universe_id] = position
        return ahead, unknown

    def witness(
        self, universe_id: str, seen: Seen, reply: Callable[[Reply], None] = lambda _reply: None
    ) -> None:
        """Have a log compared with what members were sent of it, and mended if it has lost that.

        ``reply`` takes the reply: without an error, nothing that is stored from now on has a
        number that they have seen.
        """
        # No gateway has this name: nothing is changed, and the log's end is confirmed.
        look = ReleaseGateway(universe_id=universe_id, gateway_id="")
        self.submit(universe_id, self._means.of_its_own(look, reply, seen))

    def cover(self, universe_id: str, position: int) -> None:
        """Store a snapshot of a universe in memory whose record at a position cannot be read."""
        owned = self._universes.get(universe_id)
        if owned is not None:
            owned.cover(position)

    def busy(self, most: int) -> list[BusyUniverse]:
        """The universes with the most requests, at most ``most``, the busiest first."""
        return [
            BusyUniverse(
                universe_id=universe_id,
                requests_per_s=rate,
                connections=len(known.connections) if known is not None else 0,
            )
            for universe_id, rate in self.rates.busiest(most)
            for known in (self.known(universe_id),)
        ]

    def adopt(self, universe_ids: Iterable[str]) -> list[str]:
        """Queue universes with members to be loaded, which shows the members that are gone.

        Return those for which the queue has no room: they have to be named again.
        """
        return self._to_adopt.add(universe_ids)

    async def keep_adopting(self) -> None:
        """Load adopted universes slowly, until cancelled."""
        while True:
            for universe_id in self._to_adopt.take(ADOPTED_AT_ONCE):
                owned = self._universes.get(universe_id)
                if owned is None or owned.position is None:
                    # No gateway has this name: the request only loads the universe.
                    self.ask_oneself(
                        universe_id, ReleaseGateway(universe_id=universe_id, gateway_id="")
                    )
            await asyncio.sleep(ADOPTION_PAUSE_S)

    def release_lost_gateways(self, alive: frozenset[str]) -> None:
        """Remove participants of gateways that are not ``alive`` from the universes in memory."""
        for owned in list(self._universes.values()):
            universe = owned.universe
            if universe is None or not universe.connections:
                continue
            gateways = {seat.gateway_id for seat in universe.connections.values()}
            for gateway_id in gateways - alive:
                self.ask_oneself(
                    owned.universe_id,
                    ReleaseGateway(universe_id=owned.universe_id, gateway_id=gateway_id),
                )

    async def finish(self) -> None:
        """Wait until nothing is under way; for a replica that takes no more requests."""
        await asyncio.gather(
            *(owned.done() for owned in self._universes.values() if not owned.idle)
        )

    async def hand_over(self) -> None:
        """Store snapshots for the universes' next owners, the busiest first, for a short time."""
        universes = list(reversed(self._universes.values()))
        with suppress(TimeoutError):
            async with asyncio.timeout(HAND_OVER_TIMEOUT_S):
                for start in range(0, len(universes), SNAPSHOTS_AT_ONCE):
                    part = universes[start : start + SNAPSHOTS_AT_ONCE]
                    await asyncio.gather(*(owned.hand_over() for owned in part))

    def _at_hand(self, universe_id: str) -> OwnedUniverse:
        owned = self._universes.get(universe_id)
        if owned is None:
            owned = self._universes[universe_id] = OwnedUniverse(
                universe_id, self._means, self._looks
            )
        self._universes.move_to_end(universe_id)
        return owned

    def _weigh(self, universe_id: str, owned: OwnedUniverse) -> None:
        cost = owned.cost_bytes
        self._cost_bytes += cost - self._costs.get(universe_id, 0)
        self._costs[universe_id] = cost

    def _evict(self) -> None:
        bound = self._means.settings.cached_universes_bytes
        if self._cost_bytes <= bound:
            return
        for universe_id, owned in list(self._universes.items()):
            if self._cost_bytes <= bound:
                return
            if owned.idle:
                del self._universes[universe_id]
                self._cost_bytes -= self._costs.pop(universe_id)
                self._evictions.inc()
