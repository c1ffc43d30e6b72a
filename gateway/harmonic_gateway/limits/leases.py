"""What a gateway grants of one user's allowance by itself: the leases that it holds. Pure.

A lease is a message in a subject of its own, which one gateway stores and renews by
compare-and-set, and which the broker removes ``KEPT_S`` after it was stored. Its gateway grants at
most ``slots`` requests in any window from it, for ``VALID_S`` after it *asked* for it. What it
granted last is out of the window when the broker removes the message, and nobody else can store
one before that. So all who hold leases never grant more than the leases' slots in any window,
whichever gateways die, and whatever answers are lost. Clocks need not agree: each measures its own.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from harmonic_protocol.leasing import VALID_S, Division

#: An allowance's window. The broker keeps a lease for so much longer than it is valid.
WINDOW_S = 60
KEPT_S = VALID_S + WINDOW_S
#: A lease that is granted from is renewed once it is that old.
RENEWED_AFTER_S = VALID_S / 2
#: For how long a lease is not asked for that another gateway holds, or that may have been stored.
TAKEN_S = 60


class LeaseAppend(NamedTuple):
    """Store the lease of this number: its last message has that sequence, 0 if there is none."""

    number: int
    expected_sequence: int


class Granted(NamedTuple):
    """A request is granted; a lease may be to be renewed, for which nobody waits."""

    renewal: LeaseAppend | None


class NotLeased(Enum):
    """What a request has to do that no lease grants."""

    #: Ask again when the append under way has its outcome.
    WAIT = auto()
    #: Be granted one by one, by the other half of the allowance.
    GO_SINGLY = auto()


#: An append is to be made, and the request asks again when its outcome is there.
Decision: TypeAlias = Granted | LeaseAppend | NotLeased


@dataclass(slots=True)
class _Lease:
    """A lease that is held, as asked for at ``asked_s``.

    Without a ``sequence``, what became of its renewal is unknown.
    """

    sequence: int | None
    asked_s: float
    granted_s: deque[float] = field(default_factory=deque)

    def is_valid(self, now_s: float) -> bool:
        return now_s < self.asked_s + VALID_S

    def used(self, now_s: float) -> int:
        """How many requests it granted in the window that ends now."""
        while self.granted_s and self.granted_s[0] <= now_s - WINDOW_S:
            self.granted_s.popleft()
        return len(self.granted_s)


class Leases:
    """The leases of one user's allowance that one gateway holds, or asks for.

    ``first`` is where it begins to look for one: gateways that begin at different numbers seldom
    ask for the same lease. All times are of one clock that only this gateway reads.
    """

    __slots__ = ("_asked_s", "_division", "_held", "_order", "_taken_until_s")

    def __init__(self, division: Division, first: int) -> None:
        self._division = division
        self._order = tuple((first + n) % division.leases + 1 for n in range(division.leases))
        self._held: dict[int, _Lease] = {}
        #: Since when an append of a lease is under way, by its number.
        self._asked_s: dict[int, float] = {}
        self._taken_until_s: dict[int, float] = {}

    def ask(self, now_s: float) -> Decision:
        """Grant a request, or say what has to be done before."""
        self._forget(now_s)
        for number, lease in self._held.items():
            if lease.is_valid(now_s) and lease.used(now_s) < self._division.slots:
                lease.granted_s.append(now_s)
                return Granted(self._renewal(number, lease, now_s))
        if any(self._is_claimed(number, now_s) for number in self._asked_s):
            return NotLeased.WAIT
        return self._claim(now_s) or NotLeased.GO_SINGLY

    def stored(self, number: int, sequence: int) -> None:
        """An append succeeded: the lease is valid from when that was asked for."""
        asked_s = self._asked_s.pop(number)
        lease = self._held.setdefault(number, _Lease(sequence, asked_s))
        lease.sequence, lease.asked_s = sequence, asked_s

    def refused(self, number: int, now_s: float) -> None:
        """An append was refused: the lease is another gateway's, or ours of unknown sequence."""
        del self._asked_s[number]
        self._held.pop(number, None)
        self._taken_until_s[number] = now_s + TAKEN_S

    def unknown(self, number: int, now_s: float) -> None:
        """Whether an append was stored is unknown: the lease is valid as it was before."""
        del self._asked_s[number]
        self._taken_until_s[number] = now_s + TAKEN_S
        if number in self._held:
            self._held[number].sequence = None

    def free_at_s(self, now_s: float) -> float | None:
        """When one of the leases that are held, and full, has a free slot again."""
        times = [
            lease.granted_s[0] + WINDOW_S
            for lease in self._held.values()
            if lease.sequence is not None and lease.used(now_s) >= self._division.slots
        ]
        return min(times, default=None)

    def used(self, now_s: float) -> int:
        """How many requests the leases granted in the window that ends now."""
        return sum(lease.used(now_s) for lease in self._held.values())

    def is_over(self, now_s: float) -> bool:
        """Whether nothing is held, and nothing asked for."""
        self._forget(now_s)
        return not self._held and not self._asked_s

    def _is_claimed(self, number: int, now_s: float) -> bool:
        """Whether the append under way would grant what no lease grants now."""
        lease = self._held.get(number)
        return lease is None or not lease.is_valid(now_s)

    def _forget(self, now_s: float) -> None:
        """Drop the leases that the broker has removed by now, and those that cannot be renewed."""
        for number, lease in tuple(self._held.items()):
            kept_s = VALID_S if lease.sequence is None else KEPT_S
            if now_s >= lease.asked_s + kept_s and number not in self._asked_s:
                del self._held[number]

    def _renewal(self, number: int, lease: _Lease, now_s: float) -> LeaseAppend | None:
        is_young = now_s < lease.asked_s + RENEWED_AFTER_S
        if is_young or lease.sequence is None or number in self._asked_s:
            return None
        return self._append(number, lease.sequence, now_s)

    def _claim(self, now_s: float) -> LeaseAppend | None:
        """Ask for a lease that was held and is not valid any more, or else for another one."""
        for number, lease in self._held.items():
            lapsed = lease.sequence is not None and not lease.is_valid(now_s)
            if lapsed and lease.used(now_s) < self._division.slots:
                return self._append(number, lease.sequence or 0, now_s)
        for number in self._order:
            is_taken = now_s < self._taken_until_s.get(number, now_s)
            if not is_taken and number not in self._held:
                return self._append(number, 0, now_s)
        return None

    def _append(self, number: int, expected_sequence: int, now_s: float) -> LeaseAppend:
        self._asked_s[number] = now_s
        return LeaseAppend(number, expected_sequence)
