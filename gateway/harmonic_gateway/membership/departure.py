"""The end of a connection, until all its seats are released. Pure.

Invariants:

- The session is saved first, once: a client that reconnects finds it.
- A client that said goodbye has its seats released at once; the seats of any other are kept for
  a grace, in which it may take them over.
- A seat is released until its owner confirms that, unless another connection has taken it over.
- A seat that is granted only after the end, to a request that was under way, is released as well.

Events are methods; :meth:`Departure.next` says, one at a time, what is to be done.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from harmonic_gateway.membership.membership import Membership

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
    """Have the owner release the seat, and report :meth:`Departure.asked`."""

    membership: Membership


Step: TypeAlias = Save | Wait | Release


class Departure:
    """A connection that is over, and its memberships, by which it may still have seats."""

    def __init__(self, memberships: Collection[Membership], *, grace_s: float) -> None:
        self._memberships = memberships
        self._asked: set[Membership] = set()
        self._grace_s = grace_s
        self._pause_s = FIRST_PAUSE_S
        self._is_saved = False

    @property
    def is_saved(self) -> bool:
        """Whether the session is saved, as far as that was possible."""
        return self._is_saved

    def saved(self) -> None:
        """Note that the session is saved, or could not be."""
        self._is_saved = True

    def waited(self) -> None:
        """Note that the grace, or a pause, is over."""
        self._grace_s = 0.0
        self._asked.clear()

    def asked(self, membership: Membership) -> None:
        """Note that the owner was asked, with or without an answer."""
        self._asked.add(membership)

    def seated(self, membership: Membership) -> None:
        """Note a seat from a request that was under way: earlier releases came too early for it."""
        self._asked.discard(membership)

    def next(self) -> Step | None:
        """The next thing to do; ``None`` once no seat is left."""
        if not self._is_saved:
            return Save()
        held = [each for each in self._memberships if each.may_hold_seat]
        if not held:
            return None
        if self._grace_s:
            return Wait(self._grace_s)
        for membership in held:
            if membership not in self._asked:
                return Release(membership)
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return Wait(pause_s)
