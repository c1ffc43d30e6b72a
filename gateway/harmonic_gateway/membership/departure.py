"""What follows when a connection is over, until all its seats are released. Pure.

Invariants:

- The session is saved first, once: a client that reconnects finds it.
- A client that said goodbye has its seats released at once; the seats of any other are kept for
  a grace, in which it may take them over.
- A seat is released until its owner confirms that, unless another connection has taken it over.
- A seat that is granted only after the end, to a request that was under way, is released as well.

Events are methods; :meth:`Departure.next` says, one at a time, what is to be done.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

#: The pause before a release is tried again, at first and at most; it doubles each time.
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Save:
    """Save the session as ended, and report :meth:`Departure.saved`."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for so long, and report :meth:`Departure.waited`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Release:
    """Have a universe's owner release the seat, and report :meth:`Departure.answered`."""

    universe_id: str


Step: TypeAlias = Save | Wait | Release


class Departure:
    """A connection that is over, and the universes where it may have a seat."""

    def __init__(self, seats: Iterable[str], *, grace_s: float) -> None:
        self._seats = dict.fromkeys(seats)
        self._unasked = list(self._seats)
        self._grace_s = grace_s
        self._pause_s = FIRST_PAUSE_S
        self._is_saved = False

    @property
    def seats(self) -> set[str]:
        """The universes where it may still have a seat."""
        return set(self._seats)

    def saved(self) -> None:
        """The session is saved, or could not be."""
        self._is_saved = True

    def waited(self) -> None:
        """The grace, or a pause, is over."""
        self._grace_s = 0.0
        self._unasked = list(self._seats)

    def answered(self, universe_id: str, *, is_released: bool) -> None:
        """The owner has confirmed a release, or could not be asked."""
        if universe_id in self._unasked:
            self._unasked.remove(universe_id)
        if is_released:
            self._seats.pop(universe_id, None)

    def seated(self, universe_id: str) -> None:
        """A request that was under way has got a seat."""
        self._seats[universe_id] = None
        self._unasked.append(universe_id)

    def superseded(self, universe_id: str) -> None:
        """Another connection has taken a seat over."""
        self.answered(universe_id, is_released=True)

    def next(self) -> Step | None:
        """The next thing to do; ``None`` once no seat is left."""
        if not self._is_saved:
            return Save()
        if not self._seats:
            return None
        if self._grace_s:
            return Wait(self._grace_s)
        if self._unasked:
            return Release(self._unasked[0])
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return Wait(pause_s)
