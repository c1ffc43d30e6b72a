"""How far universes' logs were delivered to members here, also after a log was lost. Pure.

A log that lost records may use the numbers of their frames again. A gateway that was sent these
frames may be the only one that knows, and whichever replica becomes the owner must be told. So the
number of the last frame outlives the room, and is named until an owner has answered that its
universe is numbered above it. An old number does no harm: an owner compares it with the universe.
"""

from collections.abc import Collection, Iterable, Mapping

from harmonic_gateway.membership.local_room import LocalRoom

#: Lost logs whose last number is remembered; beyond, the one that was named last is forgotten.
MAX_LOST_LOGS = 4096
#: Answers without a settlement after which a lost log is forgotten: its universe is gone, or all
#: owners are of the version before, which never settles.
MAX_ANSWERS = 600


class LogPositions:
    """The positions and numbers of ``rooms``, and the numbers of rooms that were lost."""

    def __init__(self, rooms: Mapping[str, LocalRoom]) -> None:
        self._rooms = rooms
        self._lost: dict[str, int] = {}
        self._answers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._lost)

    def position(self, universe_id: str) -> int | None:
        """How far the log of a universe was delivered here; ``None`` if it is not followed."""
        room = self._rooms.get(universe_id)
        return None if room is None else room.position

    def seq(self, universe_id: str) -> int:
        """The number of the last frame that is known here, also of a log that was lost."""
        room = self._rooms.get(universe_id)
        return max(0 if room is None else room.seq, self._lost.get(universe_id, 0))

    def told(self, universe_id: str, seq: int) -> None:
        """An owner named the number of a universe's last frame: of a room here, it is known."""
        room = self._rooms.get(universe_id)
        if room is not None:
            room.seq = max(room.seq, seq)

    def lose(self, universe_id: str) -> list[str]:
        """Remember the number of a room that is lost now; the universes that are forgotten."""
        seq = self.seq(universe_id)
        if not seq:
            return [universe_id]
        self._lost[universe_id] = seq
        forgotten = list(self._lost)[: max(0, len(self._lost) - MAX_LOST_LOGS)]
        self._forget(forgotten)
        return forgotten

    def lost(self, most: int) -> dict[str, int]:
        """The numbers of lost logs that are to be named next, at most ``most``."""
        return dict(list(self._lost.items())[:most])

    def answered(self, named: Mapping[str, int], settled: Collection[str]) -> list[str]:
        """An owner answered and has ``settled`` some; the universes that are forgotten."""
        forgotten = []
        for universe_id, seq in named.items():
            if self._lost.get(universe_id) != seq:
                # It was lost again meanwhile, with more.
                continue
            answers = self._answers.get(universe_id, 0) + 1
            if universe_id in settled or answers >= MAX_ANSWERS:
                forgotten.append(universe_id)
            else:
                self._answers[universe_id] = answers
                # Others are named before it is named again.
                self._lost[universe_id] = self._lost.pop(universe_id)
        self._forget(forgotten)
        return forgotten

    def _forget(self, universe_ids: Iterable[str]) -> None:
        for universe_id in universe_ids:
            self._lost.pop(universe_id, None)
            self._answers.pop(universe_id, None)
