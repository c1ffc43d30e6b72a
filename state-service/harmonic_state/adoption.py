"""The universes that gateways named and this replica has not loaded yet, in order, bounded."""

from collections.abc import Iterable
from itertools import islice

from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_state import metrics as table

#: Universes that wait to be loaded, some 150 bytes each. Gateways name further ones again.
MAX_TO_ADOPT = 100_000


class AdoptionQueue:
    """Universes that wait to be loaded: each once, at most ``MAX_TO_ADOPT``."""

    def __init__(self, metrics: Metrics, log: SampledLog) -> None:
        self._waiting: dict[str, None] = {}
        self._deferred = metrics.counter(table.ADOPTIONS_DEFERRED)
        self._log = log

    def add(self, universe_ids: Iterable[str]) -> list[str]:
        """Queue universes; return those that have to be named again, as too many wait."""
        deferred = []
        for universe_id in universe_ids:
            if universe_id in self._waiting or len(self._waiting) < MAX_TO_ADOPT:
                self._waiting[universe_id] = None
            else:
                deferred.append(universe_id)
        if deferred:
            self._deferred.inc(len(deferred))
            self._log.warning("adoption_deferred", universes=len(deferred), most=MAX_TO_ADOPT)
        return deferred

    def take(self, most: int) -> list[str]:
        """Remove and return the universes that wait longest, at most ``most``."""
        taken = list(islice(self._waiting, most))
        for universe_id in taken:
            del self._waiting[universe_id]
        return taken
