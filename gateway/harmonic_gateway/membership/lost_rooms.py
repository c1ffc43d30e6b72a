"""Rooms that were lost: what their members saw is told to owners that ask, and to those asked."""

from collections.abc import Collection, Mapping

from harmonic_gateway.delivery.logs import FollowedLogs
from harmonic_gateway.membership.log_positions import LogPositions


class LostRooms:
    """The lost rooms of this gateway, each until an owner has settled what members saw there."""

    def __init__(self, positions: LogPositions, logs: FollowedLogs) -> None:
        self._positions = positions
        self._logs = logs

    def __len__(self) -> int:
        return len(self._positions)

    def lose(self, universe_id: str) -> None:
        """Leave the log of a room that is lost, and go on to hear questions about it."""
        self._logs.lose(universe_id)
        self._forget(self._positions.lose(universe_id))

    def seqs(self, universe_ids: Collection[str]) -> dict[str, int]:
        """The numbers of the last frames that are known here, by universe."""
        return {each: seq for each in universe_ids if (seq := self._positions.seq(each))}

    def named_next(self, most: int) -> dict[str, int]:
        """The numbers of the last frames of lost rooms that are to be named next."""
        return self._positions.lost(most)

    def answered(self, named: Mapping[str, int], settled: Collection[str]) -> None:
        """Take an owner's answer about lost rooms."""
        self._forget(self._positions.answered(named, settled))

    def _forget(self, universe_ids: Collection[str]) -> None:
        for universe_id in universe_ids:
            self._logs.forget(universe_id)
