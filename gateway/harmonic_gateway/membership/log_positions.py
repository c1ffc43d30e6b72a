"""How far universes' logs were delivered to members here, also after a log was lost. Pure."""

from collections.abc import Mapping

from harmonic_gateway.membership.local_room import LocalRoom

#: Lost logs whose last position is remembered; beyond, the one that was lost first is forgotten.
MAX_LOST_LOGS = 4096


class LogPositions:
    """The positions of ``rooms``, and of rooms that are gone since their logs lost records."""

    def __init__(self, rooms: Mapping[str, LocalRoom]) -> None:
        self._rooms = rooms
        self._lost: dict[str, int] = {}

    def position(self, universe_id: str) -> int | None:
        """How far the log of a universe was delivered here; ``None`` if it is not followed."""
        room = self._rooms.get(universe_id)
        return None if room is None else room.position

    def seen(self, universe_id: str) -> int:
        """The furthest position that members here were sent, also of a log that was lost.

        An owner that is told of it does not use a ``seq`` again that members have seen.
        """
        return max(self.position(universe_id) or 0, self._lost.get(universe_id, 0))

    def lose(self, universe_id: str) -> None:
        """Remember how far a log was delivered whose room is given up now."""
        seen = self.seen(universe_id)
        if not seen:
            return
        self._lost[universe_id] = seen
        if len(self._lost) > MAX_LOST_LOGS:
            del self._lost[next(iter(self._lost))]

    def begin(self, universe_id: str) -> None:
        """Forget a loss: an owner that was told of it has answered."""
        self._lost.pop(universe_id, None)
