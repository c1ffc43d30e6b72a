"""A client whose earlier connection may be half open: what becomes of it, event by event. Pure.

Its earlier connections are asked whether they answer. The invariants:

- At most one session is taken over, and only one whose connection turned out to be broken.
- None is, once the client joined or left a room itself, or is gone.
- An earlier connection that answered, or whose client said goodbye, is never asked for again.
"""

from collections.abc import Iterable
from enum import StrEnum, auto


class ReturnStage(StrEnum):
    """How far it has come."""

    ASKING = auto()
    """answers are awaited"""
    TAKING = auto()
    """the session of one that is broken is being taken over"""
    OVER = auto()
    """nothing is taken over any more"""


class PendingReturn:
    """A client that waits for answers about its earlier connections, by their ids."""

    def __init__(self, connection_ids: Iterable[str]) -> None:
        self.stage = ReturnStage.ASKING
        self._asked = set(connection_ids)
        self._broken: list[str] = []

    def alive(self, connection_id: str) -> None:
        """The connection answered, or ended with a goodbye: it is nobody's to take over."""
        self._asked.discard(connection_id)
        self._settle()

    def broken(self, connection_id: str) -> str | None:
        """The connection is broken; the one to be taken over now, if any is."""
        if connection_id not in self._asked:
            return None
        self._asked.discard(connection_id)
        self._broken.append(connection_id)
        return self._next() if self.stage is ReturnStage.ASKING else None

    def not_taken(self) -> str | None:
        """Another client took the session over; the next one to be taken over, if any is."""
        if self.stage is not ReturnStage.TAKING:
            return None
        self.stage = ReturnStage.ASKING
        following = self._next()
        self._settle()
        return following

    def completes(self) -> bool:
        """Whether the session that was taken is the client's now; asked once, at the very end."""
        completes = self.stage is ReturnStage.TAKING
        self.stage = ReturnStage.OVER
        return completes

    def cancel(self) -> None:
        """The client joined or left a room itself, or it is gone."""
        self.stage = ReturnStage.OVER

    def _next(self) -> str | None:
        if not self._broken:
            return None
        self.stage = ReturnStage.TAKING
        return self._broken.pop(0)

    def _settle(self) -> None:
        if self.stage is ReturnStage.ASKING and not self._asked and not self._broken:
            self.stage = ReturnStage.OVER
