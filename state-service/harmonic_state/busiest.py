"""Which universes have the most requests, counted over a few seconds."""

from collections.abc import Iterator
from contextlib import contextmanager

from harmonic_runtime.process.ticker import every

#: A rate is that of the last full window and of the one that goes on.
WINDOW_S = 5.0


class Busiest:
    """Counts requests by universe."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._before: dict[str, int] = {}

    def count(self, universe_id: str) -> None:
        """A request has come."""
        self._counts[universe_id] = self._counts.get(universe_id, 0) + 1

    def top(self, most: int) -> list[tuple[str, float]]:
        """At most so many universes with their requests a second, the busiest first."""
        highest = {
            universe_id: max(self._before.get(universe_id, 0), self._counts.get(universe_id, 0))
            for universe_id in self._before | self._counts
        }
        ranked = sorted(highest.items(), key=lambda each: (-each[1], each[0]))
        return [(universe_id, count / WINDOW_S) for universe_id, count in ranked[:most]]

    def turn(self) -> None:
        """A window is over."""
        self._before, self._counts = self._counts, {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count in windows while the block runs."""
        with every(WINDOW_S, self.turn):
            yield
