"""When to save how far a client has come, in case that its gateway is killed. Pure.

A session is saved when its rooms change and when it ends. Of a killed gateway's sessions the end is
never saved, so their clients would be sent again everything since they joined.
"""

from collections.abc import Callable, Mapping

#: A connection's places are saved at most so often, ...
INTERVAL_S = 30.0
#: ... and so many a second over all connections, however many there are.
SAVES_PER_S = 50.0


class PlacesToKeep:
    """Which connections' places are to be saved, as their heartbeats are answered."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Mapping[str, int]]] = {}
        self._next_at_s = 0.0

    def is_due(
        self, connection_id: str, read_places: Callable[[], Mapping[str, int]], now_s: float
    ) -> bool:
        """Whether the places that a client has acknowledged are to be saved now.

        They are read only if it is time.
        """
        kept_at_s, kept = self._kept.setdefault(connection_id, (now_s, {}))
        if now_s - kept_at_s < INTERVAL_S or now_s < self._next_at_s:
            return False
        places = read_places()
        if places == kept:
            return False
        self._next_at_s = max(self._next_at_s, now_s - 1.0) + 1.0 / SAVES_PER_S
        self._kept[connection_id] = (now_s, dict(places))
        return True

    def forget(self, connection_id: str) -> None:
        """The connection is over."""
        self._kept.pop(connection_id, None)
